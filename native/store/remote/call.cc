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
    switch (t.kind) {
      case resp::Kind::null:
        words_.push_back(0);
        break;
      case resp::Kind::array:
      case resp::Kind::map:
      case resp::Kind::set:
      case resp::Kind::push:
        if (t.value == resp::unknown_length) return Progress::broken;
        words_.push_back(1);
        words_.push_back(static_cast<uint32_t>(t.value));
        break;
      case resp::Kind::number:
      case resp::Kind::boolean:
        words_.push_back(3);
        words_.push_back(static_cast<uint32_t>(t.value));
        words_.push_back(static_cast<uint32_t>(t.value >> 32));
        break;
      case resp::Kind::error: {
        Ending ending;
        if (t.depth == 0 && is_to_be_repeated(t, ending, why)) return Progress::again;
        append(4, t);
        break;
      }
      case resp::Kind::blob_begin:
      case resp::Kind::part:
      case resp::Kind::end:
      case resp::Kind::attribute:
        return Progress::broken;  // no server sends these to what is asked here
      default:
        append(2, t);
    }
    if (reader.whole()) return Progress::whole;
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
