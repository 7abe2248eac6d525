#include "kernels/lookup.h"

namespace rxnf {
template <uint32_t Fixed>
int32_t LookupKernel::look(Batch &b) {
  // Columns and configuration as locals: a store to a column of bytes might else change them.
  Register &r = b.registers[config_.reg];
  const LookupConfig config = config_;
  const Table &table = table_;
  const auto count = static_cast<uint32_t>(b.header->count);
  const uint32_t now = b.header->now_ms, *const traits = b.traits, stride = r.stride;
  const int32_t *const verdicts = b.verdict;
  const Flow *const flows = b.flow;
  Key *const keys = r.key;
  uint8_t *const states = r.state, *const timers = r.timer, *const records = r.record;
  uint64_t *const versions = r.version;
  uint16_t *const attended_rows = r.attended;
  b.header->attended[config.reg] = b.header->staged[config.reg] = b.header->lost[config.reg] = 0;
  uint16_t rows[max_rows];
  uint64_t hashes[max_rows];
  uint32_t entries[max_rows];
  uint32_t n = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (verdicts[i] != verdict::pending || !config.where(traits[i])) continue;
    if (config.key == KeyOf::source_endpoint)
      keys[i] = {endpoint(flows[i].source, flows[i].source_port, flows[i].protocol), 0};
    else if (config.key != KeyOf::staged)
      keys[i] = keys_(b, i);
    const uint64_t h = table.hash(keys[i]);
    table.prefetch(h);
    rows[n] = static_cast<uint16_t>(i);
    hashes[n++] = h;
  }
  for (uint32_t k = 0; k < n; k++) entries[k] = table.candidate(hashes[k]);
  uint32_t attended = 0, hits = 0;
  for (uint32_t k = 0; k < n; k++) {
    const uint32_t i = rows[k];
    Entry *e = entries[k] == no_entry ? nullptr : table.at(entries[k]);
    if (!e || !(e->key == keys[i])) [[unlikely]]
      e = table.find(hashes[k], keys[i]);
    uint8_t timer = 0;
    const uint64_t v = e ? table.read<Fixed>(e, keys[i], records + size_t{i} * stride, &timer) : 0;
    versions[i] = v;
    timers[i] = timer;
    bool attend = config.attend_all;
    if (v) [[likely]] {
      states[i] = static_cast<uint8_t>(Lookup::hit);
      hits++;
      if (config.refresh(traits[i])) table.touch(e, now);
      attend |= ((timer & watched) | (traits[i] & config.attend_any)) != 0;
    } else {
      states[i] = static_cast<uint8_t>(Lookup::miss);
      attend |= config.attend_misses;
    }
    attended_rows[attended] = static_cast<uint16_t>(i);
    attended += attend;
  }
  join(r, attended);
  const uint32_t bit = 1u << config.reg;
  b.header->touched |= bit;
  b.header->hit = hits == count ? b.header->hit | bit : b.header->hit & ~bit;
  b.header->attended[config.reg] = static_cast<int32_t>(attended);
  return static_cast<int32_t>(attended);
}

int32_t LookupKernel::run(Batch &b) {
  switch (table_.config().record_size) {
    case 8:
      return look<8>(b);
    case 16:
      return look<16>(b);
    case 32:
      return look<32>(b);
    default:
      return look<0>(b);
  }
}

}  // namespace rxnf
