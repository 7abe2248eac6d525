#include "store/remote/call.h"

#include "store/remote/reply.h"

namespace rxnf::remote {

Request::Progress Call::read(resp::Reader &reader, const uint8_t *&at, const uint8_t *end,
                             std::string &why) {
  resp::Token t;
  for (;;) {
    const auto step = reader.next(at, end, t);
    if (step == resp::Reader::Step::more) return Progress::more;
    if (step == resp::Reader::Step::broken) return Progress::broken;
    Ending ending;
    if (t.kind == resp::Kind::error && t.depth == 0 && is_to_be_repeated(t, ending, why))
      return Progress::again;
    if (!take(t)) return Progress::broken;
    if (reader.whole()) return Progress::whole;
  }
}

bool Call::take(const resp::Token &t) {
  switch (t.kind) {
    case resp::Kind::null:
      words_.push_back(0);
      return true;
    case resp::Kind::array:
    case resp::Kind::map:
    case resp::Kind::set:
    case resp::Kind::push:
      if (t.value == resp::unknown_length) return false;
      words_.push_back(1);
      words_.push_back(static_cast<uint32_t>(t.value));
      return true;
    case resp::Kind::number:
    case resp::Kind::boolean:
      words_.push_back(3);
      words_.push_back(static_cast<uint32_t>(t.value));
      words_.push_back(static_cast<uint32_t>(t.value >> 32));
      return true;
    case resp::Kind::error:
      append(4, t);
      return true;
    case resp::Kind::blob_begin:
    case resp::Kind::part:
    case resp::Kind::end:
    case resp::Kind::attribute:
      return false;
    default:
      append(2, t);
      return true;
  }
}

void Call::append(uint32_t kind, const resp::Token &t) {
  words_.push_back(kind);
  words_.push_back(t.size);
  const size_t at = words_.size();
  words_.resize(at + (t.size + 3) / 4);
  __builtin_memcpy(words_.data() + at, t.data, t.size);
}

}  // namespace rxnf::remote
