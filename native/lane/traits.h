// What a kernel or an operator may ask of a packet, one bit each. `where` masks are built from
// these.
#pragma once
#include <cstdint>

namespace rxnf {

#define RXNF_TRAITS(X)                                                                       \
  X(ipv4, 0)                                                                                 \
  X(ipv6, 1)                                                                                 \
  X(arp, 2)                                                                                  \
  X(tcp, 3)                                                                                  \
  X(udp, 4)                                                                                  \
  X(icmp_query, 5) /* echo request or reply, IPv4 or IPv6 */                                 \
  X(icmp_error, 6) /* carries the head of the packet it is about */                          \
  X(icmp_other, 7)                                                                           \
  X(other_protocol, 8) /* IP, but none of the above */                                       \
  X(non_ip, 9)                                                                               \
  X(fragment_first, 10)                                                                      \
  X(fragment_later, 11)                                                                      \
  X(has_flow, 12)    /* the flow column is complete: endpoints of both sides are known */    \
  X(tcp_control, 13) /* SYN, FIN or RST */                                                   \
  X(dont_fragment, 14)                                                                       \
  X(tagged, 15) /* 802.1Q or QinQ */                                                         \
  X(link_multicast, 16)                                                                      \
  X(net_multicast, 17) /* IPv4 destination 224.0.0.0 and above, or 0.0.0.0/8, 127.0.0.0/8 */ \
  X(echo_request, 18)                                                                        \
  X(originated, 19)    /* made here, not received */                                         \
  X(options, 20)       /* IPv4 options or IPv6 extension headers */                          \
  X(zero_checksum, 21) /* UDP over IPv4 sent without a checksum */                           \
  X(fragment, 22)      /* first or later */                                                  \
  X(oversize, 23)      /* routed, and to be fragmented before it is sent */

namespace trait {
#define X(id, bit) inline constexpr uint32_t id = 1u << bit;
RXNF_TRAITS(X)
#undef X
// Bits 24 to 31 are the pipeline's own marks: of the ingress port, of local addresses, of routes.
inline constexpr uint32_t first_mark_bit = 24;
}  // namespace trait

// A row takes part when it has every bit of `all` and none of `none`.
struct Where {
  uint32_t all = 0;
  uint32_t none = 0;
  bool operator()(uint32_t traits) const { return (traits & all) == all && (traits & none) == 0; }
};

}  // namespace rxnf
