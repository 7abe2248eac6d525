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

template <uint32_t Fixed>
int32_t LookupKernel::look(Batch &b) {
  Register &r = b.registers[config_.reg];
  const auto count = static_cast<uint32_t>(b.header->count);
  b.header->attended[config_.reg] = b.header->staged[config_.reg] = b.header->lost[config_.reg] = 0;
  uint16_t rows[max_rows];
  uint64_t hashes[max_rows];
  uint32_t entries[max_rows];
  uint32_t n = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (b.verdict[i] != verdict::pending || !config_.where(b.traits[i])) continue;
    if (config_.key == KeyOf::fragment) {
      const uint8_t *ip = arena_ + b.data[i] + b.l3[i];
      r.key[i] = {b.flow[i].source | static_cast<uint64_t>(wire::load<uint16_t>(ip + 4)) << 32 |
                      static_cast<uint64_t>(b.flow[i].protocol) << 48,
                  b.flow[i].destination};
    } else if (config_.key == KeyOf::session) {
      r.key[i] = session_key(b, i);
    } else if (config_.key != KeyOf::staged) {
      r.key[i] = key_of(config_.key, b.flow[i]);
    }
    const uint64_t h = table_.hash(r.key[i]);
    table_.prefetch(h);
    rows[n] = static_cast<uint16_t>(i);
    hashes[n++] = h;
  }
  for (uint32_t k = 0; k < n; k++) entries[k] = table_.candidate(hashes[k]);
  const uint32_t now = b.header->now_ms;
  uint32_t attended = 0;
  for (uint32_t k = 0; k < n; k++) {
    const uint32_t i = rows[k];
    Entry *e = entries[k] == no_entry ? nullptr : table_.at(entries[k]);
    if (!e || !(e->key == r.key[i])) e = table_.find(hashes[k], r.key[i]);
    uint8_t timer = 0;
    const uint64_t v =
        e ? table_.read<Fixed>(e, r.key[i], r.record + size_t{i} * r.stride, &timer) : 0;
    r.version[i] = v;
    bool attend = config_.attend_all;
    if (v) {
      r.state[i] = static_cast<uint8_t>(Lookup::hit);
      r.timer[i] = timer;
      if (config_.refresh(b.traits[i])) table_.touch(e, now);
      attend |= (timer & watched) || (b.traits[i] & config_.attend_any);
    } else {
      r.state[i] = static_cast<uint8_t>(Lookup::miss);
      r.timer[i] = 0;
      attend |= config_.attend_misses;
    }
    r.attended[attended] = static_cast<uint16_t>(i);
    attended += attend;
  }
  join(r, attended);
  b.header->attended[config_.reg] = static_cast<int32_t>(attended);
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
