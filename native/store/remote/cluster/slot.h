// Hash slots of a cluster: CRC-16/XMODEM of a key, or of its hash tag, modulo 16384 (Redis cluster
// specification, "Hash tags").
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace rxnf::cluster {

inline constexpr uint32_t slot_count = 16384;

namespace detail {
consteval std::array<uint16_t, 256> crc16_table() {
  std::array<uint16_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t crc = byte << 8;
    for (int bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
    table[byte] = static_cast<uint16_t>(crc);
  }
  return table;
}
inline constexpr auto crc16 = crc16_table();
}  // namespace detail

// What is hashed: the bytes between the first { and the first } after it, if there are any.
constexpr std::string_view hash_tag(std::string_view key) {
  const size_t open = key.find('{');
  if (open == std::string_view::npos) return key;
  const size_t close = key.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

constexpr uint32_t slot_of(std::string_view key) {
  uint32_t crc = 0;
  for (const char c : hash_tag(key))
    crc = (crc << 8 ^ detail::crc16[(crc >> 8 ^ static_cast<uint8_t>(c)) & 0xff]) & 0xffff;
  return crc % slot_count;
}

}  // namespace rxnf::cluster
