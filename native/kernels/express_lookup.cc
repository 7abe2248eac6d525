#include "kernels/express_lookup.h"

#include <algorithm>
#include <bitset>

namespace rxnf {

using namespace wire;

ExpressLookupKernel::ExpressLookupKernel(uint8_t *arena, const ExpressLookupConfig &config)
    : arena_(arena), lookups_(config.lookups), routed_(config.route.where) {
  for (size_t i = 0; i < config.parse.ports.size() && i < ports_.size(); i++) {
    ports_[i] = config.parse.ports[i];
    ports_[i].prepare();
  }
  marks_.set(config.parse.addresses);
  if (config.neighbours) ways_.emplace(*config.neighbours, config.route);
}

// The lookup that a packet's traits ask for; null where there is none, or more than one.
inline const ExpressLookup *ExpressLookupKernel::lookup_for(uint32_t traits) const {
  const ExpressLookup *found = nullptr;
  for (const ExpressLookup &lookup : lookups_) {
    if (!lookup.where(traits)) continue;
    if (found) return nullptr;
    found = &lookup;
  }
  return found;
}

// The way of a packet that can go on without a look; null for another.
inline const Way *ExpressLookupKernel::way_of(const uint8_t *ip, uint32_t now, Way &unshared) {
  const uint32_t destination = load<uint32_t>(ip + 16);
  Way &way = ways_->find(destination);
  if ((ip[8] <= 1) | (load_be16(ip + 2) > way.mtu)) [[unlikely]]
    return nullptr;
  if (way.resolved) [[likely]]
    return &way;
  if (ways_->none(way)) return nullptr;
  unshared = way;
  return ways_->resolve(way, destination, now, unshared.link) ? &unshared : nullptr;
}

// The packets that may be finished, as far as their headers tell, with their records' buckets on
// the way to the cache; returns how many. Columns of a packet that is left are filled anew by
// whoever takes it.
inline uint32_t ExpressLookupKernel::choose(const Batch &b, uint32_t from, uint32_t to,
                                            Found *found) {
  // Columns as locals: a store to one of bytes might else be a store to any pointer.
  uint8_t *const arena = arena_, *const egress = b.egress;
  const uint32_t *const data = b.data, *const length = b.length;
  uint32_t *const traits_of = b.traits;
  const int32_t *const verdicts = b.verdict;
  const uint8_t *const ingress = b.ingress, *const staged = b.edits;
  uint16_t *const l3 = b.l3, *const l4 = b.l4;
  Flow *const flows = b.flow;
  LinkAddresses *const links = b.link;
  const Where routed = routed_;
  const bool routes = ways_.has_value();
  const uint32_t now = b.header->now_ms;
  constexpr uint32_t ahead = 6;
  uint32_t n = 0;
  for (uint32_t i = from; i < from + ahead && i < to; i++) __builtin_prefetch(arena + data[i]);
  for (uint32_t i = from; i < to; i++) {
    if (i + ahead < to) __builtin_prefetch(arena + data[i + ahead]);
    if ((verdicts[i] != verdict::pending) | (staged[i] != 0) |
        ((traits_of[i] & trait::originated) != 0)) [[unlikely]]
      continue;
    const uint8_t *const p = arena + data[i];
    uint32_t traits;
    Flow flow;
    if (!plain(p, length[i], ports_[ingress[i]], marks_, traits, flow)) [[unlikely]]
      continue;
    uint8_t edits = 0;
    if (routes && routed(traits)) {
      Way unshared;
      const Way *const way = way_of(p + 14, now, unshared);
      if (!way) [[unlikely]]
        continue;
      links[i] = way->link;
      egress[i] = way->egress;
      traits |= way->marks;
      edits = edit::hop;
    }
    const ExpressLookup *const lookup = lookup_for(traits);
    if (!lookup) [[unlikely]]
      continue;
    const Key key = key_of(lookup->key, flow);
    const uint64_t hash = lookup->table->hash(key);
    lookup->table->prefetch(hash);
    traits_of[i] = traits;
    flows[i] = flow;
    l3[i] = 14;
    l4[i] = 34;
    found[n++] = {key, hash, lookup, static_cast<uint16_t>(i), edits};
  }
  return n;
}

// Reads the records of packets with one lookup into its register; returns how many were there.
template <uint32_t Fixed>
uint32_t ExpressLookupKernel::finish(Batch &b, const Found *found, uint32_t n) {
  const ExpressLookup lookup = *found->lookup;
  const Table &table = *lookup.table;
  const Register r = b.registers[lookup.reg];
  const uint32_t now = b.header->now_ms, *const traits = b.traits;
  uint8_t *const edits = b.edits;
  uint16_t *attended = r.attended + b.header->attended[lookup.reg];
  uint16_t *const first = attended;
  uint32_t entries[part];
  for (uint32_t k = 0; k < n; k++) entries[k] = table.candidate(found[k].hash);
  for (uint32_t k = 0; k < n; k++) {
    const Found &f = found[k];
    const uint32_t i = f.row;
    Entry *e = entries[k] == no_entry ? nullptr : table.at(entries[k]);
    if (!e || !(e->key == f.key)) [[unlikely]]
      e = table.find(f.hash, f.key);
    uint8_t timer = 0;
    const uint64_t version =
        e ? table.read<Fixed>(e, f.key, r.record + size_t{i} * r.stride, &timer) : 0;
    if (version == 0) [[unlikely]]
      continue;
    if (lookup.refresh(traits[i])) table.touch(e, now);
    r.key[i] = f.key;
    r.version[i] = version;
    r.timer[i] = timer;
    r.state[i] = static_cast<uint8_t>(Lookup::hit);
    edits[i] = f.edits;
    *attended++ = f.row;
  }
  const auto finished = static_cast<uint32_t>(attended - first);
  b.header->attended[lookup.reg] += static_cast<int32_t>(finished);
  return finished;
}

int32_t ExpressLookupKernel::run(Batch &b) {
  BatchHeader &h = *b.header;
  const auto count = static_cast<uint32_t>(h.count);
  uint32_t finished = 0;
  for (const ExpressLookup &lookup : lookups_) {
    h.attended[lookup.reg] = h.staged[lookup.reg] = h.lost[lookup.reg] = 0;
    h.hit &= ~(1u << lookup.reg);
  }
  if (ways_) ways_->enter_batch();
  for (uint32_t from = 0; from < count; from += part) {
    Found found[part];
    const uint32_t n = choose(b, from, std::min(from + part, count), found);
    for (uint32_t k = 0, end; k < n; k = end) {
      for (end = k + 1; end < n && found[end].lookup == found[k].lookup;) end++;
      finished += found[k].lookup->table->config().record_size == 16
                      ? finish<16>(b, found + k, end - k)
                      : finish<0>(b, found + k, end - k);
    }
  }
  uint32_t pending = 0, seen = 0, used = 0;
  for (uint32_t i = 0; i < count; i++) pending += b.verdict[i] == verdict::pending;
  for (uint32_t i = 0; i < count; i++) seen |= b.traits[i];
  for (const ExpressLookup &lookup : lookups_)
    if (h.attended[lookup.reg]) used |= 1u << lookup.reg;
  h.touched |= used;
  if (pending == finished) {
    h.seen |= seen;
    h.unjoined |= used;
    if (finished == count && (used & (used - 1)) == 0) h.hit |= used;
    return 0;
  }
  set_aside(b);
  return static_cast<int32_t>(pending - finished);
}

// The packets that are finished; what an operator finds then is what is left.
void ExpressLookupKernel::set_aside(Batch &b) const {
  for (const ExpressLookup &lookup : lookups_) {
    const Register &r = b.registers[lookup.reg];
    for (int32_t k = 0; k < b.header->attended[lookup.reg]; k++)
      b.verdict[r.attended[k]] = verdict::ahead(lookup.reg);
  }
}

int32_t RejoinKernel::run(Batch &b) {
  const auto count = static_cast<uint32_t>(b.header->count);
  for (const uint32_t reg : registers_) {
    Register &r = b.registers[reg];
    // A lookup of the long way has made the list anew, or it is as it was.
    std::bitset<max_rows> listed;
    for (int32_t k = 0; k < b.header->attended[reg]; k++) listed.set(r.attended[k]);
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
      if (b.verdict[i] == verdict::ahead(reg)) {
        b.verdict[i] = verdict::pending;
        b.header->seen |= b.traits[i];
        listed.set(i);
      }
      if (listed[i]) r.attended[n++] = static_cast<uint16_t>(i);
    }
    join(r, n);
    b.header->attended[reg] = static_cast<int32_t>(n);
  }
  return 0;
}

int32_t JoinKernel::run(Batch &b) {
  for (uint32_t bits = b.header->unjoined; bits; bits &= bits - 1) {
    const auto reg = static_cast<uint32_t>(__builtin_ctz(bits));
    join(b.registers[reg], static_cast<uint32_t>(b.header->attended[reg]));
  }
  b.header->unjoined = 0;
  return 0;
}

}  // namespace rxnf
