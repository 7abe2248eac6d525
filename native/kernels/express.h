// The way of the packets that need no decision, in one go: parse, look the endpoint up, translate,
// route, rewrite, forward. What it does to a packet is what the kernels that it stands for do one
// after the other (parse.h, lookup.h, translate.h, route.h, rewrite.h); what it cannot finish it
// leaves pending and untouched, for them.
//
// Finished here: plain packets (plain.h) without TCP control flags that go from a marked side to
// another (or to a marked address), whose record is there and not watched, with TTL to spare, to a
// known neighbour, and no longer than its link allows. Columns are written for the verdict alone,
// since no later operator looks at a packet that has one. Returns the number of packets left
// pending.
#pragma once
#include "kernels/kernel.h"
#include "kernels/plain.h"
#include "kernels/route.h"
#include "store/table.h"

namespace rxnf {

// One direction: which packets, whose record, and which end of the packet it replaces.
struct ExpressLane {
  Table *table;
  uint32_t address_offset, port_offset;  // in the record: u32 and u16, in network byte order
  bool refresh;                          // hits prolong the record's life
};

struct ExpressConfig {
  ParseConfig parse;
  RouteConfig route;
  uint32_t inside;    // mark of the ingress ports whose packets get a new source
  uint32_t external;  // mark of the addresses whose packets get a new destination
  uint32_t outside;   // mark of the routes that inside packets must take
  ExpressLane source, destination;
};

class ExpressKernel : public Kernel {
 public:
  ExpressKernel(uint8_t *arena, Table &neighbours, const ExpressConfig &config);
  int32_t run(Batch &batch) override;

 private:
  // A batch goes through in parts, so that what a part touches stays in the first cache; long
  // enough for a bucket and an entry to arrive from memory meanwhile.
  static constexpr uint32_t part = 64;

  // What the first pass keeps of a packet for the last.
  struct Found {
    uint64_t key, hash;
    uint8_t *frame;
    uint32_t row;
  };
  // Rows of one port; returns how many it left pending.
  template <bool outbound>
  uint32_t carry(Batch &batch, uint32_t from, uint32_t to);
  template <bool outbound>
  uint32_t choose(const Batch &batch, uint32_t from, uint32_t to, const Table &table, Found *found,
                  uint32_t &left) const;
  template <bool outbound>
  bool finish(const Found &found, uint32_t entry, const ExpressLane &lane, uint32_t now,
              int32_t &verdict);

  uint8_t *arena_;
  const ExpressConfig config_;
  std::array<ParsePort, 256> ports_;
  AddressMarks marks_;
  Ways ways_;
};

}  // namespace rxnf
