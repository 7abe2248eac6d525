#include "kernels/translate.h"

#include "kernels/wire.h"

namespace rxnf {

int32_t TranslateKernel::run(Batch &b) {
  const Register &r = b.registers[config_.reg];
  const auto count = static_cast<uint32_t>(b.header->count);
  const TranslateConfig config = config_;
  int32_t *const verdicts = b.verdict;
  const uint32_t *const traits = b.traits;
  const uint8_t *const states = r.state, *const records = r.record;
  const uint32_t stride = r.stride;
  uint8_t *const edits = b.edits;
  const bool source = config_.side == edit::source;
  uint32_t *addresses = source ? b.new_source : b.new_destination;
  uint16_t *ports = source ? b.new_source_port : b.new_destination_port;
  int32_t staged = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (verdicts[i] != verdict::pending || !config.where(traits[i])) continue;
    if (states[i] != static_cast<uint8_t>(Lookup::hit)) [[unlikely]] {
      verdicts[i] = config.otherwise;
      continue;
    }
    const uint8_t *record = records + size_t{i} * stride;
    addresses[i] = wire::load<uint32_t>(record + config.address_offset);
    ports[i] = wire::load<uint16_t>(record + config.port_offset);
    edits[i] |= config.side;
    staged++;
  }
  return staged;
}

}  // namespace rxnf
