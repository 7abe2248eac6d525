// The packet that nearly every packet is: untagged, to our MAC, IPv4 without options, not a
// fragment, TCP or UDP, and sound. One function finds out, for the kernels that have a fast way for
// it.
#pragma once
#include <immintrin.h>

#include <array>
#include <utility>
#include <vector>

#include "kernels/wire.h"
#include "lane/batch.h"
#include "lane/traits.h"

namespace rxnf {

// By the first byte of an IPv4 address: bit 0, may not be a source; bit 1, not a unicast
// destination (0/8, 127/8, 224/4, 240/4; RFC 1812 5.3.7, RFC 6890).
inline constexpr std::array<uint8_t, 256> address_class = [] {
  std::array<uint8_t, 256> t{};
  t[0] = 3, t[127] = 3;
  for (int i = 224; i < 256; i++) t[static_cast<size_t>(i)] = 3;
  return t;
}();

struct ParsePort {
  uint8_t mac[6] = {};
  bool accept_any = false;  // do not compare the destination MAC
  uint32_t marks = 0;       // traits given to every packet received here
  // What the first 32 bytes of a plain packet are, under a mask; made by `prepare`.
  alignas(32) uint8_t expected[32] = {}, mask[32] = {};

  void prepare() {
    const auto expect = [this](int at, uint8_t value, uint8_t bits) {
      expected[at] = value;
      mask[at] = bits;
    };
    // Where any destination will do, a multicast one still goes the long way.
    expect(0, 0, 1);
    for (int i = 0; !accept_any && i < 6; i++) expect(i, mac[i], 0xff);
    expect(12, 0x08, 0xff), expect(13, 0x00, 0xff);  // IPv4
    expect(14, 0x45, 0xff);                          // no options
    expect(20, 0, 0x3f), expect(21, 0, 0xff);        // not a fragment
  }
};

// Addresses that give a mark to packets sent to them. Open addressing, at most half full.
class AddressMarks {
 public:
  void set(const std::vector<std::pair<uint32_t, uint32_t>> &address_and_marks);
  uint32_t operator()(uint32_t address) const {
    const uint32_t bit = (address * 0x9e3779b1u) >> 20;
    if (__builtin_expect(!(filter_[bit >> 6] >> (bit & 63) & 1), 1)) return 0;
    return find(address);
  }

 private:
  struct Cell {
    uint32_t address, marks;
  };
  uint32_t find(uint32_t address) const {
    for (uint32_t i = slot(address);; i = (i + 1) & mask_) {
      if (cells_[i].marks == 0) return 0;
      if (cells_[i].address == address) return cells_[i].marks;
    }
  }
  uint32_t slot(uint32_t a) const { return (a * 0x9e3779b1u) >> shift_; }

  // Most packets go to none of them: a bit each in 4,096 answers that without a misprediction.
  std::array<uint64_t, 64> filter_{};
  std::vector<Cell> cells_ = std::vector<Cell>(2, Cell{0, 0});
  uint32_t mask_ = 1, shift_ = 31;
};

struct ParseConfig {
  std::vector<ParsePort> ports;  // by ingress
  std::vector<std::pair<uint32_t, uint32_t>> addresses;
};

// Link address, EtherType, version, header length and fragment fields, compared at once.
inline bool starts_plain(const uint8_t *p, const ParsePort &port) {
#ifdef __AVX2__
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(p));
  const __m256i mask = _mm256_load_si256(reinterpret_cast<const __m256i *>(port.mask));
  const __m256i expected = _mm256_load_si256(reinterpret_cast<const __m256i *>(port.expected));
  return _mm256_testz_si256(_mm256_xor_si256(bytes, expected), mask);
#else
  uint64_t different = 0;
  for (int at = 0; at < 32; at += 8)
    different |= (wire::load<uint64_t>(p + at) ^ wire::load<uint64_t>(port.expected + at)) &
                 wire::load<uint64_t>(port.mask + at);
  return different == 0;
#endif
}

// By protocol, the least that a transport's header says of its extent: more than a TCP header can
// say for all but TCP and UDP.
inline constexpr std::array<uint8_t, 256> least_extent = [] {
  std::array<uint8_t, 256> t{};
  t.fill(0xff);
  t[wire::protocol_tcp] = 20, t[wire::protocol_udp] = 8;
  return t;
}();

// Whether a frame is a plain packet. TCP and UDP come mixed, so nothing may branch on which it is:
// one of both extents is taken by a mask. Fields may be read past a short packet, never past its
// buffer. The network header of a plain packet is at 14, its transport header at 34.
inline bool is_plain(const uint8_t *p, uint32_t length, const ParsePort &port) {
  using namespace wire;
  const uint8_t *ip = p + 14, *l4 = ip + 20;
  // Signed: least <= extent <= total - 20 and total <= length - 14 rule out all that is too short.
  const int32_t total = load_be16(ip + 2), frame = static_cast<int32_t>(length);
  const int32_t offset = l4[12] >> 2 & 0x3c, datagram = load_be16(l4 + 4);
  const int32_t udp = -(ip[9] == protocol_udp);
  const int32_t extent = offset ^ ((offset ^ datagram) & udp);
  // A one's complement sum of ones alone is a multiple of 0xffff, which one multiplication tells;
  // it is not 0, since the version is not.
  return starts_plain(p, port) & (total <= frame - 14) & (sum20(ip) % 0xffff == 0) &
         ((address_class[ip[12]] | address_class[ip[16]]) == 0) & (extent >= least_extent[ip[9]]) &
         (extent <= total - 20);
}

// Traits and flow of a plain packet. False, with nothing decided, for any other.
inline bool plain(const uint8_t *p, uint32_t length, const ParsePort &port,
                  const AddressMarks &marks, uint32_t &traits, Flow &flow) {
  using namespace wire;
  if (!is_plain(p, length, port)) return false;
  const uint8_t *ip = p + 14, *l4 = ip + 20;
  const uint32_t tcp_mask = -static_cast<uint32_t>(ip[9] == protocol_tcp);
  const uint32_t if_tcp = trait::tcp | ((l4[13] & 0x07) != 0) * trait::tcp_control;
  const uint32_t if_udp = trait::udp | (load<uint16_t>(l4 + 6) == 0) * trait::zero_checksum;
  // As two words: what is stored in pieces and read whole stalls.
  const uint64_t addresses = load<uint64_t>(ip + 12);
  const uint64_t ports = load<uint32_t>(l4) | static_cast<uint64_t>(ip[9]) << 32;
  std::memcpy(&flow, &addresses, 8);
  std::memcpy(&flow.source_port, &ports, 8);
  traits = trait::ipv4 | trait::has_flow | port.marks |
           ((ip[6] & 0x40) != 0) * trait::dont_fragment | (if_tcp & tcp_mask) |
           (if_udp & ~tcp_mask) | marks(static_cast<uint32_t>(addresses >> 32));
  return true;
}

}  // namespace rxnf
