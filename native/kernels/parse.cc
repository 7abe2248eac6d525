#include "kernels/parse.h"

#include "kernels/wire.h"

namespace rxnf {
namespace {

using namespace wire;

constexpr uint32_t transport(uint8_t protocol) {
  return protocol == protocol_tcp ? trait::tcp : protocol == protocol_udp ? trait::udp : 0;
}

// Transport headers. `later` packets have none to read.
Reason transport_header(const uint8_t *l4, uint32_t left, uint8_t protocol, bool first_fragment,
                        uint32_t &traits, Flow &flow) {
  if (protocol == protocol_tcp) {
    if (left < 20) return Reason::truncated;
    const uint32_t offset = (l4[12] >> 4) * 4;
    if (offset < 20 || offset > left) return Reason::bad_tcp_offset;
    if (l4[13] & 0x07) traits |= trait::tcp_control;
  } else {
    if (left < 8) return Reason::truncated;
    const uint32_t length = load_be16(l4 + 4);
    if (length < 8 || (length > left && !first_fragment)) return Reason::bad_udp_length;
    if (load<uint16_t>(l4 + 6) == 0) traits |= trait::zero_checksum;
  }
  flow.source_port = load<uint16_t>(l4);
  flow.destination_port = load<uint16_t>(l4 + 2);
  traits |= transport(protocol) | trait::has_flow;
  return Reason::none;
}

// The flow of the packet quoted in an ICMP error, reversed: what a reply to it would carry.
Reason quoted_flow(const uint8_t *ip, uint32_t left, uint32_t &traits, Flow &flow) {
  if (left < 28 || (ip[0] >> 4) != 4) return Reason::bad_icmp_quote;
  const uint32_t header = (ip[0] & 15) * 4;
  if (header < 20 || left < header + 8) return Reason::bad_icmp_quote;
  if (fold(sum(ip, header)) != 0xffff) return Reason::bad_icmp_quote;
  flow.source = load<uint32_t>(ip + 16);
  flow.destination = load<uint32_t>(ip + 12);
  flow.protocol = ip[9];
  if (load<uint16_t>(ip + 6) & swap16(0x1fff)) return Reason::none;  // a later fragment: no ports
  const uint8_t *l4 = ip + header;
  if (ip[9] == protocol_tcp || ip[9] == protocol_udp) {
    flow.source_port = load<uint16_t>(l4 + 2);
    flow.destination_port = load<uint16_t>(l4);
    traits |= trait::has_flow;
  } else if (ip[9] == protocol_icmp && (l4[0] == 8 || l4[0] == 0)) {
    flow.source_port = flow.destination_port = load<uint16_t>(l4 + 4);
    traits |= trait::has_flow;
  }
  return Reason::none;
}

Reason icmp(const uint8_t *l4, uint32_t left, bool fragment, uint32_t &traits, Flow &flow) {
  if (left < 8) return Reason::truncated;
  switch (l4[0]) {
    case 8:
      traits |= trait::echo_request;
      [[fallthrough]];
    case 0:
      flow.source_port = flow.destination_port = load<uint16_t>(l4 + 4);
      traits |= trait::icmp_query | trait::has_flow;
      return Reason::none;
    case 3:
    case 4:
    case 5:
    case 11:
    case 12:
      if (fragment) return Reason::bad_icmp_quote;
      if (fold(sum(l4, left)) != 0xffff) return Reason::bad_checksum;
      traits |= trait::icmp_error;
      return quoted_flow(l4 + 8, left - 8, traits, flow);
    default:
      traits |= trait::icmp_other;
      return Reason::none;
  }
}

// Walks the extension headers (RFC 8200 section 4). At most 8 of them are followed: more is abuse.
Reason ipv6(const uint8_t *ip, uint32_t left, uint32_t &traits, uint16_t &l4, Flow &flow) {
  traits |= trait::ipv6;
  if (left < 40) return Reason::truncated;
  if ((ip[0] >> 4) != 6) return Reason::bad_version;
  const uint32_t payload = load_be16(ip + 4);
  if (payload + 40 > left) return Reason::bad_total_length;
  left = payload + 40;
  if (ip[8] == 0xff) return Reason::martian_source;
  uint8_t next = ip[6];
  uint32_t at = 40;
  bool fragment = false, first = true;
  for (int headers = 0; headers < 8; headers++) {
    uint32_t size;
    if (next == 0 || next == 43 || next == 60 || next == 135) {
      if (at + 8 > left) return Reason::bad_extension_header;
      size = ip[at + 1] * 8 + 8;
    } else if (next == 51) {
      if (at + 8 > left) return Reason::bad_extension_header;
      size = ip[at + 1] * 4 + 8;
    } else if (next == 44) {
      if (at + 8 > left) return Reason::bad_extension_header;
      size = 8;
      const uint16_t field = load_be16(ip + at + 2);
      fragment = (field & 0xfff9) != 0;
      first = (field & 0xfff8) == 0;
    } else {
      break;
    }
    traits |= trait::options;
    next = ip[at];
    at += size;
    if (at > left) return Reason::bad_extension_header;
    if (!first) break;
  }
  l4 = static_cast<uint16_t>(at);
  flow.protocol = next;
  if (fragment) traits |= trait::fragment | (first ? trait::fragment_first : trait::fragment_later);
  if (!first) return Reason::none;
  uint32_t ignored = 0;  // IPv6 addresses do not fit the flow column: no has_flow
  switch (next) {
    case protocol_tcp:
    case protocol_udp: {
      const Reason r = transport_header(ip + at, left - at, next, fragment, ignored, flow);
      traits |= transport(next) | (ignored & trait::tcp_control);
      return r;
    }
    case protocol_icmpv6:
      if (left - at < 8) return Reason::truncated;
      traits |= ip[at] < 128                     ? trait::icmp_error
                : ip[at] == 128 || ip[at] == 129 ? trait::icmp_query
                                                 : trait::icmp_other;
      return Reason::none;
    default:
      traits |= trait::other_protocol;
      return Reason::none;
  }
}

}  // namespace

void AddressMarks::set(const std::vector<std::pair<uint32_t, uint32_t>> &list) {
  uint32_t bits = 1;
  while ((1u << bits) < list.size() * 2 + 2) bits++;
  shift_ = 32 - bits;
  mask_ = (1u << bits) - 1;
  cells_.assign(mask_ + 1, Cell{0, 0});
  for (const auto &[address, marks] : list) {
    if (marks == 0) continue;
    const uint32_t bit = (address * 0x9e3779b1u) >> 20;
    filter_[bit >> 6] |= uint64_t{1} << (bit & 63);
    uint32_t i = slot(address);
    while (cells_[i].marks != 0 && cells_[i].address != address) i = (i + 1) & mask_;
    cells_[i] = Cell{address, cells_[i].marks | marks};
  }
}

Parse::Parse(uint8_t *arena, const ParseConfig &config) : arena_(arena) {
  for (size_t i = 0; i < config.ports.size() && i < ports_.size(); i++) {
    ports_[i] = config.ports[i];
    ports_[i].prepare();
  }
  marks_.set(config.addresses);
}

Reason Parse::ipv4(const uint8_t *ip, uint32_t left, uint32_t &traits, uint16_t &l4,
                   Flow &flow) const {
  traits |= trait::ipv4;
  if (left < 20) return Reason::truncated;
  if ((ip[0] >> 4) != 4) return Reason::bad_version;
  const uint32_t header = (ip[0] & 15) * 4;
  if (header < 20) return Reason::bad_header_length;
  const uint32_t total = load_be16(ip + 2);
  if (total < header) return Reason::bad_total_length;
  if (total > left) return Reason::truncated;
  if (fold(sum(ip, header)) != 0xffff) return Reason::bad_checksum;
  if (address_class[ip[12]] & 1) {
    // 0.0.0.0 is the source of a host that has no address yet (RFC 1122 3.2.1.3), never routed.
    return Reason::martian_source;
  }
  if (header > 20) traits |= trait::options;
  if (address_class[ip[16]] & 2) traits |= trait::net_multicast;
  flow.source = load<uint32_t>(ip + 12);
  flow.destination = load<uint32_t>(ip + 16);
  flow.protocol = ip[9];
  traits |= marks_(flow.destination);
  l4 = static_cast<uint16_t>(l4 + header);
  const uint16_t fragment = load<uint16_t>(ip + 6);
  if (fragment & swap16(0x4000)) traits |= trait::dont_fragment;
  const bool later = (fragment & swap16(0x1fff)) != 0;
  const bool first = !later && (fragment & swap16(0x2000)) != 0;
  if (later) {
    traits |= trait::fragment | trait::fragment_later;
    traits |= ip[9] == protocol_icmp ? trait::icmp_query
              : transport(ip[9])     ? transport(ip[9])
                                     : trait::other_protocol;
    return Reason::none;
  }
  if (first) traits |= trait::fragment | trait::fragment_first;
  const uint8_t *payload = ip + header;
  const uint32_t size = total - header;
  switch (ip[9]) {
    case protocol_tcp:
    case protocol_udp:
      return transport_header(payload, size, ip[9], first, traits, flow);
    case protocol_icmp:
      return icmp(payload, size, first, traits, flow);
    default:
      traits |= trait::other_protocol;
      return Reason::none;
  }
}

Reason Parse::parse(const uint8_t *p, uint32_t length, uint32_t ingress, uint32_t &traits,
                    uint16_t &l3, uint16_t &l4, Flow &flow) const {
  if (length < 14) return Reason::truncated;
  const ParsePort &port = ports_[ingress];
  traits |= port.marks;
  if (p[0] & 1)
    traits |= trait::link_multicast;
  else if (!port.accept_any && (load<uint32_t>(p) != load<uint32_t>(port.mac) ||
                                load<uint16_t>(p + 4) != load<uint16_t>(port.mac + 4)))
    return Reason::not_for_us;
  uint32_t at = 14;
  uint16_t type = load<uint16_t>(p + 12);
  for (int tags = 0; tags < 2 && (type == ethertype_vlan || type == ethertype_qinq); tags++) {
    if (length < at + 4) return Reason::truncated;
    type = load<uint16_t>(p + at + 2);
    at += 4;
    traits |= trait::tagged;
  }
  l3 = l4 = static_cast<uint16_t>(at);
  if (type == ethertype_ipv4) return ipv4(p + at, length - at, traits, l4, flow);
  if (type == ethertype_ipv6) {
    uint16_t relative = 0;
    const Reason r = ipv6(p + at, length - at, traits, relative, flow);
    l4 = static_cast<uint16_t>(at + relative);
    return r;
  }
  if (type == ethertype_arp) {
    traits |= trait::arp;
    return length < at + 28 ? Reason::truncated : Reason::none;
  }
  traits |= trait::non_ip;
  return Reason::none;
}

int32_t Parse::run(Batch &b) {
  // Columns as locals: a store to one of bytes might else be a store to any pointer.
  uint8_t *const arena = arena_;
  const uint32_t *const data = b.data, *const length = b.length;
  uint32_t *const traits_of = b.traits;
  int32_t *const verdicts = b.verdict;
  uint16_t *const l3_of = b.l3, *const l4_of = b.l4;
  const uint8_t *const ingress = b.ingress;
  Flow *const flows = b.flow;
  const auto count = static_cast<uint32_t>(b.header->count);
  constexpr uint32_t ahead = 6;
  for (uint32_t i = 0; i < ahead && i < count; i++) __builtin_prefetch(arena + data[i]);
  int32_t dropped = 0;
  uint32_t seen = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (i + ahead < count) __builtin_prefetch(arena + data[i + ahead]);
    if (verdicts[i] != verdict::pending || (traits_of[i] & trait::originated)) continue;
    uint32_t traits = 0;
    uint16_t l3 = 14, l4 = 34;
    const uint8_t *p = arena + data[i];
    Reason r = Reason::none;
    if (!plain(p, length[i], ports_[ingress[i]], marks_, traits, flows[i])) {
      traits = 0;
      flows[i] = {};
      r = parse(p, length[i], ingress[i], traits, l3, l4, flows[i]);
    }
    traits_of[i] = traits;
    seen |= traits;
    l3_of[i] = l3;
    l4_of[i] = l4;
    if (__builtin_expect(r != Reason::none, 0)) {
      verdicts[i] = verdict::drop(static_cast<uint32_t>(r));
      dropped++;
    }
  }
  b.header->seen |= seen;
  return dropped;
}

}  // namespace rxnf
