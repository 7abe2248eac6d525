// What the C++ contenders share: EAL, one packet pool and two ports, a bounded loop on one core,
// and the one line of JSON that a contender answers with.
//
//   NAME [EAL arguments] -- [--mode M] [--flows N] [--burst N] [--capacity N] [--idle-ms N]
//        [--warmup S] [--seconds S]
#pragma once
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

namespace bench {

inline constexpr uint32_t max_burst = 256;
// Bytes of a packet buffer with headroom, and buffers besides those that the looped capture keeps:
// as
// ../datapath/eal.ts tells testpmd.
inline constexpr uint16_t frame_room = 1664;
inline constexpr uint32_t spare_buffers = 16'384;

struct Options {
  std::string mode = "nat";
  uint32_t flows = 10'000, burst = 128, capacity = 65'536, idle_ms = 300'000;
  double warmup = 1, seconds = 2;
};

[[noreturn]] inline void fail(const std::string &what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

inline Options parse_options(int argc, char **argv) {
  Options o;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const char *value = argv[i + 1];
    const auto number = static_cast<uint32_t>(std::strtoul(value, nullptr, 10));
    if (name == "--mode")
      o.mode = value;
    else if (name == "--flows")
      o.flows = number;
    else if (name == "--burst")
      o.burst = number;
    else if (name == "--capacity")
      o.capacity = number;
    else if (name == "--idle-ms")
      o.idle_ms = number;
    else if (name == "--warmup")
      o.warmup = std::strtod(value, nullptr);
    else if (name == "--seconds")
      o.seconds = std::strtod(value, nullptr);
    else
      fail("unknown option " + std::string(name));
  }
  if (o.burst == 0 || o.burst > max_burst) fail("--burst must be from 1 to 256");
  return o;
}

// Buffers of 512 bytes with headroom, and a cache as large as DPDK allows: as testpmd is told to.
inline rte_mempool *open_ports(uint32_t flows) {
  if (rte_eth_dev_count_avail() != 2) fail("two ports are needed: is the capture there?");
  rte_mempool *pool = rte_pktmbuf_pool_create(
      "frames", flows + spare_buffers, RTE_MEMPOOL_CACHE_MAX_SIZE, 0, frame_room, SOCKET_ID_ANY);
  if (pool == nullptr) fail("no memory for the packet pool: raise vm.nr_hugepages");
  for (uint16_t port = 0; port < 2; port++) {
    const rte_eth_conf settings{};
    if (rte_eth_dev_configure(port, 1, 1, &settings) != 0 ||
        rte_eth_rx_queue_setup(port, 0, 512, SOCKET_ID_ANY, nullptr, pool) != 0 ||
        rte_eth_tx_queue_setup(port, 0, 512, SOCKET_ID_ANY, nullptr) != 0 ||
        rte_eth_dev_start(port) != 0)
      fail("port " + std::to_string(port) + " did not start");
  }
  return pool;
}

// Sends what the ring takes within a bounded number of tries and frees the rest, which it returns.
inline uint32_t send(uint16_t port, rte_mbuf **frames, uint32_t n) {
  uint32_t sent = 0;
  for (int tries = 0; sent < n && tries < 8; tries++)
    sent += rte_eth_tx_burst(port, 0, frames + sent, static_cast<uint16_t>(n - sent));
  if (sent < n) rte_pktmbuf_free_bulk(frames + sent, n - sent);
  return n - sent;
}

// Cycles from receive to transmit: 16 steps an octave, so an error of a sixteenth at most.
class Histogram {
 public:
  void add(uint64_t cycles, uint32_t packets) {
    const int octave = cycles < 16 ? 3 : 63 - __builtin_clzll(cycles);
    count_[static_cast<size_t>(octave - 3) * 16 + (cycles >> (octave > 4 ? octave - 4 : 0) & 15)] +=
        packets;
    total_ += packets;
  }
  double microseconds(double quantile) const {
    uint64_t seen = 0;
    for (size_t i = 0; i < count_.size(); i++) {
      seen += count_[i];
      if (seen == 0 || static_cast<double>(seen) < quantile * static_cast<double>(total_)) continue;
      const double cycles = i < 16 ? static_cast<double>(i)
                                   : static_cast<double>(16 + i % 16) *
                                         static_cast<double>(uint64_t{1} << (i / 16 - 1));
      return cycles / static_cast<double>(rte_get_tsc_hz()) * 1e6;
    }
    return 0;
  }

 private:
  std::array<uint64_t, 61 * 16> count_{};
  uint64_t total_ = 0;
};

// The processor's time of this process: what a busy machine takes away from it does not count.
inline double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// Calls poll(), which returns packets received, for the warm-up and again for the time asked for;
// reset() stands between. `fields` is what the contender has to add to the line.
template <typename Poll, typename Reset, typename Fields>
void measure(const Options &o, Poll &&poll, Reset &&reset, Fields &&fields) {
  const auto run = [&](double seconds) {
    const uint64_t end =
        rte_rdtsc() + static_cast<uint64_t>(seconds * static_cast<double>(rte_get_tsc_hz()));
    uint64_t packets = 0;
    while (rte_rdtsc() < end) packets += poll();
    return packets;
  };
  run(o.warmup);
  reset();
  const double cpu = cpu_seconds();
  const uint64_t began = rte_rdtsc();
  const uint64_t packets = run(o.seconds);
  const double wall =
      static_cast<double>(rte_rdtsc() - began) / static_cast<double>(rte_get_tsc_hz());
  const double spent = cpu_seconds() - cpu;
  if (packets == 0) fail("no packet was received");
  const auto n = static_cast<double>(packets);
  std::printf(
      "{\"mpps\":%.4f,\"nsPerPacket\":%.4f,\"packets\":%.0f,\"seconds\":%.4f,"
      "\"cpuSeconds\":%.4f,\"burst\":%u%s}\n",
      n / wall * 1e-6, spent / n * 1e9, n, wall, spent, o.burst, fields(packets).c_str());
}

}  // namespace bench
