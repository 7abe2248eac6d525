// Looks up one key per packet and leaves the records in a register.
//
// Three passes, so that a burst's cache misses overlap: keys and bucket prefetch; tags and entry
// prefetch; compare and copy. Returns the number of attended rows: those that the author's
// function must see (misses, watched records, TCP control, or all of them, as configured). Attended
// rows with equal keys are joined: each names the first of them as its leader, and they share the
// leader's record, so that packets of one flow in one batch see each other's state.
#pragma once
#include "kernels/kernel.h"
#include "lane/traits.h"
#include "store/table.h"

namespace rxnf {

enum class KeyOf : uint8_t {
  source_endpoint,       // protocol, source address, source port
  destination_endpoint,  // protocol, destination address, destination port
  five_tuple,            // as the packet goes
  flow,                  // the five-tuple with its ends in a fixed order: both directions agree
  session,               // both endpoints, the inside one first, as translations staged them
  fragment,              // source, destination, protocol, IPv4 identification (RFC 791)
  staged                 // the register's key column, filled by an earlier operator
};

Key key_of(KeyOf kind, const Flow &f);

struct LookupConfig {
  uint32_t reg;
  KeyOf key;
  Where where;          // rows looked up
  Where refresh;        // hits that prolong the record's life
  uint32_t attend_any;  // a hit with any of these traits is attended
  bool attend_all, attend_misses;
};

class LookupKernel : public Kernel {
 public:
  LookupKernel(uint8_t *arena, Table &table, const LookupConfig &config)
      : arena_(arena), table_(table), config_(config) {}
  int32_t run(Batch &batch) override;

  // Joins attended rows with equal keys under their first. Public for the store adapters.
  static void join(Register &r, uint32_t attended);

 private:
  Key key(const Batch &batch, uint32_t row) const;
  template <uint32_t Fixed>
  int32_t look(Batch &batch);

  uint8_t *arena_;
  Table &table_;
  const LookupConfig config_;
};

}  // namespace rxnf
