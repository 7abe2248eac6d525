#include "store/remote/greeting.h"

#include <charconv>

#include "store/remote/cluster/refusal.h"
#include "store/remote/command.h"

namespace rxnf::remote {
namespace {

uint64_t decimal(std::string_view text) {
  uint64_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

}  // namespace

void Greeting::begin(Bytes &out, int64_t earlier) {
  asked_ = answered_ = 0;
  earlier_ = earlier;
  earlier_is_there_ = false;
  if (login_.password.empty())
    append_command(out, "HELLO", "3", "SETNAME", login_.client_name);
  else
    append_command(out, "HELLO", "3", "AUTH", login_.user.empty() ? "default" : login_.user,
                   login_.password, "SETNAME", login_.client_name);
  steps_[asked_++] = Step::hello;
  if (login_.database != 0) {
    append_command(out, "SELECT", login_.database);
    steps_[asked_++] = Step::select;
  }
  if (earlier_ != 0) {
    append_command(out, "CLIENT", "LIST", "ID", static_cast<uint64_t>(earlier_));
    steps_[asked_++] = Step::find;
  }
  if (login_.library.empty()) return;  // a sentinel, which knows neither of these
  append_command(out, "TIME");
  steps_[asked_++] = Step::time;
  append_command(out, "FCALL_RO", "rxnf1_revision", "0");
  steps_[asked_++] = Step::revision;
}

Greeting::Progress Greeting::read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                                  Bytes &out, std::string &why) {
  resp::Token t;
  for (;;) {
    const auto step = reader.next(at, end, t);
    if (step == resp::Reader::Step::more) return Progress::more;
    if (step == resp::Reader::Step::broken) return why = reader.problem(), Progress::broken;
    take(t);
    if (!reader.whole()) continue;
    const Progress progress = answered(out, why);
    if (progress != Progress::more) return progress;
  }
}

void Greeting::take(const resp::Token &t) {
  if (t.kind == resp::Kind::error && t.depth == 0) error_ = t.text();
  if (t.kind == resp::Kind::number && t.depth == 0) number_ = t.value;
  switch (steps_[answered_]) {
    case Step::hello:
      if (is_id_ && t.kind == resp::Kind::number) id_ = t.value;
      is_id_ = t.kind == resp::Kind::blob && t.text() == "id";
      break;
    case Step::find:
      // The server may have been restarted, and the number be another's.
      if (t.size > 0)
        earlier_is_there_ |=
            t.text().find(" name=" + login_.client_name + " ") != std::string_view::npos;
      break;
    case Step::time:
      if (t.kind == resp::Kind::blob)
        (items_++ == 0 ? seconds_ : microseconds_) = decimal(t.text());
      break;
    default:
      break;
  }
}

Greeting::Progress Greeting::answered(Bytes &out, std::string &why) {
  const Step step = steps_[answered_++];
  const std::string error = std::move(error_);
  error_.clear();
  items_ = 0;
  switch (step) {
    case Step::hello:
    case Step::select:
    case Step::time:
      if (!error.empty()) return why = error, Progress::refused;
      break;
    case Step::find:
      if (!error.empty()) return why = error, Progress::refused;
      if (!earlier_is_there_) break;
      append_command(out, "CLIENT", "KILL", "ID", static_cast<uint64_t>(earlier_));
      steps_[asked_++] = Step::kill;
      break;
    case Step::kill:
      if (!error.empty()) return why = "CLIENT KILL: " + error, Progress::refused;
      break;
    case Step::revision:
      if (!error.empty() && cluster::read_refusal(error).refusal != cluster::Refusal::no_function)
        return why = error, Progress::refused;
      if (!error.empty() || number_ < login_.revision) load(out, error.empty());
      break;
    case Step::load:
      // Another client may have been faster: the check tells.
      if (!error.empty() && error.find("already exists") == std::string::npos)
        return why = "FUNCTION LOAD: " + error, Progress::refused;
      break;
    case Step::check:
      if (!error.empty()) return why = error, Progress::refused;
      break;
  }
  return answered_ == asked_ ? Progress::done : Progress::more;
}

void Greeting::load(Bytes &out, bool replace) {
  if (replace)
    append_command(out, "FUNCTION", "LOAD", "REPLACE", login_.library);
  else
    append_command(out, "FUNCTION", "LOAD", login_.library);
  append_command(out, "FCALL_RO", "rxnf1_revision", "0");
  steps_[asked_++] = Step::load;
  steps_[asked_++] = Step::check;
}

}  // namespace rxnf::remote
