// Looks up one key per packet and leaves the records in a register.
//
// Three passes, so that a burst's cache misses overlap: keys and bucket prefetch; tags and entry
// prefetch; compare and copy. Returns the number of attended rows: those that the author's
// function must see (misses, watched records, TCP control, or all of them, as configured). Attended
// rows with equal keys are joined: each names the first of them as its leader, and they share the
// leader's record, so that packets of one flow in one batch see each other's state.
#pragma once
#include "kernels/kernel.h"
#include "kernels/keys.h"
#include "lane/traits.h"
#include "store/table.h"

namespace rxnf {

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
      : keys_(arena, config.key), table_(table), config_(config) {}
  int32_t run(Batch &batch) override;

 private:
  template <uint32_t Fixed>
  int32_t look(Batch &batch);

  const Keys keys_;
  Table &table_;
  const LookupConfig config_;
};

}  // namespace rxnf
