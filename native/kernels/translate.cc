#include "kernels/translate.h"

#include "kernels/wire.h"

namespace rxnf {

int32_t TranslateKernel::run(Batch &b) {
  const Register &r = b.registers[config_.reg];
  const auto count = static_cast<uint32_t>(b.header->count);
  const bool source = config_.side == edit::source;
  uint32_t *addresses = source ? b.new_source : b.new_destination;
  uint16_t *ports = source ? b.new_source_port : b.new_destination_port;
  int32_t staged = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (b.verdict[i] != verdict::pending || r.state[i] != static_cast<uint8_t>(Lookup::hit) ||
        !config_.where(b.traits[i]))
      continue;
    const uint8_t *record = r.record + size_t{i} * r.stride;
    addresses[i] = wire::load<uint32_t>(record + config_.address_offset);
    ports[i] = wire::load<uint16_t>(record + config_.port_offset);
    b.edits[i] |= config_.side;
    staged++;
  }
  return staged;
}

}  // namespace rxnf
