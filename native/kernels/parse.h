// Finds the headers of every pending packet, checks that they may be trusted, and fills the
// traits, l3, l4 and flow columns. A packet that fails is dropped with the reason; one whose
// protocol is not known is only described as such. Returns the number of rows dropped.
//
// Checked: Ethernet and VLAN length (IEEE 802.3, 802.1Q); frame addressed to us; IPv4 version,
// header length, total length, header checksum, source address (RFC 791, RFC 1812 5.2.2, 5.3.7);
// IPv6 version, payload length, extension chain (RFC 8200); TCP data offset (RFC 9293), UDP length
// (RFC 768); the packet quoted in an ICMP error (RFC 792, RFC 5508 REQ-3).
#pragma once
#include <array>
#include <vector>

#include "kernels/kernel.h"
#include "lane/reasons.h"
#include "lane/traits.h"

namespace rxnf {

struct ParsePort {
  uint8_t mac[6] = {};
  bool accept_any = false;  // do not compare the destination MAC
  uint32_t marks = 0;       // traits given to every packet received here
  uint64_t mac_word = 0, mac_mask = 1;  // the same as one word, set by Parse
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

class Parse : public Kernel {
 public:
  Parse(uint8_t *arena, const ParseConfig &config);
  int32_t run(Batch &batch) override;

 private:
  bool plain(const uint8_t *p, uint32_t length, const ParsePort &port, uint32_t &traits,
             Flow &flow) const;
  Reason parse(const uint8_t *p, uint32_t length, uint32_t ingress, uint32_t &traits, uint16_t &l3,
               uint16_t &l4, Flow &flow) const;
  Reason ipv4(const uint8_t *ip, uint32_t left, uint32_t &traits, uint16_t &l4, Flow &flow) const;

  uint8_t *arena_;
  std::array<ParsePort, 256> ports_;
  AddressMarks marks_;
};

}  // namespace rxnf
