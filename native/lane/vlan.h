// A port in a VLAN (IEEE 802.1Q): frames of it come and go with its tag, and have none inside. Tag
// protocol identifier 0x8100; whatever priority a frame comes with, it leaves with none.
#pragma once
#include <cstdint>
#include <cstring>

#include "kernels/wire.h"

namespace rxnf::vlan {

inline constexpr uint32_t tag_length = 4, addresses_length = 12;
inline constexpr uint16_t tag_protocol = 0x8100, identifier_mask = 0x0fff;

// Takes the tag out of a frame that has it; false, with the frame as it was, for any other, which
// priority tags (VLAN 0) and frames without room for what follows a tag are, too.
inline bool untag(uint8_t *base, uint32_t &data, uint32_t &length, uint16_t identifier) {
  uint8_t *const p = base + data;
  if (length < addresses_length + tag_length + 2 ||
      wire::load_be16(p + addresses_length) != tag_protocol ||
      (wire::load_be16(p + addresses_length + 2) & identifier_mask) != identifier)
    return false;
  std::memmove(p + tag_length, p, addresses_length);
  data += tag_length;
  length -= tag_length;
  return true;
}

// Puts the tag into a frame with so many bytes free in front of it.
inline void tag(uint8_t *base, uint32_t &data, uint32_t &length, uint16_t identifier) {
  uint8_t *const p = base + data - tag_length;
  std::memmove(p, p + tag_length, addresses_length);
  const uint8_t bytes[] = {tag_protocol >> 8, tag_protocol & 0xff,
                           static_cast<uint8_t>(identifier >> 8), static_cast<uint8_t>(identifier)};
  std::memcpy(p + addresses_length, bytes, tag_length);
  data -= tag_length;
  length += tag_length;
}

}  // namespace rxnf::vlan
