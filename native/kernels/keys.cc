#include "kernels/keys.h"

#include <cstring>

#include "kernels/wire.h"

namespace rxnf {
namespace {

// A packet whose destination was translated comes from outside; otherwise it goes there.
Key session_key(const Batch &b, uint32_t i) {
  const Flow &f = b.flow[i];
  const bool translated = b.edits[i] & edit::source;
  const uint64_t source = translated && (b.edits[i] & edit::destination)
                              ? endpoint(b.new_source[i], b.new_source_port[i], f.protocol)
                              : endpoint(f.source, f.source_port, f.protocol);
  if (b.edits[i] & edit::destination)
    return {endpoint(b.new_destination[i], b.new_destination_port[i], f.protocol), source};
  return {source, endpoint(f.destination, f.destination_port, f.protocol)};
}

}  // namespace

Key Keys::operator()(const Batch &b, uint32_t i) const {
  if (kind_ == KeyOf::session) return session_key(b, i);
  if (kind_ != KeyOf::fragment) return key_of(kind_, b.flow[i]);
  const uint8_t *ip = arena_ + b.data[i] + b.l3[i];
  return {b.flow[i].source | static_cast<uint64_t>(wire::load<uint16_t>(ip + 4)) << 32 |
              static_cast<uint64_t>(b.flow[i].protocol) << 48,
          b.flow[i].destination};
}

void join(Register &r, uint32_t attended) {
  if (attended == 0) return;
  r.leader[r.attended[0]] = r.attended[0];
  if (attended == 1) return;
  uint16_t slots[2 * max_rows];  // at most half full
  uint32_t size = 16;
  while (size < attended * 2) size *= 2;
  std::memset(slots, 0xff, size * sizeof *slots);
  for (uint32_t n = 0; n < attended; n++) {
    const uint16_t row = r.attended[n];
    const Key &k = r.key[row];
    uint32_t i = static_cast<uint32_t>(((k.low ^ k.high * 31) * 0x9e3779b97f4a7c15) >> 40);
    for (;; i++) {
      uint16_t &s = slots[i & (size - 1)];
      if (s == 0xffff) {
        s = r.leader[row] = row;
        break;
      }
      if (r.key[s] == k) {
        r.leader[row] = s;
        break;
      }
    }
  }
}

}  // namespace rxnf
