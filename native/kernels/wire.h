// Reading and writing header fields in place, in network byte order unless named otherwise, and
// the Internet checksum (RFC 1071) with its incremental update (RFC 1624, equation 3).
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>

namespace rxnf::wire {

template <typename T>
inline T load(const uint8_t *p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <typename T>
inline void store(uint8_t *p, T v) {
  std::memcpy(p, &v, sizeof v);
}

inline uint16_t swap16(uint16_t v) { return __builtin_bswap16(v); }
inline uint32_t swap32(uint32_t v) { return __builtin_bswap32(v); }
inline uint16_t load_be16(const uint8_t *p) { return swap16(load<uint16_t>(p)); }

inline constexpr uint16_t ethertype_ipv4 = 0x0008, ethertype_ipv6 = 0xdd86, ethertype_arp = 0x0608,
                          ethertype_vlan = 0x0081, ethertype_qinq = 0xa888;  // as loaded
inline constexpr uint8_t protocol_icmp = 1, protocol_tcp = 6, protocol_udp = 17,
                         protocol_icmpv6 = 58;

// One's complement sum of a word's halves, twice: a word added to itself with its halves exchanged
// has their sum, end-around carry included, in its upper half.
inline uint16_t fold(uint64_t sum) {
  const auto half = static_cast<uint32_t>((sum + std::rotl(sum, 32)) >> 32);
  return static_cast<uint16_t>((half + std::rotl(half, 16)) >> 16);
}

// One's complement sum of bytes; 0xffff over data that carries its own valid checksum.
inline uint64_t sum(const uint8_t *p, uint32_t n, uint64_t s = 0) {
  for (; n >= 4; n -= 4, p += 4) s += load<uint32_t>(p);
  if (n & 2) s += load<uint16_t>(p), p += 2;
  if (n & 1) s += *p;
  return s;
}

// Of an IPv4 header without options.
inline uint64_t sum20(const uint8_t *p) {
  uint64_t s = load<uint64_t>(p);
  s += __builtin_add_overflow(s, load<uint64_t>(p + 8), &s);
  s += __builtin_add_overflow(s, uint64_t{load<uint32_t>(p + 16)}, &s);
  return s;
}

// What to add to a one's complement sum when `from` becomes `to`: ~m + m'. Deltas may be added up
// and applied to one checksum with `update`.
inline uint64_t delta32(uint32_t from, uint32_t to) {
  return static_cast<uint64_t>(static_cast<uint32_t>(~from)) + to;
}
inline uint64_t delta16(uint16_t from, uint16_t to) {
  return static_cast<uint64_t>(static_cast<uint16_t>(~from)) + to;
}
inline uint16_t update(uint16_t checksum, uint64_t delta) {
  return static_cast<uint16_t>(~fold(static_cast<uint16_t>(~checksum) + delta));
}

}  // namespace rxnf::wire
