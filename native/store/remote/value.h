// How a record lies in a server's string: docs/decisions/0007-state-outside.md, little-endian.
#pragma once
#include <cstdint>

namespace rxnf::remote {

inline constexpr uint8_t committed = 1;  // of `flags`

struct ValueHeader {
  uint64_t version;
  uint64_t deadline_ms;  // of the server's clock; 0: never
  uint8_t timer;         // class, bit 7 watched
  uint8_t flags;
  uint16_t schema_version;
  uint32_t schema;  // FNV-1a of its name
};
static_assert(sizeof(ValueHeader) == 24);

// What a client and a server must agree on of a table.
struct Schema {
  uint32_t record_size;  // bytes, of this release
  uint16_t version;
  uint32_t name;  // FNV-1a 32
  uint32_t idle_ms[4];
  uint32_t replicas;  // that must have a version before it counts; 0: the primary's word is enough
};

}  // namespace rxnf::remote
