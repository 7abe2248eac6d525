// Stages an endpoint (address and port) for every hit of a register, from two fields of its record:
// the declarative form of what most translations do. Edits staged here are applied by the rewrite
// kernel. Returns the number of rows staged.
#pragma once
#include "kernels/kernel.h"
#include "lane/traits.h"

namespace rxnf {

struct TranslateConfig {
  uint32_t reg;
  uint8_t side;  // edit::source or edit::destination
  Where where;
  uint32_t address_offset, port_offset;  // in the record; u32 and u16 in network byte order
  int32_t otherwise = 0;                 // verdict of rows without a record; 0: they are left alone
};

class TranslateKernel : public Kernel {
 public:
  explicit TranslateKernel(const TranslateConfig &config) : config_(config) {}
  int32_t run(Batch &batch) override;

 private:
  const TranslateConfig config_;
};

}  // namespace rxnf
