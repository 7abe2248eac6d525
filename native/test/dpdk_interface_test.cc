// The DPDK port library against the kernel's interfaces, each case in a process and a network
// namespace of its own; skipped by name without root.
#include <sched.h>

#include "test/dpdk_cases.h"

using namespace rxnf::test;

namespace {

constexpr uint32_t buffers = 4096;

bool run(const std::string &command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

// A veth pair in a namespace of this process; frames sent into the right end arrive at the left.
bool veth() {
  return unshare(CLONE_NEWNET) == 0 && run("ip link add left type veth peer name right") &&
         run("sysctl -w net.ipv6.conf.all.disable_ipv6=1") && run("ip link set left up") &&
         run("ip link set right up");
}

// Sends until a frame arrives: the first send after a link came back may meet the socket's old
// error.
void exchange(const OpenPort &to, const OpenPort &from, const rxnf_pool &pool) {
  Burst burst;
  for (int i = 0; i < patience; i++) {
    burst.count = pool.alloc(pool.ctx, burst.handle, 1);
    burst.data[0] = burst.handle[0] + pool.data_min + pool.headroom;
    burst.length[0] = 64;
    std::memset(pool.base + burst.data[0], 0xff, 64);
    burst.send(from, pool);
    pause_a_little();
    if (burst.receive(to, 8) > 0) break;
  }
  EXPECT(burst.count > 0 && burst.length[0] == 64);
  pool.free(pool.ctx, burst.handle, burst.count);
}

// Forwards between the ends while the interface goes away: the port says so, and nothing crashes.
void survive_deletion(const OpenPort &a, const OpenPort &b, const rxnf_pool &pool) {
  Burst burst;
  bool gone = false;
  for (int i = 0; i < patience && !gone; i++) {
    if (i == 20) EXPECT(run("ip link delete left"));
    burst.count = pool.alloc(pool.ctx, burst.handle, 16);
    for (uint32_t r = 0; r < burst.count; r++) {
      burst.data[r] = burst.handle[r] + pool.data_min + pool.headroom;
      burst.length[r] = 64;
      std::memset(pool.base + burst.data[r], 0xff, 64);
    }
    burst.send(b, pool);
    if (burst.receive(a, 64) > 0) burst.send(b, pool);
    pause_a_little();
    if (i % 10 == 0) gone = a.counters().gone == 1 && b.counters().gone == 1;
  }
  EXPECT(gone && a.counters().link_up == 0);
  EXPECT(a.counters().received_packets > 0);
  EXPECT(burst.receive(a, 64) == 0);
}

void af_packet_exchanges_and_survives_deletion() {
  EXPECT(veth());
  const rxnf_pool pool =
      start({"net_af_packet0,iface=left", "net_af_packet1,iface=right"}, buffers);
  OpenPort a("net_af_packet0"), b("net_af_packet1");
  EXPECT(a.counters().link_up == 1);
  exchange(a, b, pool);
  EXPECT(run("ip link set right down"));
  EXPECT(a.counters().link_up == 0 && a.counters().gone == 0);
  EXPECT(run("ip link set right up"));
  exchange(a, b, pool);
  survive_deletion(a, b, pool);
  EXPECT(pool.available(pool.ctx) == buffers);
  a.close();
  b.close();
}

void af_xdp_exchanges_and_survives_deletion() {
  EXPECT(veth());
  const rxnf_pool pool = start({"net_af_xdp0,iface=left", "net_af_xdp1,iface=right"}, 16384);
  OpenPort a("net_af_xdp0"), b("net_af_xdp1");
  exchange(a, b, pool);
  survive_deletion(a, b, pool);
  a.close();
  b.close();
}

void tap_receives_what_the_kernel_sends() {
  EXPECT(unshare(CLONE_NEWNET) == 0);
  const rxnf_pool pool = start({"net_tap0,iface=rxnf0"}, buffers);
  OpenPort port("net_tap0");
  EXPECT(
      run("ip link set rxnf0 up && ip addr add 192.0.2.1/24 dev rxnf0 && ip neigh add 192.0.2.2 "
          "lladdr 02:00:00:00:00:02 dev rxnf0"));
  run("ping -c 1 -W 1 192.0.2.2");
  Burst b;
  for (int i = 0; i < patience && b.receive(port, 8) == 0; i++) pause_a_little();
  EXPECT(b.count > 0 && b.length[0] >= 42);
  pool.free(pool.ctx, b.handle, b.count);
}

const Case cases[] = {
    ROOT_CASE(af_packet_exchanges_and_survives_deletion),
    ROOT_CASE(af_xdp_exchanges_and_survives_deletion),
    ROOT_CASE(tap_receives_what_the_kernel_sends),
};

}  // namespace

int main(int argc, char **argv) { return run_cases(cases, argc, argv) == 0 ? 0 : 1; }
