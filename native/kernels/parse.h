// Finds the headers of every pending packet, checks that they may be trusted, and fills the
// traits, l3, l4 and flow columns. A packet that fails is dropped with the reason; one whose
// protocol is not known is only described as such. Returns the number of rows dropped.
//
// Checked: Ethernet and VLAN length (IEEE 802.3, 802.1Q); frame addressed to us; IPv4 version,
// header length, total length, header checksum, source address (RFC 791, RFC 1812 5.2.2, 5.3.7);
// IPv6 version, payload length, extension chain (RFC 8200); TCP data offset (RFC 9293), UDP length
// (RFC 768); the packet quoted in an ICMP error (RFC 792, RFC 5508 REQ-3).
#pragma once
#include "kernels/kernel.h"
#include "kernels/plain.h"
#include "lane/reasons.h"

namespace rxnf {

class Parse : public Kernel {
 public:
  Parse(uint8_t *arena, const ParseConfig &config);
  int32_t run(Batch &batch) override;

 private:
  Reason parse(const uint8_t *p, uint32_t length, uint32_t ingress, uint32_t &traits, uint16_t &l3,
               uint16_t &l4, Flow &flow) const;
  Reason ipv4(const uint8_t *ip, uint32_t left, uint32_t &traits, uint16_t &l4, Flow &flow) const;

  uint8_t *arena_;
  std::array<ParsePort, 256> ports_;
  AddressMarks marks_;
};

}  // namespace rxnf
