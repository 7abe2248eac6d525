#include "kernels/rewrite.h"

#include "kernels/edit.h"

namespace rxnf {
namespace {

using namespace wire;

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

// What most packets need: one end replaced, and a hop.
constexpr bool is_common(uint8_t bits, uint32_t traits) {
  return static_cast<uint8_t>(bits - (edit::source | edit::hop)) <= 1 &&
         (traits & (trait::ipv4 | trait::fragment_later)) == trait::ipv4 &&
         (traits & (trait::tcp | trait::udp)) != 0;
}
static_assert(is_common(edit::destination | edit::hop, trait::ipv4 | trait::udp));

// Every other edit, of whatever packet.
[[gnu::noinline]] void rewrite_any(const Batch &b, uint32_t i, uint8_t *p, uint8_t bits) {
  const uint32_t traits = b.traits[i];
  uint8_t *const ip = p + b.l3[i], *const l4 = p + b.l4[i];
  if (traits & trait::ipv4) {
    uint64_t header = 0;
    if (bits & (edit::source | edit::destination)) {
      const Edit e{bits, b.new_source[i], b.new_destination[i], b.new_source_port[i],
                   b.new_destination_port[i]};
      const uint64_t addresses = rewrite_addresses(ip, e, header);
      if (traits & (trait::tcp | trait::udp | trait::icmp_query)) {
        if (!(traits & trait::fragment_later))
          rewrite_transport(l4, transport_by_trait[traits >> 3 & 7], e, addresses);
      } else if (traits & trait::icmp_error) {
        const uint32_t total = load_be16(ip + 2);
        rewrite_quote(l4, total - static_cast<uint32_t>(l4 - ip), e);
      }
    }
    if (bits & edit::hop) header += decrement_ttl(ip);
    store(ip + 10, update(load<uint16_t>(ip + 10), header));
  } else if ((traits & trait::ipv6) && (bits & edit::hop)) {
    ip[7]--;
  }
}

}  // namespace

int32_t RewriteKernel::run(Batch &b) {
  // Columns as locals: a store into a packet might else be a store to any of them.
  uint8_t *const arena = arena_;
  const uint32_t *const data = b.data, *const traits = b.traits;
  const uint16_t *const l3 = b.l3, *const l4 = b.l4;
  const uint32_t *const address[2] = {b.new_source, b.new_destination};
  const uint16_t *const port[2] = {b.new_source_port, b.new_destination_port};
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
    uint8_t *const p = arena + data[i];
    if (is_common(bits, traits[i])) [[likely]] {
      const uint32_t end = bits >> 1 & 1, udp = (traits[i] & trait::udp) != 0;
      replace_end(p + l3[i], p + l4[i], end, udp, address[end][i], port[end][i]);
    } else {
      rewrite_any(b, i, p, bits);
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
