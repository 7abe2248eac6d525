// Gives the pending packets of a mask one verdict; returns how many there were.
#pragma once
#include "kernels/kernel.h"
#include "lane/traits.h"

namespace rxnf {

class VerdictKernel : public Kernel {
 public:
  VerdictKernel(const Where &where, int32_t given) : where_(where), given_(given) {}
  int32_t run(Batch &batch) override;

 private:
  const Where where_;
  const int32_t given_;
};

}  // namespace rxnf
