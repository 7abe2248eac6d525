#include "kernels/route.h"

#include <algorithm>

#include "kernels/wire.h"

namespace rxnf {

using namespace wire;

// Prefixes are laid from the shortest to the longest, so a longer one overwrites what it covers.
PrefixTrie::PrefixTrie(const std::vector<RoutePrefix> &prefixes) {
  std::vector<uint16_t> order(prefixes.size());
  for (size_t i = 0; i < order.size(); i++) order[i] = static_cast<uint16_t>(i);
  std::stable_sort(order.begin(), order.end(), [&](uint16_t a, uint16_t b) {
    return prefixes[a].length < prefixes[b].length;
  });
  for (const uint16_t i : order) {
    const RoutePrefix &p = prefixes[i];
    const auto value = static_cast<uint16_t>(i + 1);
    const uint32_t high = p.address >> 16, middle = p.address >> 8 & 255, low = p.address & 255;
    if (p.length <= 16) {
      std::fill_n(root_.begin() + high, 1u << (16 - p.length), value);
    } else if (p.length <= 24) {
      const uint32_t block = descend(root_[high]);
      std::fill_n(blocks_.begin() + block * 256 + middle, 1u << (24 - p.length), value);
    } else {
      const uint32_t block = descend(root_[high]);
      uint16_t cell = blocks_[block * 256 + middle];
      const uint32_t leaf = descend(cell);
      blocks_[block * 256 + middle] = cell;
      std::fill_n(blocks_.begin() + leaf * 256 + low, 1u << (32 - p.length), value);
    }
  }
}

// The number of the block under a cell, made where there was none. A cell inside blocks_ must be
// passed as a copy: making a block moves them.
uint32_t PrefixTrie::descend(uint16_t &cell) {
  if (!(cell & child)) {
    const uint16_t inherited = cell;
    cell = static_cast<uint16_t>(child | blocks_.size() / 256);
    blocks_.insert(blocks_.end(), 256, inherited);
  }
  return cell & static_cast<uint16_t>(~child);
}

Key neighbour_key(uint32_t port, uint32_t address) {
  return {address | static_cast<uint64_t>(port) << 32, 0};
}

RouteKernel::RouteKernel(uint8_t *arena, Table &neighbours, const RouteConfig &config)
    : arena_(arena), neighbours_(neighbours), config_(config), trie_(config.prefixes) {}

int32_t RouteKernel::run(Batch &b) {
  const auto count = static_cast<uint32_t>(b.header->count);
  const uint32_t now = b.header->now_ms;
  int32_t exceptions = 0;
  uint32_t seen = 0;
  uint64_t last = ~uint64_t{0};  // port and next hop of `link`
  LinkAddresses link{};
  for (uint32_t i = 0; i < count; i++) {
    if (b.verdict[i] != verdict::pending || !config_.where(b.traits[i])) continue;
    const uint8_t *ip = arena_ + b.data[i] + b.l3[i];
    const uint32_t destination =
        b.edits[i] & edit::destination ? b.new_destination[i] : load<uint32_t>(ip + 16);
    const uint32_t match = trie_(swap32(destination));
    RouteException problem{};
    if (ip[8] <= 1) {
      problem = RouteException::ttl_exceeded;
    } else if (match == 0) {
      problem = RouteException::no_route;
    } else {
      const RoutePrefix &route = config_.prefixes[match - 1];
      const uint32_t hop = route.gateway ? route.gateway : destination;
      b.egress[i] = route.egress;
      b.traits[i] |= route.marks;
      const Key key = neighbour_key(route.egress, hop);
      if (key.low != last) {
        const uint64_t h = neighbours_.hash(key);
        Entry *e = neighbours_.find(h, key);
        uint8_t timer;
        alignas(8) uint8_t record[Table::max_record];
        if (e && neighbours_.read(e, key, record, &timer)) {
          std::memcpy(&link, record, sizeof link);
          last = key.low;
          neighbours_.touch(e, now);
        } else {
          problem = RouteException::unresolved;
          std::memcpy(b.link[i].destination, &hop, 4);
        }
      }
      // After the neighbour, so that a packet too big for an unresolved hop is answered at once.
      if (load_be16(ip + 2) > config_.ports[route.egress].mtu) {
        if (b.traits[i] & trait::dont_fragment)
          problem = RouteException::too_big;
        else
          b.traits[i] |= trait::oversize;
      }
      if (problem == RouteException{}) {
        b.link[i] = link;
        b.edits[i] |= edit::hop;
        seen |= b.traits[i];
        continue;
      }
    }
    b.exception_code[i] = static_cast<uint8_t>(problem);
    b.exception[exceptions++] = static_cast<uint16_t>(i);
  }
  b.header->seen |= seen;
  b.header->exceptions = exceptions;
  return exceptions;
}

}  // namespace rxnf
