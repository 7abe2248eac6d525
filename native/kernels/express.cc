#include "kernels/express.h"

#include "kernels/edit.h"

namespace rxnf {

using namespace wire;

ExpressKernel::ExpressKernel(uint8_t *arena, Table &neighbours, const ExpressConfig &config)
    : arena_(arena), config_(config), ways_(neighbours, config.route) {
  for (size_t i = 0; i < config.parse.ports.size() && i < ports_.size(); i++) {
    ports_[i] = config.parse.ports[i];
    ports_[i].prepare();
  }
  marks_.set(config.parse.addresses);
}

// Reads the record, routes and rewrites. False, with the packet untouched, when it needs more.
inline bool ExpressKernel::finish(Batch &b, const Found &f) {
  const ExpressLane &lane = f.outbound ? config_.source : config_.destination;
  Table &table = *lane.table;
  Entry *e = f.entry == no_entry ? nullptr : table.at(f.entry);
  if (!e || !(e->key == f.key)) [[unlikely]] {
    e = table.find(f.hash, f.key);
    if (!e) return false;
  }
  const uint64_t version = e->version.load(std::memory_order_acquire);
  const uint32_t address = load<uint32_t>(e->record() + lane.address_offset);
  const uint16_t port = load<uint16_t>(e->record() + lane.port_offset);
  const uint8_t timer = e->timer;
  const bool same = e->key == f.key;
  std::atomic_thread_fence(std::memory_order_acquire);
  const bool stood = e->version.load(std::memory_order_relaxed) == version;
  if (version == 0 || (version & 1) || !same || !stood || (timer & watched)) [[unlikely]]
    return false;

  uint8_t *p = arena_ + b.data[f.row], *ip = p + 14;
  const uint32_t now = b.header->now_ms;
  const uint32_t destination = f.outbound ? load<uint32_t>(ip + 16) : address;
  Way &way = ways_.find(destination);
  LinkAddresses link = way.link;
  if (!way.resolved && (ways_.none(way) || !ways_.resolve(way, destination, now, link)))
    return false;
  if (ip[8] <= 1 || load_be16(ip + 2) > way.mtu || (f.outbound && !(way.marks & config_.outside)))
      [[unlikely]]
    return false;

  if (lane.refresh) table.touch(e, now);
  const Edit edits{f.outbound ? edit::source : edit::destination, address, address, port, port};
  uint64_t header = decrement_ttl(ip);
  const uint64_t addresses = rewrite_addresses(ip, edits, header);
  rewrite_transport(ip + 20, transport_by_trait[f.traits >> 3 & 3], edits, addresses);
  store(ip + 10, update(load<uint16_t>(ip + 10), header));
  std::memcpy(p, &link, 12);
  b.verdict[f.row] = verdict::forward(way.egress);
  return true;
}

int32_t ExpressKernel::run(Batch &b) {
  uint8_t *const arena = arena_;
  const uint32_t *const data = b.data, *const length = b.length;
  const int32_t *const verdicts = b.verdict;
  const uint8_t *const ingress = b.ingress;
  const auto count = static_cast<uint32_t>(b.header->count);
  const uint32_t inside = config_.inside, external = config_.external;
  Found found[max_rows];
  uint32_t n = 0, left = 0;
  ways_.enter_batch();
  constexpr uint32_t ahead = 6;
  for (uint32_t i = 0; i < ahead && i < count; i++) __builtin_prefetch(arena + data[i]);
  for (uint32_t i = 0; i < count; i++) {
    if (i + ahead < count) __builtin_prefetch(arena + data[i + ahead]);
    if (verdicts[i] != verdict::pending) continue;
    uint32_t traits;
    Flow flow;
    // Hairpinned packets (inside to an external address) take both translations: not here.
    if (!plain(arena + data[i], length[i], ports_[ingress[i]], marks_, traits, flow) ||
        (traits & trait::tcp_control) || (traits & (inside | external)) == 0 ||
        (traits & (inside | external)) == (inside | external)) {
      left++;
      continue;
    }
    // The endpoint's key (lookup.cc), from the packet: what plain() stored is not read back.
    const bool outbound = traits & inside;
    const uint8_t *ip = arena + data[i] + 14;
    const Key key{load<uint32_t>(ip + (outbound ? 12 : 16)) |
                      static_cast<uint64_t>(load<uint16_t>(ip + (outbound ? 20 : 22))) << 32 |
                      static_cast<uint64_t>(ip[9]) << 48,
                  0};
    const Table &table = outbound ? *config_.source.table : *config_.destination.table;
    const uint64_t h = table.hash(key);
    table.prefetch(h);
    found[n++] = {key, h, no_entry, traits, static_cast<uint16_t>(i), outbound};
  }
  for (uint32_t k = 0; k < n; k++) {
    const Table &table = found[k].outbound ? *config_.source.table : *config_.destination.table;
    found[k].entry = table.candidate(found[k].hash);
  }
  for (uint32_t k = 0; k < n; k++) left += !finish(b, found[k]);
  return static_cast<int32_t>(left);
}

}  // namespace rxnf
