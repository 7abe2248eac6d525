// The packet that nearly every packet is: untagged, to our MAC, IPv4 without options, not a fragment,
// TCP or UDP, and sound. One function finds out, for the kernels that have a fast way for it.
#pragma once
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
  uint64_t mac_word = 0, mac_mask = 1;  // the same as one word, made by `prepare`

  void prepare() {
    // Where any destination will do, a multicast one still goes the long way.
    mac_word = 0;
    if (!accept_any) std::memcpy(&mac_word, mac, 6);
    mac_mask = accept_any ? 1 : 0xffffffffffff;
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

// False, with nothing decided, for everything but a plain packet. TCP and UDP come mixed, so nothing
// branches on which it is: both checks are made and one is taken. They may read past a short packet,
// never past its buffer. The frame's network header is at 14, its transport header at 34.
inline bool plain(const uint8_t *p, uint32_t length, const ParsePort &port,
                  const AddressMarks &marks, uint32_t &traits, Flow &flow) {
  using namespace wire;
  const uint8_t *ip = p + 14, *l4 = ip + 20;
  const uint64_t words = uint64_t{load<uint32_t>(ip)} + load<uint32_t>(ip + 4) +
                         load<uint32_t>(ip + 8) + load<uint32_t>(ip + 12) + load<uint32_t>(ip + 16);
  const uint32_t total = load_be16(ip + 2);
  const uint16_t fragment = load<uint16_t>(ip + 6);
  const uint32_t size = total - 20, offset = (l4[12] >> 4) * 4u, datagram = load_be16(l4 + 4);
  const bool tcp = ip[9] == protocol_tcp, udp = ip[9] == protocol_udp;
  const bool sound_tcp = tcp & (offset >= 20) & (offset <= size);
  const bool sound_udp = udp & (datagram >= 8) & (datagram <= size);
  const uint64_t link = (load<uint64_t>(p) ^ port.mac_word) & port.mac_mask;
  const bool sound = (length >= 14 + 28) & ((load<uint32_t>(p + 12) & 0xffffff) == 0x450008) &
                     (link == 0) & ((fragment & swap16(0x3fff)) == 0) & (total >= 28) &
                     (total <= length - 14) & (fold(words) == 0xffff) &
                     ((address_class[ip[12]] | address_class[ip[16]]) == 0) &
                     (sound_tcp | sound_udp);
  if (!sound) return false;
  const uint32_t tcp_mask = -static_cast<uint32_t>(tcp);
  const uint32_t if_tcp = trait::tcp | ((l4[13] & 0x07) != 0) * trait::tcp_control;
  const uint32_t if_udp = trait::udp | (load<uint16_t>(l4 + 6) == 0) * trait::zero_checksum;
  // As two words: what is stored in pieces and read whole stalls.
  const uint64_t addresses = load<uint64_t>(ip + 12);
  const uint64_t ports = load<uint32_t>(l4) | static_cast<uint64_t>(ip[9]) << 32;
  std::memcpy(&flow, &addresses, 8);
  std::memcpy(&flow.source_port, &ports, 8);
  traits = trait::ipv4 | trait::has_flow | port.marks | (fragment != 0) * trait::dont_fragment |
           (if_tcp & tcp_mask) | (if_udp & ~tcp_mask) |
           marks(static_cast<uint32_t>(addresses >> 32));
  return true;
}

}  // namespace rxnf
