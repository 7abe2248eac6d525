// The first half of the way of the packets that nearly all packets are, in one go: parse, route,
// look up. It fills the columns that the kernels it stands for would have filled (parse.h, route.h,
// lookup.h), so an author's function that comes next sees no difference; what it cannot finish it
// leaves pending, for them.
//
// Finished here: plain packets (plain.h), without staged edits, that exactly one of the lookups is
// for and whose record is there; those that are to be routed with TTL to spare, to a known
// neighbour, and no longer than its link allows. While other packets of the batch are left, the
// finished ones are set aside (verdict::ahead), so that operators pass them by, until RejoinKernel
// brings them back.
//
// Where nothing is left the rows are not joined under leaders yet: the header says so, and whoever
// stages the batch's first write runs JoinKernel. ExpressLookupKernel returns the number of packets
// left pending, the others 0.
#pragma once
#include <optional>

#include "kernels/kernel.h"
#include "kernels/keys.h"
#include "kernels/plain.h"
#include "kernels/route.h"
#include "store/table.h"

namespace rxnf {

// As LookupConfig has it; every hit is attended.
struct ExpressLookup {
  Table *table;
  uint32_t reg;
  KeyOf key;  // of those that a flow alone decides
  Where where, refresh;
};

struct ExpressLookupConfig {
  ParseConfig parse;
  Table *neighbours = nullptr;  // null: nothing is routed
  RouteConfig route;
  std::vector<ExpressLookup> lookups;
};

class ExpressLookupKernel : public Kernel {
 public:
  ExpressLookupKernel(uint8_t *arena, const ExpressLookupConfig &config);
  int32_t run(Batch &batch) override;

 private:
  // A batch goes through in parts, as in express.h.
  static constexpr uint32_t part = 64;

  // What the first pass keeps of a packet for the last.
  struct Found {
    Key key;
    uint64_t hash;
    const ExpressLookup *lookup;
    uint16_t row;
    uint8_t edits;
  };
  uint32_t choose(const Batch &batch, uint32_t from, uint32_t to, Found *found);
  const Way *way_of(const uint8_t *ip, uint32_t now, Way &unshared);
  const ExpressLookup *lookup_for(uint32_t traits) const;
  template <uint32_t Fixed>
  static uint32_t finish(Batch &batch, const Found *found, uint32_t n);
  void set_aside(Batch &batch) const;

  uint8_t *arena_;
  const std::vector<ExpressLookup> lookups_;
  std::array<ParsePort, 256> ports_;
  AddressMarks marks_;
  const Where routed_;
  std::optional<Ways> ways_;
};

class RejoinKernel : public Kernel {
 public:
  explicit RejoinKernel(std::vector<uint32_t> registers) : registers_(std::move(registers)) {}
  int32_t run(Batch &batch) override;

 private:
  const std::vector<uint32_t> registers_;
};

class JoinKernel : public Kernel {
 public:
  int32_t run(Batch &batch) override;
};

}  // namespace rxnf
