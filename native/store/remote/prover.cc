#include "store/remote/prover.h"

#include "store/remote/command.h"
#include "store/remote/reply.h"

namespace rxnf::remote {
namespace {

// Within the time of the request that it is part of.
constexpr uint64_t wait_share = 2;

}  // namespace

class Prover::Round : public Request {
 public:
  Round(uint32_t writer, uint64_t wait_ms) : writer_(writer), wait_ms_(wait_ms) {}

  std::vector<Proof *> proofs;
  bool is_out = false;

  void encode(Bytes &out) override {
    reply_ = 0;
    replicas_ = 0;
    at_ = 0;
    stood_.clear();
    size_t count = 0;
    uint32_t replicas = 0;
    for (const Proof *p : proofs) {
      count += p->entries.size();
      replicas = std::max(replicas, p->replicas);
    }
    append_header(out, '*', 3 + 2 * count);
    append_bulk(out, "FCALL_RO");
    append_bulk(out, "rxnf1_stand");
    append_bulk(out, count);
    for (const Proof *p : proofs)
      for (const Proof::Entry &e : p->entries) p->keys->append(out, e.partition, e.key);
    for (const Proof *p : proofs)
      for (const Proof::Entry &e : p->entries) append_bulk(out, &e.version, sizeof e.version);
    append_command(out, "SET", own_key(), "1", "EX", "60");
    append_command(out, "WAIT", uint64_t{replicas}, wait_ms_);
  }

  Progress read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                std::string &why) override {
    resp::Token t;
    for (;;) {
      const auto step = reader.next(at, end, t);
      if (step == resp::Reader::Step::more) return Progress::more;
      if (step == resp::Reader::Step::broken) return Progress::broken;
      Ending ending;
      if (t.kind == resp::Kind::error && t.depth == 0) {
        if (is_to_be_repeated(t, ending, why)) return Progress::again;
        refused_ = true;
      } else if (t.kind == resp::Kind::number) {
        if (reply_ == 0)
          stood_.push_back(t.value == 1);
        else
          replicas_ = static_cast<uint32_t>(t.value);
      }
      if (reader.whole() && ++reply_ == 3) return Progress::whole;
    }
  }

  void settled(Fate fate) override {
    const bool known = fate == Fate::answered && !refused_;
    refused_ = false;
    for (Proof *p : proofs)
      for (Proof::Entry &e : p->entries) {
        const bool stood = at_ < stood_.size() && stood_[at_];
        at_++;
        e.holds = known && stood && replicas_ >= p->replicas;
      }
    is_done = true;
  }

  bool is_done = false;

 private:
  std::string own_key() const {
    static const char hex[] = "0123456789abcdef";
    const uint8_t p = proofs.front()->entries.front().partition;
    return std::string("{") + hex[p >> 4] + hex[p & 15] + "}+proof:" + std::to_string(writer_);
  }

  const uint32_t writer_;
  const uint64_t wait_ms_;
  uint32_t reply_ = 0, replicas_ = 0;
  bool refused_ = false;
  size_t at_ = 0;
  std::vector<bool> stood_;
};

// Sets the flag of what was proved. One that is lost is proved anew by who meets it.
class Prover::Mark : public Request {
 public:
  struct Entry {
    const KeySpace *keys;
    Proof::Entry entry;
  };
  std::vector<Entry> entries, gathered;
  bool is_out = false;

  void encode(Bytes &out) override {
    append_header(out, '*', 3 + 2 * entries.size());
    append_bulk(out, "FCALL");
    append_bulk(out, "rxnf1_mark");
    append_bulk(out, entries.size());
    for (const Entry &e : entries) e.keys->append(out, e.entry.partition, e.entry.key);
    for (const Entry &e : entries) append_bulk(out, &e.entry.version, sizeof e.entry.version);
  }
  Progress read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                std::string &why) override {
    return pass_over(reader, at, end, why);
  }
  void settled(Fate) override { is_out = false; }
};

Prover::Prover(const ConnectionOptions &options, uint32_t writer)
    : connection_(options),
      round_(std::make_unique<Round>(writer, options.request_timeout_ns / wait_share / 1'000'000)),
      mark_(std::make_unique<Mark>()) {}

Prover::~Prover() { close(); }

void Prover::close() { connection_.close(); }

void Prover::poll(uint64_t now_ns) {
  connection_.poll(now_ns);
  Round &round = *round_;
  if (round.is_done) {
    round.is_done = round.is_out = false;
    for (Proof *p : round.proofs) {
      for (const Proof::Entry &e : p->entries)
        if (e.holds && e.version != 0 && mark_->gathered.size() < marks)
          mark_->gathered.push_back({p->keys, e});
      p->decided();
    }
    round.proofs.clear();
  }
  if (!mark_->is_out && !mark_->gathered.empty()) {
    mark_->entries.swap(mark_->gathered);
    mark_->gathered.clear();
    mark_->is_out = true;
    connection_.submit(*mark_, now_ns);
  }
  if (round.is_out || waiting_.empty()) return;
  size_t taken = 0, entries = 0;
  while (taken < waiting_.size() &&
         (taken == 0 || entries + waiting_[taken]->entries.size() <= at_once))
    entries += waiting_[taken++]->entries.size();
  round.proofs.assign(waiting_.begin(), waiting_.begin() + static_cast<long>(taken));
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<long>(taken));
  round.is_out = true;
  connection_.submit(round, now_ns);
}

}  // namespace rxnf::remote
