// Question: what does the queue's column boundary cost against dpdk-testpmd's io loop?
// Forwards one port to itself on one core and prints Mpps per round. Baseline: testpmd
// --forward-mode=io on the same vdev, burst and core.
//
//   dpdk_loop_test null | pcap:FILE  [burst 64] [rounds 2] [huge|no-huge]
//
// Each round is run twice: headers rewritten at transmit, and headers left to stand.
#include <chrono>

#include "test/dpdk_support.h"

using namespace rxnf::test;
using Clock = std::chrono::steady_clock;

namespace {

constexpr uint32_t pool_buffers = 16384;
constexpr auto round_length = std::chrono::milliseconds(250);

double forward_for(const OpenPort &port, const rxnf_pool &pool, uint32_t burst, bool moved) {
  static Burst packets;
  uint64_t forwarded = 0;
  const auto begin = Clock::now();
  auto now = begin;
  do {
    for (int i = 0; i < 1024; i++) {
      packets.receive(port, burst);
      forwarded += packets.send(port, pool, moved);
    }
    now = Clock::now();
  } while (now - begin < round_length);
  return static_cast<double>(forwarded) /
         std::chrono::duration<double, std::micro>(now - begin).count();
}

}  // namespace

int main(int argc, char **argv) {
  const std::string source = argc > 1 ? argv[1] : "null";
  const auto burst = static_cast<uint32_t>(argc > 2 ? std::atoi(argv[2]) : 64);
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 2;
  const bool huge = argc > 4 ? std::strcmp(argv[4], "huge") == 0 : hugepages_free(32);
  const bool capture = source.starts_with("pcap:");
  const std::string vdev =
      capture ? "net_pcap0,rx_pcap=" + source.substr(5) + ",infinite_rx=1" : "net_null0,size=64";
  const rxnf_pool pool = start({vdev}, pool_buffers, huge);
  {
    OpenPort port(capture ? "net_pcap0" : "net_null0");
    for (int r = 0; r < rounds; r++)
      std::printf("%s burst %u: %.2f Mpps, headers standing %.2f Mpps\n", source.c_str(), burst,
                  forward_for(port, pool, burst, true), forward_for(port, pool, burst, false));
    const auto c = port.counters();
    EXPECT(c.received_packets > 0 && c.received_packets == c.transmitted_packets);
    SUCCEEDS(port.close());
  }
  library().stop();
}
