#include "kernels/express.h"

#include <algorithm>

#include "kernels/edit.h"

namespace rxnf {

using namespace wire;

namespace {

// Where a packet keeps the end that is replaced, from its network and its transport header.
template <bool outbound>
struct End {
  static constexpr uint32_t address = outbound ? 12 : 16, port = outbound ? 0 : 2;
};

// Rows from `from` on that came in by the same port.
uint32_t same_port(const uint8_t *ingress, uint32_t from, uint32_t to) {
  const uint64_t eight = ingress[from] * 0x0101010101010101ull;
  uint32_t end = from + 1;
  while (end + 8 <= to && load<uint64_t>(ingress + end) == eight) end += 8;
  while (end < to && ingress[end] == ingress[from]) end++;
  return end;
}

}  // namespace

ExpressKernel::ExpressKernel(uint8_t *arena, Table &neighbours, const ExpressConfig &config)
    : arena_(arena), config_(config), ways_(neighbours, config.route) {
  for (size_t i = 0; i < config.parse.ports.size() && i < ports_.size(); i++) {
    ports_[i] = config.parse.ports[i];
    ports_[i].prepare();
  }
  marks_.set(config.parse.addresses);
}

// The packets that need no decision, as far as their headers tell, with their endpoints' buckets on
// the way to the cache. Returns how many; adds the other pending ones to `left`.
template <bool outbound>
inline uint32_t ExpressKernel::choose(const Batch &b, uint32_t from, uint32_t to,
                                      const Table &table, Found *found, uint32_t &left) const {
  constexpr uint32_t ahead = 6;
  uint8_t *const arena = arena_;
  const uint32_t *const data = b.data, *const length = b.length;
  const int32_t *const verdicts = b.verdict;
  const ParsePort port = ports_[b.ingress[from]];
  const uint32_t external = config_.external;
  uint32_t n = 0;
  for (uint32_t i = from; i < from + ahead && i < to; i++) __builtin_prefetch(arena + data[i]);
  for (uint32_t i = from; i < to; i++) {
    if (i + ahead < to) __builtin_prefetch(arena + data[i + ahead]);
    uint8_t *const p = arena + data[i], *const ip = p + 14, *const l4 = ip + 20;
    const uint8_t protocol = ip[9];
    const bool control = (protocol == protocol_tcp) & ((l4[13] & 0x07) != 0);
    const bool to_external = (marks_(load<uint32_t>(ip + 16)) & external) != 0;
    // Hairpinned packets (inside to an external address) take both translations: not here.
    if (!(is_plain(p, length[i], port) & !control & (to_external != outbound) &
          (verdicts[i] == verdict::pending))) [[unlikely]] {
      left += verdicts[i] == verdict::pending;
      continue;
    }
    // The endpoint's key (lookup.cc).
    const uint64_t key = load<uint32_t>(ip + End<outbound>::address) |
                         static_cast<uint64_t>(load<uint16_t>(l4 + End<outbound>::port)) << 32 |
                         static_cast<uint64_t>(protocol) << 48;
    const uint64_t h = table.hash({key, 0});
    table.prefetch(h);
    found[n++] = {key, h, p, i};
  }
  return n;
}

// Reads the record, routes and rewrites. False, with the packet untouched, when it needs more.
template <bool outbound>
inline bool ExpressKernel::finish(const Found &f, uint32_t entry, const ExpressLane &lane,
                                  uint32_t now, int32_t &verdict) {
  Table &table = *lane.table;
  const Key key{f.key, 0};
  Entry *e = entry == no_entry ? nullptr : table.at(entry);
  if (!e || !(e->key == key)) [[unlikely]] {
    e = table.find(f.hash, key);
    if (!e) return false;
  }
  const uint64_t version = e->version.load(std::memory_order_acquire);
  const uint32_t address = load<uint32_t>(e->record() + lane.address_offset);
  const uint16_t port = load<uint16_t>(e->record() + lane.port_offset);
  const uint8_t timer = e->timer;
  const bool same = e->key == key;
  std::atomic_thread_fence(std::memory_order_acquire);
  const bool stood = e->version.load(std::memory_order_relaxed) == version;
  if ((!stands(version)) | (version & 1) | !same | !stood | ((timer & watched) != 0)) [[unlikely]]
    return false;

  uint8_t *const p = f.frame, *const ip = p + 14, *const l4 = ip + 20;
  const uint32_t destination = outbound ? load<uint32_t>(ip + 16) : address;
  Way *way = &ways_.find(destination);
  Way unshared;
  if (!way->resolved) [[unlikely]] {
    if (ways_.none(*way)) return false;
    unshared = *way;
    if (!ways_.resolve(*way, destination, now, unshared.link)) return false;
    way = &unshared;
  }
  if ((ip[8] <= 1) | (load_be16(ip + 2) > way->mtu) | (outbound & !(way->marks & config_.outside)))
      [[unlikely]]
    return false;

  if (lane.refresh) table.touch(e, now);
  replace_end(ip, l4, !outbound, ip[9] == protocol_udp, address, port);
  std::memcpy(p, &way->link, 12);
  verdict = verdict::forward(way->egress);
  return true;
}

template <bool outbound>
uint32_t ExpressKernel::carry(Batch &b, uint32_t from, uint32_t to) {
  const ExpressLane lane = outbound ? config_.source : config_.destination;
  const Table &table = *lane.table;
  const uint32_t now = b.header->now_ms;
  int32_t *const verdicts = b.verdict;
  Found found[part];
  uint32_t entry[part], left = 0;
  const uint32_t n = choose<outbound>(b, from, to, table, found, left);
  for (uint32_t k = 0; k < n; k++) entry[k] = table.candidate(found[k].hash);
  for (uint32_t k = 0; k < n; k++)
    left += !finish<outbound>(found[k], entry[k], lane, now, verdicts[found[k].row]);
  return left;
}

int32_t ExpressKernel::run(Batch &b) {
  const auto count = static_cast<uint32_t>(b.header->count);
  uint32_t left = 0;
  ways_.enter_batch();
  for (uint32_t from = 0; from < count;) {
    const uint32_t to = same_port(b.ingress, from, std::min(from + part, count));
    left += ports_[b.ingress[from]].marks & config_.inside ? carry<true>(b, from, to)
                                                           : carry<false>(b, from, to);
    from = to;
  }
  return static_cast<int32_t>(left);
}

}  // namespace rxnf
