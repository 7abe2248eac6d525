// Endpoint edits in place, with checksums updated incrementally (RFC 1624): shared by the kernels
// that rewrite packets.
#pragma once
#include "kernels/wire.h"
#include "lane/batch.h"
#include "lane/traits.h"

namespace rxnf {

struct Edit {
  uint8_t bits;  // edit::source, edit::destination
  uint32_t source, destination;
  uint16_t source_port, destination_port;
};

// Where a transport keeps what a translation touches; so that a hot loop has no branch on which it
// is. `pseudo` masks the addresses' part of the checksum, `optional` is set where zero means none.
struct Transport {
  uint8_t source_port, destination_port, checksum, optional;
  uint64_t pseudo;
};
inline constexpr Transport tcp_fields{0, 2, 16, 0, ~uint64_t{0}},
    udp_fields{0, 2, 6, 1, ~uint64_t{0}}, query_fields{4, 4, 2, 0, 0};
// By the trait bits of TCP, UDP and ICMP query, which are neighbours.
inline constexpr Transport transport_by_trait[5] = {{}, tcp_fields, udp_fields, {}, query_fields};
static_assert(trait::tcp == 1 << 3 && trait::udp == 1 << 4 && trait::icmp_query == 1 << 5);

// Rewrites addresses; returns the delta of the pseudo-header and adds it to the header's.
inline uint64_t rewrite_addresses(uint8_t *ip, const Edit &e, uint64_t &header) {
  using namespace wire;
  uint64_t d = 0;
  if (e.bits & edit::source) {
    d += delta32(load<uint32_t>(ip + 12), e.source);
    store(ip + 12, e.source);
  }
  if (e.bits & edit::destination) {
    d += delta32(load<uint32_t>(ip + 16), e.destination);
    store(ip + 16, e.destination);
  }
  header += d;
  return d;
}

// Applies a delta to a transport's checksum. `optional`: 1 where zero means that there is none.
inline void update_transport(uint8_t *checksum, uint32_t optional, uint64_t delta) {
  using namespace wire;
  const uint16_t before = load<uint16_t>(checksum);
  const uint32_t after = update(before, delta);
  // RFC 768: a sum that comes out as zero is sent as all ones.
  const uint32_t filled = after | -(optional & (after == 0));
  const uint32_t kept = (optional & (before == 0)) - 1;
  store(checksum, static_cast<uint16_t>(filled & kept));
}

inline void rewrite_transport(uint8_t *l4, const Transport &t, const Edit &e, uint64_t addresses) {
  using namespace wire;
  uint64_t d = addresses & t.pseudo;
  if (e.bits & edit::source) {
    d += delta16(load<uint16_t>(l4 + t.source_port), e.source_port);
    store(l4 + t.source_port, e.source_port);
  }
  if (e.bits & edit::destination) {
    d += delta16(load<uint16_t>(l4 + t.destination_port), e.destination_port);
    store(l4 + t.destination_port, e.destination_port);
  }
  update_transport(l4 + t.checksum, t.optional, d);
}

// One less TTL (RFC 1812 5.3.1), which was not 0; returns what it adds to the header's delta: the
// word of TTL and protocol is less by one as it lies here, whatever it was.
inline uint64_t decrement_ttl(uint8_t *ip) {
  ip[8]--;
  return wire::delta16(1, 0);
}

// Replaces one end of a TCP or UDP packet over IPv4, the source's or the destination's (1), and
// takes one off its TTL. Nothing branches on either, since both come mixed.
inline void replace_end(uint8_t *ip, uint8_t *l4, uint32_t destination, uint32_t udp,
                        uint32_t address, uint16_t port) {
  using namespace wire;
  uint8_t *const address_at = ip + 12 + 4 * destination, *const port_at = l4 + 2 * destination;
  const uint64_t addresses = delta32(load<uint32_t>(address_at), address);
  const uint64_t ports = delta16(load<uint16_t>(port_at), port);
  const uint64_t life = decrement_ttl(ip);
  store(ip + 10, update(load<uint16_t>(ip + 10), addresses + life));
  store(address_at, address);
  store(port_at, port);
  update_transport(l4 + tcp_fields.checksum - (tcp_fields.checksum - udp_fields.checksum) * udp,
                   udp, addresses + ports);
}

}  // namespace rxnf
