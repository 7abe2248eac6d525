#include "kernels/lookup.h"

#include "kernels/wire.h"

namespace rxnf {
namespace {

uint64_t endpoint(uint32_t address, uint16_t port, uint8_t protocol) {
  return address | static_cast<uint64_t>(port) << 32 | static_cast<uint64_t>(protocol) << 48;
}

// A packet whose destination was translated comes from outside; otherwise it goes there.
Key session_key(const Batch &b, uint32_t i) {
  const Flow &f = b.flow[i];
  const bool translated = b.edits[i] & edit::source;
  const uint64_t source = translated && (b.edits[i] & edit::destination)
                              ? endpoint(b.new_source[i], b.new_source_port[i], f.protocol)
                              : endpoint(f.source, f.source_port, f.protocol);
  if (b.edits[i] & edit::destination)
    return {endpoint(b.new_destination[i], b.new_destination_port[i], f.protocol), source};
  return {source, endpoint(f.destination, f.destination_port, f.protocol)};
}

}  // namespace

Key key_of(KeyOf kind, const Flow &f) {
  const uint64_t source = endpoint(f.source, f.source_port, f.protocol);
  const uint64_t destination = endpoint(f.destination, f.destination_port, f.protocol);
  switch (kind) {
    case KeyOf::source_endpoint:
      return {source, 0};
    case KeyOf::destination_endpoint:
      return {destination, 0};
    case KeyOf::five_tuple:
      return {source, destination};
    default:
      return source < destination ? Key{source, destination} : Key{destination, source};
  }
}

void LookupKernel::join(Register &r, uint32_t attended) {
  if (attended == 0) return;
  r.leader[r.attended[0]] = r.attended[0];
  if (attended == 1) return;
  uint16_t slots[2 * max_rows];  // at most half full
  uint32_t size = 16;
  while (size < attended * 2) size *= 2;
  std::memset(slots, 0xff, size * sizeof *slots);
  for (uint32_t n = 0; n < attended; n++) {
    const uint16_t row = r.attended[n];
    const Key &k = r.key[row];
    uint32_t i = static_cast<uint32_t>(((k.low ^ k.high * 31) * 0x9e3779b97f4a7c15) >> 40);
    for (;; i++) {
      uint16_t &s = slots[i & (size - 1)];
      if (s == 0xffff) {
        s = r.leader[row] = row;
        break;
      }
      if (r.key[s] == k) {
        r.leader[row] = s;
        break;
      }
    }
  }
}

Key LookupKernel::key(const Batch &b, uint32_t i) const {
  if (config_.key == KeyOf::session) return session_key(b, i);
  if (config_.key != KeyOf::fragment) return key_of(config_.key, b.flow[i]);
  const uint8_t *ip = arena_ + b.data[i] + b.l3[i];
  return {b.flow[i].source | static_cast<uint64_t>(wire::load<uint16_t>(ip + 4)) << 32 |
              static_cast<uint64_t>(b.flow[i].protocol) << 48,
          b.flow[i].destination};
}

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
      keys[i] = key(b, i);
    const uint64_t h = table.hash(keys[i]);
    table.prefetch(h);
    rows[n] = static_cast<uint16_t>(i);
    hashes[n++] = h;
  }
  for (uint32_t k = 0; k < n; k++) entries[k] = table.candidate(hashes[k]);
  uint32_t attended = 0;
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
