// Finds the next hop of every packet (RFC 1812 5.2.4): longest prefix match on the destination (the
// staged one, where a translation staged it), then the neighbour's link addresses.
//
// Stages edit::hop, egress and link, and gives the packet its route's marks. Rows that cannot go on
// stand in the exception list with a code, still unedited, so that an ICMP error can quote them as
// they came. Returns the number of exceptions.
#pragma once
#include <vector>

#include "kernels/kernel.h"
#include "lane/traits.h"
#include "store/table.h"

namespace rxnf {

enum class RouteException : uint8_t {
  ttl_exceeded = 1,
  too_big = 2,
  unresolved = 3,  // the next hop's link address is not known: link.destination[0..3] holds its IP
  no_route = 4
};

struct RoutePrefix {
  uint32_t address;  // host byte order
  uint8_t length;
  uint8_t egress;
  uint32_t gateway;  // as on the wire; 0: the destination is on the link
  uint32_t marks;
};

struct RoutePort {
  uint32_t mtu;  // bytes of IP packet
};

// The value half of the neighbour table: starts with what goes in front of a frame.
struct NeighbourRecord {
  LinkAddresses link;
};

// Longest prefix match: one step for prefixes of up to 20 bits, two for longer ones (the 20 and 12
// bit steps keep the first level at 2 MiB, of which a network touches little). 0: none.
class PrefixTrie {
 public:
  explicit PrefixTrie(const std::vector<RoutePrefix> &prefixes);
  uint32_t operator()(uint32_t host_address) const {
    const uint16_t v = root_[host_address >> 12];
    if (__builtin_expect(v & child, 0))
      return blocks_[(v & ~child) * 4096u + (host_address & 4095)];
    return v;
  }

 private:
  static constexpr uint16_t child = 0x8000;
  std::vector<uint16_t> root_ = std::vector<uint16_t>(1 << 20);
  std::vector<uint16_t> blocks_;
};

struct RouteConfig {
  Where where;
  std::vector<RoutePrefix> prefixes;
  std::vector<RoutePort> ports;  // by port number
};

Key neighbour_key(uint32_t port, uint32_t address);

// A route as a loop over packets wants it. One through a gateway keeps the gateway's link addresses
// for one batch, so that the loop does not depend on which gateway a packet takes.
struct Way {
  LinkAddresses link;
  uint32_t gateway, marks, mtu;
  uint8_t egress;
  bool resolved;
};

class Ways {
 public:
  Ways(Table &neighbours, const RouteConfig &config);

  // Neighbours are looked up anew in every batch.
  void enter_batch() {
    for (auto &way : ways_) way.resolved = false;
  }
  Way &find(uint32_t destination) { return ways_[trie_(__builtin_bswap32(destination))]; }
  bool none(const Way &way) const { return &way == ways_.data(); }
  // Link addresses towards a destination on this way; false when its next hop is not known.
  bool resolve(Way &way, uint32_t destination, uint32_t now, LinkAddresses &link);

 private:
  Table &neighbours_;
  std::vector<Way> ways_;  // by what the trie says; the first is none
  PrefixTrie trie_;
};

class RouteKernel : public Kernel {
 public:
  RouteKernel(uint8_t *arena, Table &neighbours, const RouteConfig &config)
      : arena_(arena), where_(config.where), ways_(neighbours, config) {}
  int32_t run(Batch &batch) override;

 private:
  bool exceptional(Batch &batch, uint32_t row, uint32_t destination, Way &way, uint8_t ttl);

  uint8_t *arena_;
  const Where where_;
  Ways ways_;
};

}  // namespace rxnf
