// Performs the writes staged in a register: creates, compare-and-swaps and removals, then gives
// every attended row what its leader's write came to.
//
// A row that won holds its own record as read. A row that lost holds the winner's (or a miss, when
// the record has gone), stands in the lost list, and its staged edits are discarded: its author's
// function runs again. Where the table is full the row and those it leads are dropped. Returns the
// number of rows that lost.
#pragma once
#include "kernels/kernel.h"
#include "store/table.h"

namespace rxnf {

// Versions of one writer, each used once (table.h).
class Writer {
 public:
  explicit Writer(uint32_t id) : next_(static_cast<uint64_t>(id & max_writer) << 40 | 2) {}
  uint64_t version() {
    const uint64_t v = next_;
    next_ += 2;
    return v;
  }
  uint32_t number() const { return static_cast<uint32_t>(next_ >> 40); }
  // Numbers of the writer's calls to a server, from 1.
  uint64_t call() { return ++calls_; }

 private:
  uint64_t next_, calls_ = 0;
};

class WriteKernel : public Kernel {
 public:
  WriteKernel(Table &table, uint32_t reg, Writer &writer)
      : table_(table), reg_(reg), writer_(writer) {}
  int32_t run(Batch &batch) override;

 private:
  bool write(Batch &batch, Register &r, uint32_t row);

  Table &table_;
  const uint32_t reg_;
  Writer &writer_;
};

}  // namespace rxnf
