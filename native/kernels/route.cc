#include "kernels/route.h"

#include <algorithm>

#include "kernels/wire.h"

namespace rxnf {

using namespace wire;

// Prefixes are laid from the shortest to the longest, so a longer one overwrites what it covers.
PrefixTrie::PrefixTrie(const std::vector<RoutePrefix> &prefixes) {
  std::vector<uint16_t> order(prefixes.size());
  for (size_t i = 0; i < order.size(); i++) order[i] = static_cast<uint16_t>(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint16_t a, uint16_t b) { return prefixes[a].length < prefixes[b].length; });
  for (const uint16_t i : order) {
    const RoutePrefix &p = prefixes[i];
    const auto value = static_cast<uint16_t>(i + 1);
    if (p.length <= 20) {
      std::fill_n(root_.begin() + (p.address >> 12), 1u << (20 - p.length), value);
      continue;
    }
    uint16_t &cell = root_[p.address >> 12];
    if (!(cell & child)) {
      const uint16_t inherited = cell;
      cell = static_cast<uint16_t>(child | blocks_.size() / 4096);
      blocks_.insert(blocks_.end(), 4096, inherited);
    }
    const uint32_t block = cell & static_cast<uint16_t>(~child);
    std::fill_n(blocks_.begin() + block * 4096 + (p.address & 4095), 1u << (32 - p.length), value);
  }
}

Key neighbour_key(uint32_t port, uint32_t address) {
  return {address | static_cast<uint64_t>(port) << 32, 0};
}

Ways::Ways(Table &neighbours, const RouteConfig &config)
    : neighbours_(neighbours), trie_(config.prefixes) {
  ways_.push_back({});
  for (const auto &p : config.prefixes)
    ways_.push_back({{}, p.gateway, p.marks, config.ports[p.egress].mtu, p.egress, false});
}

bool Ways::resolve(Way &way, uint32_t destination, uint32_t now, LinkAddresses &link) {
  const Key key = neighbour_key(way.egress, way.gateway ? way.gateway : destination);
  const uint64_t h = neighbours_.hash(key);
  Entry *e = neighbours_.find(h, key);
  uint8_t timer;
  alignas(8) uint8_t record[Table::max_record];
  if (!e || !neighbours_.read(e, key, record, &timer)) return false;
  std::memcpy(&link, record, sizeof link);
  neighbours_.touch(e, now);
  if (way.gateway) way.link = link, way.resolved = true;
  return true;
}

// Everything but a packet through a gateway whose link addresses are known, with TTL to spare and
// short enough. True when the packet cannot go on.
bool RouteKernel::exceptional(Batch &b, uint32_t i, uint32_t destination, Way &way, uint8_t ttl) {
  RouteException problem{};
  const uint8_t *ip = arena_ + b.data[i] + b.l3[i];
  b.egress[i] = way.egress;
  b.traits[i] |= way.marks;
  if (ttl <= 1) {
    problem = RouteException::ttl_exceeded;
  } else if (ways_.none(way)) {
    problem = RouteException::no_route;
  } else {
    LinkAddresses link{};
    if (ways_.resolve(way, destination, b.header->now_ms, link)) {
      b.link[i] = link;
    } else {
      const uint32_t hop = way.gateway ? way.gateway : destination;
      problem = RouteException::unresolved;
      std::memcpy(b.link[i].destination, &hop, 4);
    }
    // After the neighbour, so that a packet too big for an unresolved hop is answered at once.
    if (load_be16(ip + 2) > way.mtu) {
      if (b.traits[i] & trait::dont_fragment)
        problem = RouteException::too_big;
      else
        b.traits[i] |= trait::oversize;
    }
  }
  b.exception_code[i] = static_cast<uint8_t>(problem);
  return problem != RouteException{};
}

int32_t RouteKernel::run(Batch &b) {
  uint8_t *const arena = arena_, *const edits = b.edits, *const egress = b.egress;
  const uint32_t *const data = b.data, *const new_destination = b.new_destination;
  uint32_t *const traits = b.traits;
  const uint16_t *const l3 = b.l3;
  const int32_t *const verdicts = b.verdict;
  LinkAddresses *const links = b.link;
  const Where where = where_;
  const auto count = static_cast<uint32_t>(b.header->count);
  ways_.enter_batch();
  int32_t exceptions = 0;
  uint32_t seen = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (verdicts[i] != verdict::pending || !where(traits[i])) continue;
    const uint8_t *ip = arena + data[i] + l3[i];
    const uint32_t destination =
        edits[i] & edit::destination ? new_destination[i] : load<uint32_t>(ip + 16);
    Way &way = ways_.find(destination);
    const uint8_t ttl = ip[8];
    if (__builtin_expect(way.resolved & (ttl > 1) & (load_be16(ip + 2) <= way.mtu), 1)) {
      egress[i] = way.egress;
      links[i] = way.link;
      traits[i] |= way.marks;
    } else if (exceptional(b, i, destination, way, ttl)) {
      b.exception[exceptions++] = static_cast<uint16_t>(i);
      continue;
    }
    edits[i] |= edit::hop;
    seen |= traits[i];
  }
  b.header->seen |= seen;
  b.header->exceptions = exceptions;
  return exceptions;
}

}  // namespace rxnf
