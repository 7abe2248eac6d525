// The keys that packets are looked up by, and which rows of a batch share one: the part of a lookup
// that is the same whatever the store is.
#pragma once
#include "lane/batch.h"

namespace rxnf {

enum class KeyOf : uint8_t {
  source_endpoint,       // protocol, source address, source port
  destination_endpoint,  // protocol, destination address, destination port
  five_tuple,            // as the packet goes
  flow,                  // the five-tuple with its ends in a fixed order: both directions agree
  session,               // both endpoints, the inside one first, as translations staged them
  fragment,              // source, destination, protocol, IPv4 identification (RFC 791)
  staged                 // the register's key column, filled by an earlier operator
};

inline uint64_t endpoint(uint32_t address, uint16_t port, uint8_t protocol) {
  return address | static_cast<uint64_t>(port) << 32 | static_cast<uint64_t>(protocol) << 48;
}

// Of the kinds that a flow alone decides.
inline Key key_of(KeyOf kind, const Flow &f) {
  const uint64_t source = endpoint(f.source, f.source_port, f.protocol);
  const uint64_t destination = endpoint(f.destination, f.destination_port, f.protocol);
  switch (kind) {
    case KeyOf::source_endpoint:
      return {source, 0};
    case KeyOf::destination_endpoint:
      return {destination, 0};
    case KeyOf::five_tuple:
      return {source, destination};
    default:
      return source < destination ? Key{source, destination} : Key{destination, source};
  }
}

// Makes the keys of one kind; not for `staged`, whose keys lie in the register.
class Keys {
 public:
  Keys(const uint8_t *arena, KeyOf kind) : arena_(arena), kind_(kind) {}
  Key operator()(const Batch &batch, uint32_t row) const;

 private:
  const uint8_t *arena_;
  const KeyOf kind_;
};

// Joins attended rows with equal keys under the first of them, their leader.
void join(Register &r, uint32_t attended);

// Gives every attended row what its leader's write came to; where `refused(verdict)` says that the
// leader was dropped over it, the row is dropped too.
template <typename Refused>
void share_outcomes(Batch &b, Register &r, uint32_t attended, Refused &&refused) {
  for (uint32_t n = 0; n < attended; n++) {
    const uint16_t row = r.attended[n], leader = r.leader[row];
    if (leader == row) continue;
    r.state[row] = r.state[leader];
    r.timer[row] = r.timer[leader];
    r.version[row] = r.version[leader];
    __builtin_memcpy(r.record + size_t{row} * r.stride, r.record + size_t{leader} * r.stride,
                     r.stride);
    if (b.verdict[row] == verdict::pending && refused(b.verdict[leader]))
      b.verdict[row] = b.verdict[leader];
  }
}

}  // namespace rxnf
