// A network address translator written the way a good C++ programmer would for DPDK: everything in
// one loop over a burst, prefetching. The baseline that the composed NAT is measured against, with
// the same duties on its fast path; what leaves the fast path (ARP, fragments, ICMP errors,
// hairpinning) it counts and drops.
//
//   receive -> parse, validate, key, prefetch -> flow -> route -> neighbour -> rewrite -> send
//
// One table holds both directions, in hugepages, so that a flow costs one cache line
// (fused_tables.h). `--mode io` forwards without looking.
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_lpm.h>

#include <bit>
#include <cstring>
#include <vector>

#include "fused_tables.h"
#include "harness.h"
#include "world.h"

namespace {

using namespace bench;

// clang-format off
enum Reason : uint8_t {
  truncated, not_for_us, not_ipv4, bad_header, bad_checksum, martian_source, multicast, fragment,
  bad_transport, unsupported, to_us, hairpin, unknown_inbound, ttl_exceeded, no_route, unresolved,
  too_big, table_full, no_port, transmit_full, reasons
};
constexpr const char *reason_names[] = {
  "truncated", "not-for-us", "not-ipv4", "bad-header", "bad-checksum", "martian-source", "multicast",
  "fragment", "bad-transport", "unsupported", "to-us", "hairpin", "unknown-inbound", "ttl-exceeded",
  "no-route", "unresolved", "too-big", "table-full", "no-port", "transmit-full"};
// clang-format on
static_assert(std::size(reason_names) == reasons);

// Addresses and ports in packets, keys and slots are as on the wire.
template <typename T>
T load(const uint8_t *p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <typename T>
void store(uint8_t *p, T v) {
  std::memcpy(p, &v, sizeof v);
}

// RFC 1624 equation 3: ~m + m', which may be added up before it is folded into a checksum.
uint64_t delta(uint32_t from, uint32_t to) { return uint64_t{uint32_t(~from)} + to; }
uint64_t delta16(uint16_t from, uint16_t to) { return uint64_t{uint16_t(~from)} + to; }
// A value added to itself with its halves exchanged has their sum on top, carry brought around.
uint16_t fold(uint64_t s) {
  const auto half = uint32_t((s + std::rotl(s, 32)) >> 32);
  return uint16_t((half + std::rotl(half, 16)) >> 16);
}
uint16_t updated(uint16_t checksum, uint64_t d) { return uint16_t(~fold(uint16_t(~checksum) + d)); }

// Where each protocol keeps what a translation touches, by IP protocol: a branch on it would be
// mispredicted for every other packet.
struct Transport {
  uint8_t index;   // of its free ports
  uint8_t header;  // bytes at least; 0: not supported
  uint8_t source, destination, checksum;
  uint8_t udp;     // length in a field of 16 bits, checksum optional (RFC 768)
  uint8_t tcp;     // length in the data offset
  uint8_t pseudo;  // the checksum covers the addresses
};
constexpr std::array<Transport, 256> transports = [] {
  std::array<Transport, 256> t{};
  t[IPPROTO_TCP] = {0, 20, 0, 2, 16, 0, 1, 1};
  t[IPPROTO_UDP] = {1, 8, 0, 2, 6, 1, 0, 1};
  t[IPPROTO_ICMP] = {2, 8, 4, 4, 2, 0, 0, 0};
  return t;
}();

struct Next {  // a neighbour
  uint64_t key;
  uint8_t link[12];
};

class Nat {
 public:
  explicit Nat(const Options &o)
      : burst_(uint16_t(o.burst)),
        capacity_(o.capacity),
        flows_(uint64_t{o.capacity} * 2),
        due_(o.capacity),
        free_(pool_size * 6),
        cycles_per_tick_(rte_get_tsc_hz() / 1000 * o.idle_ms / ticks_idle + 1) {
    for (size_t i = 0; i < free_.size(); i++)
      for (FreePorts &f = free_[i]; f.size < FreePorts::count; f.size++)
        f.ring[f.size] = uint16_t(1024 + f.size * 2 + i % 2);
    rte_lpm_config config{256, 256, 0};
    lpm_ = rte_lpm_create("routes", SOCKET_ID_ANY, &config);
    for (uint32_t i = 0; i < std::size(routes); i++)
      rte_lpm_add(lpm_, routes[i].address, routes[i].length, i);
    for (uint16_t port = 0; port < 2; port++) {
      rte_ether_addr mac;
      rte_eth_macaddr_get(port, &mac);
      std::memcpy(&mac_[port], mac.addr_bytes, 6);
    }
    for (const Neighbour &n : neighbours) {
      const uint32_t address = rte_cpu_to_be_32(n.address);
      Next &next = *next_of(n.port, address);
      next.key = present | uint64_t{n.port} << 32 | address;
      std::memcpy(next.link, n.mac.data(), 6);
      std::memcpy(next.link + 6, &mac_[n.port], 6);
    }
    for (const Route &r : routes) gateways_.push_back(next_of(r.port, rte_cpu_to_be_32(r.via)));
  }

  uint32_t poll() {
    const uint32_t received = poll_port<inside>() + poll_port<outside>();
    expire();
    return received;
  }

  void reset() {
    latency_ = {}, created_ = 0, std::fill(std::begin(dropped_), std::end(dropped_), 0);
  }

  std::string report(uint64_t packets) const {
    std::string drops;
    for (uint32_t r = 0; r < reasons; r++) {
      if (dropped_[r] == 0) continue;
      if (!drops.empty()) drops += ',';
      drops.append(1, '"')
          .append(reason_names[r])
          .append("\":")
          .append(std::to_string(dropped_[r]));
    }
    char line[256];
    std::snprintf(
        line, sizeof line,
        ",\"flows\":%u,\"newFlows\":%.4f,\"latencyMicroseconds\":{\"p50\":%.2f,\"p99\":%.2f}",
        live_, double(created_) / double(packets), latency_.microseconds(0.5),
        latency_.microseconds(0.99));
    return line + (",\"dropped\":{" + drops + "}");
  }

 private:
  static constexpr uint32_t ticks_idle = 16;  // a flow idles for 16 ticks at least, 32 at most

  struct Work {
    rte_mbuf *frame;
    uint8_t *ip, *l4;
    uint64_t key;
    Line *home;
  };

  template <PortNumber ingress>
  uint32_t poll_port() {
    rte_mbuf *frames[max_burst];
    const uint32_t n = rte_eth_rx_burst(ingress, 0, frames, burst_);
    if (n == 0) return 0;
    const uint64_t began = rte_rdtsc();
    tick_ = uint32_t((began - start_) / cycles_per_tick_);
    Work work[max_burst];
    rte_mbuf *out[2][max_burst];
    uint32_t ready = 0, outs[2] = {}, lost = 0;
    const auto drop = [&](rte_mbuf *m, Reason r) {
      dropped_[r]++;
      frames[lost++] = m;  // those below `lost` have been read
    };
    for (uint32_t i = 0; i < n; i++) {
      Work &w = work[ready];
      w.frame = frames[i];
      const Reason r = parse<ingress>(w);
      if (r == reasons) [[likely]] {
        w.home = flows_.home(w.key);
        rte_prefetch0(w.home);
        ready++;
      } else {
        drop(w.frame, r);
      }
    }
    for (uint32_t i = 0; i < ready; i++) {
      const Work &w = work[i];
      uint8_t egress = 0;
      const Reason r = forward<ingress>(w, egress);
      if (r == reasons) [[likely]]
        out[egress][outs[egress]++] = w.frame;
      else
        drop(w.frame, r);
    }
    if (opening_) [[unlikely]]
      publish();
    if (lost) rte_pktmbuf_free_bulk(frames, lost);
    for (uint16_t port = 0; port < 2; port++)
      if (outs[port]) dropped_[transmit_full] += send(port, out[port], outs[port]);
    latency_.add(rte_rdtsc() - began, n);
    return n;
  }

  // RFC 791, RFC 1812 5.2.2; fills the key.
  template <PortNumber ingress>
  Reason parse(Work &w) const {
    uint8_t *p = rte_pktmbuf_mtod(w.frame, uint8_t *);
    const uint32_t length = w.frame->data_len;
    if (length < 34) return truncated;
    if ((load<uint64_t>(p) << 16) != (mac_[ingress] << 16))
      return p[0] & 1 ? multicast : not_for_us;
    if (load<uint16_t>(p + 12) != RTE_BE16(RTE_ETHER_TYPE_IPV4)) return not_ipv4;
    uint8_t *ip = w.ip = p + 14;
    const uint32_t header = (ip[0] & 15) * 4u, total = rte_be_to_cpu_16(load<uint16_t>(ip + 2));
    if (ip[0] >> 4 != 4 || header < 20 || total < header || total > length - 14) return bad_header;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 20; i += 4) sum += load<uint32_t>(ip + i);
    for (uint32_t i = 20; i < header; i += 4) sum += load<uint32_t>(ip + i);
    if (fold(sum) != 0xffff) return bad_checksum;
    if (ip[12] == 0 || ip[12] == 127 || ip[12] >= 224) return martian_source;
    if (ip[16] == 0 || ip[16] == 127 || ip[16] >= 224) return multicast;
    if (load<uint16_t>(ip + 6) & RTE_BE16(0x3fff)) return fragment;
    const uint8_t *l4 = w.l4 = ip + header;
    const Transport &t = transports[ip[9]];
    const uint32_t left = total - header;
    const uint32_t offset = (l4[12] >> 4) * 4u, size = rte_be_to_cpu_16(load<uint16_t>(l4 + 4));
    const uint32_t extent = (t.tcp * offset) + (t.udp * size) + (!(t.tcp | t.udp) * t.header);
    if (t.header == 0) return unsupported;
    if (left < t.header || extent < t.header || extent > left) return bad_transport;
    if (ip[9] == IPPROTO_ICMP && l4[0] != 8 && l4[0] != 0) return unsupported;
    const uint32_t at = ingress == inside ? t.source : t.destination;
    const uint32_t destination = load<uint32_t>(ip + 16), host = rte_be_to_cpu_32(destination);
    const bool pooled = host - pool_first < pool_size;
    if (host == interface_address[inside] || host == interface_address[outside]) return to_us;
    if (pooled != (ingress == outside)) return pooled ? hairpin : unknown_inbound;
    w.key = ingress == inside ? key_of(0, ip[9], load<uint32_t>(ip + 12), load<uint16_t>(l4 + at))
                              : key_of(from_outside, ip[9], destination, load<uint16_t>(l4 + at));
    return reasons;
  }

  template <PortNumber ingress>
  Reason forward(const Work &w, uint8_t &egress) {
    uint8_t *ip = w.ip, *l4 = w.l4;
    if (ip[8] <= 1) return ttl_exceeded;
    Slot *s = flows_.find(w.home, w.key);
    if (s->key == 0) [[unlikely]] {
      if (ingress == outside) return unknown_inbound;
      if (const Reason r = create(w.key, s); r != reasons) return r;
    }
    if (ingress == inside && s->seen != uint16_t(tick_)) s->seen = uint16_t(tick_);

    // Next hop, before anything is edited.
    const uint32_t destination = ingress == inside ? load<uint32_t>(ip + 16) : s->address;
    uint32_t match;
    if (rte_lpm_lookup(lpm_, rte_be_to_cpu_32(destination), &match) != 0) return no_route;
    const Route &route = routes[match];
    const Next *next = route.via ? gateways_[match] : next_of(route.port, destination);
    if (next->key == 0) return unresolved;
    if (rte_be_to_cpu_16(load<uint16_t>(ip + 2)) > mtu) return too_big;
    egress = route.port;

    uint8_t *address = ip + (ingress == inside ? 12 : 16);
    uint64_t d = delta(load<uint32_t>(address), s->address);
    store(address, s->address);
    const uint16_t life = load<uint16_t>(ip + 8), less = uint16_t(life - 1);
    store(ip + 8, less);
    store(ip + 10, updated(load<uint16_t>(ip + 10), d + delta16(life, less)));

    const Transport &t = transports[ip[9]];
    uint8_t *port = l4 + (ingress == inside ? t.source : t.destination),
            *checksum = l4 + t.checksum;
    d = (d & -uint64_t{t.pseudo}) + delta16(load<uint16_t>(port), s->port);
    store(port, s->port);
    const uint16_t before = load<uint16_t>(checksum);
    uint16_t after = updated(before, d);
    if (before == 0 || after == 0) [[unlikely]]
      if (t.udp) after = before == 0 ? 0 : 0xffff;
    store(checksum, after);
    std::memcpy(ip - 14, next->link, 12);
    return reasons;
  }

  // Endpoint-independent mapping (RFC 4787 REQ-1): one external endpoint for each inside endpoint,
  // of the same parity (REQ-4), on one address for each inside host (REQ-2) while that has ports.
  [[gnu::noinline]] Reason create(uint64_t key, Slot *slot) {
    if (live_ == capacity_) return table_full;
    const auto protocol = uint8_t(key >> 48);
    const uint16_t inside_port = uint16_t(key >> 32);
    const uint32_t preferred = (rte_be_to_cpu_32(uint32_t(key)) * 0x9e3779b1u) >> 16;
    for (uint32_t i = 0; i < pool_size; i++) {
      const uint32_t which = (preferred + i) % pool_size;
      FreePorts &f = free_ports(which, protocol, rte_be_to_cpu_16(inside_port) & 1);
      if (f.size == 0) continue;
      const uint16_t port = rte_cpu_to_be_16(f.ring[f.head]);
      f.head = (f.head + 1) & FreePorts::mask, f.size--;
      const uint32_t address = rte_cpu_to_be_32(pool_first + which);
      *slot = {key, address, port, uint16_t(tick_)};
      const uint64_t back = key_of(from_outside, protocol, address, port);
      opened_[opening_++] = {back, uint32_t(key), inside_port, 0};
      rte_prefetch0(flows_.home(back));
      due_[(due_head_ + live_) % capacity_] = {key, tick_ + ticks_idle};
      live_++, created_++;
      return reasons;
    }
    return no_port;
  }

  // The outside keys of a burst's new flows, by the end of which their lines have been fetched.
  [[gnu::noinline]] void publish() {
    for (uint32_t i = 0; i < opening_; i++) *flows_.find(opened_[i].key) = opened_[i];
    opening_ = 0;
  }

  // Flows in the order in which they are to be looked at again: those idle since are removed, their
  // outside keys and ports in the next call, when those lines have been fetched.
  [[gnu::noinline]] void expire() {
    for (uint32_t i = 0; i < closing_; i++) {
      const uint64_t key = closed_[i];
      const uint16_t port = rte_be_to_cpu_16(uint16_t(key >> 32));
      flows_.erase(flows_.find(key));
      FreePorts &f =
          free_ports(rte_be_to_cpu_32(uint32_t(key)) - pool_first, uint8_t(key >> 48), port & 1);
      f.ring[(f.head + f.size++) & FreePorts::mask] = port;
    }
    closing_ = 0;
    for (uint32_t i = 0; i < burst_ && live_ != 0; i++) {
      const Due due = due_[due_head_];
      if (int32_t(tick_ - due.tick) < 0) return;
      rte_prefetch0(flows_.home(due_[(due_head_ + 16) % capacity_].key));
      due_head_ = (due_head_ + 1) % capacity_;
      Slot *s = flows_.find(due.key);
      if (uint16_t(tick_ - s->seen) < ticks_idle) {
        due_[(due_head_ + live_ - 1) % capacity_] = {due.key, tick_ + ticks_idle};
        continue;
      }
      const uint64_t back = key_of(from_outside, uint8_t(due.key >> 48), s->address, s->port);
      closed_[closing_++] = back;
      rte_prefetch0(flows_.home(back));
      flows_.erase(s);
      live_--;
    }
  }

  FreePorts &free_ports(uint32_t address, uint8_t protocol, uint32_t parity) {
    return free_[(address * 3 + transports[protocol].index) * 2 + parity];
  }

  Next *next_of(uint64_t port, uint32_t address) {
    const uint64_t key = present | port << 32 | address;
    uint32_t i = uint32_t(key ^ key >> 32) * 0x9e3779b1u >> 20;
    while (next_[i].key != 0 && next_[i].key != key) i = (i + 1) % next_.size();
    return &next_[i];
  }

  struct Due {
    uint64_t key;
    uint32_t tick;
  };

  const uint16_t burst_;
  const uint32_t capacity_;
  FlowTable flows_;
  std::vector<Due> due_;  // a ring of `live_` flows
  std::vector<FreePorts> free_;
  std::array<Next, 4096> next_{};
  std::vector<const Next *> gateways_;  // by route
  rte_lpm *lpm_;
  uint64_t mac_[2] = {};
  const uint64_t start_ = rte_rdtsc(), cycles_per_tick_;
  Slot opened_[max_burst];
  uint64_t closed_[max_burst];
  uint32_t opening_ = 0, closing_ = 0, due_head_ = 0, live_ = 0, tick_ = 0;
  uint64_t created_ = 0, dropped_[reasons] = {};
  Histogram latency_;
};

uint32_t forward_all(uint16_t from, uint16_t to, uint16_t burst) {
  rte_mbuf *frames[max_burst];
  const uint32_t n = rte_eth_rx_burst(from, 0, frames, burst);
  if (n) send(to, frames, n);
  return n;
}

}  // namespace

int main(int argc, char **argv) {
  const int used = rte_eal_init(argc, argv);
  if (used < 0) fail("EAL did not start");
  const Options o = parse_options(argc - used, argv + used);
  open_ports(o.flows);
  if (o.mode == "io") {
    const auto burst = uint16_t(o.burst);
    const auto poll = [&] {
      return forward_all(inside, outside, burst) + forward_all(outside, inside, burst);
    };
    measure(
        o, poll, [] {}, [](uint64_t) { return std::string(); });
  } else {
    Nat nat(o);
    measure(
        o, [&] { return nat.poll(); }, [&] { nat.reset(); },
        [&](uint64_t n) { return nat.report(n); });
  }
  return rte_eal_cleanup();
}
