// A kernel is one pass over a batch, configured once and run once per batch. It owns no packet.
// `run` returns a number whose meaning each kernel states (most often: rows that need a look).
#pragma once
#include "lane/batch.h"

namespace rxnf {

class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual int32_t run(Batch &batch) = 0;
};

}  // namespace rxnf
