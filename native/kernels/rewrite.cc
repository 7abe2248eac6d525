#include "kernels/rewrite.h"

#include "kernels/wire.h"
#include "lane/traits.h"

namespace rxnf {
namespace {

using namespace wire;

struct Edit {
  uint8_t bits;
  uint32_t source, destination;
  uint16_t source_port, destination_port;
};

// Where a transport keeps what a translation touches; so that the hot loop has no branch on which it
// is. `pseudo` masks the addresses' part of the checksum, `optional` is set where zero means none.
struct Transport {
  uint8_t source_port, destination_port, checksum, optional;
  uint64_t pseudo;
};
constexpr Transport tcp_fields{0, 2, 16, 0, ~uint64_t{0}}, udp_fields{0, 2, 6, 1, ~uint64_t{0}},
    query_fields{4, 4, 2, 0, 0};
// By the trait bits of TCP, UDP and ICMP query, which are neighbours.
constexpr Transport by_trait[5] = {{}, tcp_fields, udp_fields, {}, query_fields};
static_assert(trait::tcp == 1 << 3 && trait::udp == 1 << 4 && trait::icmp_query == 1 << 5);

// Rewrites addresses; returns the delta of the pseudo-header and adds it to the header's.
inline uint64_t rewrite_addresses(uint8_t *ip, const Edit &e, uint64_t &header) {
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

inline void rewrite_transport(uint8_t *l4, const Transport &t, const Edit &e, uint64_t addresses) {
  uint64_t d = addresses & t.pseudo;
  if (e.bits & edit::source) {
    d += delta16(load<uint16_t>(l4 + t.source_port), e.source_port);
    store(l4 + t.source_port, e.source_port);
  }
  if (e.bits & edit::destination) {
    d += delta16(load<uint16_t>(l4 + t.destination_port), e.destination_port);
    store(l4 + t.destination_port, e.destination_port);
  }
  const uint16_t before = load<uint16_t>(l4 + t.checksum);
  const uint16_t after = update(before, d);
  // RFC 768: a sum that comes out as zero is sent as all ones, and zero means that there is none.
  const auto filled = static_cast<uint16_t>(after | -static_cast<uint16_t>(t.optional & (after == 0)));
  const auto kept = static_cast<uint16_t>(-static_cast<uint16_t>(!(t.optional & (before == 0))));
  store(l4 + t.checksum, static_cast<uint16_t>(filled & kept));
}

const Transport *transport_of(uint8_t protocol) {
  return protocol == protocol_tcp    ? &tcp_fields
         : protocol == protocol_udp  ? &udp_fields
         : protocol == protocol_icmp ? &query_fields
                                     : nullptr;
}

// The quoted packet went the other way: what was staged for this flow's source is its destination.
// The parse kernel checked that its header and eight bytes after it are there.
[[gnu::noinline]] void rewrite_quote(uint8_t *icmp, uint32_t left, const Edit &outer) {
  uint8_t *ip = icmp + 8;
  const uint16_t icmp_checksum = load<uint16_t>(icmp + 2);
  // The ICMP checksum covers the quote: sum what changes there before and after.
  const uint32_t header = (ip[0] & 15) * 4;
  const uint32_t covered = left - 8 < header + 20 ? left - 8 : header + 20;
  const uint64_t before = sum(ip, covered & ~1u);
  Edit e{0, outer.destination, outer.source, outer.destination_port, outer.source_port};
  if (outer.bits & edit::source) e.bits |= edit::destination;
  if (outer.bits & edit::destination) e.bits |= edit::source;
  uint64_t d = 0;
  const uint64_t addresses = rewrite_addresses(ip, e, d);
  store(ip + 10, update(load<uint16_t>(ip + 10), d));
  const Transport *t = transport_of(ip[9]);
  const bool later = (load<uint16_t>(ip + 6) & swap16(0x1fff)) != 0;
  if (t && !later) {
    const uint32_t there = left - 8 - header;
    if (there >= t->checksum + 2u) {
      rewrite_transport(ip + header, *t, e, addresses);
    } else {  // cut before its checksum: only the ports are there
      if (e.bits & edit::source) store(ip + header + t->source_port, e.source_port);
      if (e.bits & edit::destination) store(ip + header + t->destination_port, e.destination_port);
    }
  }
  const uint64_t after = sum(ip, covered & ~1u);
  store(icmp + 2, update(icmp_checksum, delta16(fold(before), fold(after))));
}

}  // namespace

int32_t RewriteKernel::run(Batch &b) {
  // Columns as locals: a store into a packet might else be a store to any of them.
  uint8_t *const arena = arena_;
  const uint32_t *const data = b.data, *const traits_of = b.traits;
  const uint16_t *const l3 = b.l3, *const l4 = b.l4;
  const uint32_t *const new_source = b.new_source, *const new_destination = b.new_destination;
  const uint16_t *const source_port = b.new_source_port,
                 *const destination_port = b.new_destination_port;
  const LinkAddresses *const links = b.link;
  const uint8_t *const egress = b.egress;
  uint8_t *const edits = b.edits;
  int32_t *const verdicts = b.verdict;
  const auto count = static_cast<uint32_t>(b.header->count);
  int32_t forwarded = 0;
  for (uint32_t i = 0; i < count; i++) {
    const uint8_t bits = edits[i];
    if (bits == 0 || verdicts[i] != verdict::pending) continue;
    edits[i] = 0;
    const uint32_t traits = traits_of[i];
    uint8_t *p = arena + data[i];
    if (traits & trait::ipv4) {
      uint8_t *ip = p + l3[i];
      uint64_t header = 0;
      if (bits & (edit::source | edit::destination)) {
        const Edit e{bits, new_source[i], new_destination[i], source_port[i], destination_port[i]};
        const uint64_t addresses = rewrite_addresses(ip, e, header);
        if (traits & (trait::tcp | trait::udp | trait::icmp_query)) {
          if (!(traits & trait::fragment_later))
            rewrite_transport(p + l4[i], by_trait[traits >> 3 & 7], e, addresses);
        } else if (traits & trait::icmp_error) {
          const uint32_t total = load_be16(ip + 2);
          rewrite_quote(p + l4[i], total - (l4[i] - l3[i]), e);
        }
      }
      if (bits & edit::hop) {
        const uint16_t was = load<uint16_t>(ip + 8);  // TTL and protocol
        header += delta16(was, static_cast<uint16_t>(was - 1));
        ip[8]--;
      }
      store(ip + 10, update(load<uint16_t>(ip + 10), header));
    } else if ((traits & trait::ipv6) && (bits & edit::hop)) {
      p[l3[i] + 7]--;
    }
    if (bits & edit::hop) {
      std::memcpy(p, &links[i], 12);
      verdicts[i] = verdict::forward(egress[i]);
      forwarded++;
    }
  }
  return forwarded;
}

}  // namespace rxnf
