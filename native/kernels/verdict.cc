#include "kernels/verdict.h"

namespace rxnf {

int32_t VerdictKernel::run(Batch &b) {
  // As locals, and without a branch: the compiler makes vector instructions of it.
  const Where where = where_;
  const int32_t given = given_;
  const uint32_t *const traits = b.traits;
  int32_t *const verdicts = b.verdict;
  const auto count = static_cast<uint32_t>(b.header->count);
  int32_t n = 0;
  for (uint32_t i = 0; i < count; i++) {
    const bool is_meant = (verdicts[i] == verdict::pending) &
                          ((traits[i] & where.all) == where.all) & ((traits[i] & where.none) == 0);
    verdicts[i] = is_meant ? given : verdicts[i];
    n += is_meant;
  }
  return n;
}

}  // namespace rxnf
