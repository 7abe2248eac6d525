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
  // What the first pass keeps of a packet for the last.
  struct Found {
    Key key;
    uint64_t hash;
    uint32_t entry, traits;
    uint16_t row;
    bool outbound;
  };
  bool finish(Batch &batch, const Found &found);

  uint8_t *arena_;
  const ExpressConfig config_;
  std::array<ParsePort, 256> ports_;
  AddressMarks marks_;
  Ways ways_;
};

}  // namespace rxnf
