// Applies the staged edits of every pending packet, with checksums updated incrementally (RFC 1624)
// and never recomputed, so that a packet damaged on its way stays damaged. A packet with a next hop
// loses one from its TTL (RFC 1812 5.3.1), gets its link addresses and the verdict forward(egress).
//
// Endpoints are rewritten in whatever carries them: TCP and UDP ports, ICMP query identifiers, and
// for an ICMP error both the outer address and the quoted packet (RFC 5508 4.2). A UDP checksum of
// zero means none and stays (RFC 768). A later fragment has only addresses.
// Returns the number of packets forwarded.
#pragma once
#include "kernels/kernel.h"

namespace rxnf {

class RewriteKernel : public Kernel {
 public:
  explicit RewriteKernel(uint8_t *arena) : arena_(arena) {}
  int32_t run(Batch &batch) override;

 private:
  uint8_t *arena_;
};

}  // namespace rxnf
