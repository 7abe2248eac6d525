// The DPDK port library against software devices, each case in a process of its own.
#include <cerrno>
#include <chrono>
#include <fstream>
#include <iterator>
#include <thread>

#include "test/dpdk_cases.h"

using namespace rxnf::test;

namespace {

constexpr uint32_t buffers = 4096;

std::string scratch(const char *name) {
  return "/tmp/rxnf_dpdk_port_test." + std::to_string(getppid()) + "." + name;
}

std::string contents(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A classic little-endian pcap of `count` frames; byte 14 of each is its number.
std::string write_capture(const char *name, uint32_t count, uint32_t size) {
  const std::string path = scratch(name);
  std::ofstream out(path, std::ios::binary);
  const auto u32 = [&out](uint32_t v) { out.write(reinterpret_cast<const char *>(&v), 4); };
  for (uint32_t v : {0xa1b2c3d4u, 0x00040002u, 0u, 0u, 65535u, 1u}) u32(v);
  for (uint32_t i = 0; i < count; i++) {
    for (uint32_t v : {i, 0u, size, size}) u32(v);
    std::string frame(size, '\x5a');
    frame[14] = static_cast<char>(i);
    out << frame;
  }
  return path;
}

// Receives until the source is exhausted or patience ends, sending to `out`; returns frames moved.
uint32_t drain(const OpenPort &in, const OpenPort &out, const rxnf_pool &pool) {
  Burst b;
  uint32_t moved = 0;
  for (int i = 0; i < patience && in.counters().exhausted == 0; i++) {
    b.receive(in, 32);
    moved += b.send(out, pool);
  }
  return moved;
}

void null_port_forwards_and_conserves_its_buffers() {
  const rxnf_pool pool = start({"net_null0,size=64"}, buffers);
  const uint32_t before = pool.available(pool.ctx);
  OpenPort port("net_null0");
  Burst b;
  for (int i = 0; i < 1000; i++) {
    EXPECT(b.receive(port, 64) == 64);
    for (uint32_t r = 0; r < b.count; r++) {
      EXPECT(b.length[r] == 64 && b.data[r] == b.handle[r] + pool.data_min + pool.headroom);
      EXPECT(b.data[r] + b.length[r] <= pool.size);
    }
    EXPECT(b.send(port, pool) == 64);
  }
  const auto c = port.counters();
  EXPECT(c.received_packets == 64000 && c.received_bytes == 64000 * 64);
  EXPECT(c.transmitted_packets == 64000 && c.transmitted_bytes == c.received_bytes);
  EXPECT(c.link_up == 1 && c.gone == 0 && c.exhausted == 0 && c.no_buffer == 0);
  EXPECT(pool.available(pool.ctx) == before);
}

void pool_gives_all_or_nothing() {
  const rxnf_pool pool = start({}, buffers);
  std::vector<uint32_t> handles(buffers + 1);
  EXPECT(pool.alloc(pool.ctx, handles.data(), buffers + 1) == 0);
  EXPECT(pool.available(pool.ctx) == buffers);
  EXPECT(pool.alloc(pool.ctx, handles.data(), buffers) == buffers);
  EXPECT(pool.available(pool.ctx) == 0);
  uint32_t one;
  EXPECT(pool.alloc(pool.ctx, &one, 1) == 0);
  for (uint32_t i = 0; i < buffers; i++) {
    EXPECT(handles[i] + pool.data_min + pool.room <= pool.size);
    std::memset(pool.base + handles[i] + pool.data_min, 0xa5, pool.room);
  }
  pool.free(pool.ctx, handles.data(), buffers);
  EXPECT(pool.available(pool.ctx) == buffers);
}

void dry_pool_is_counted_and_survived() {
  const rxnf_pool pool = start({"net_null0,size=64"}, buffers);
  OpenPort port("net_null0");
  std::vector<uint32_t> handles(buffers);
  EXPECT(pool.alloc(pool.ctx, handles.data(), buffers) == buffers);
  Burst b;
  EXPECT(b.receive(port, 64) == 0);
  EXPECT(port.counters().no_buffer == 1);
  pool.free(pool.ctx, handles.data(), buffers);
  EXPECT(b.receive(port, 64) == 64);
  EXPECT(b.send(port, pool) == 64);
}

void finite_capture_ends_and_comes_out_the_same() {
  const std::string in = write_capture("in", 100, 200), out = scratch("out");
  const rxnf_pool pool = start({"net_pcap0,rx_pcap=" + in + ",tx_pcap=" + out}, buffers);
  OpenPort port("net_pcap0", 100);
  EXPECT(drain(port, port, pool) == 100);
  EXPECT(port.counters().exhausted == 1);
  SUCCEEDS(port.close());
  const std::string a = contents(in), b = contents(out);
  EXPECT(a.size() == b.size());
  for (size_t i = 0; i < 100; i++) {
    const size_t frame = 24 + i * 216 + 16;
    EXPECT(a.compare(frame, 200, b, frame, 200) == 0);
  }
  EXPECT(pool.available(pool.ctx) == buffers);
}

void moved_and_resized_frames_leave_as_their_rows_say() {
  const std::string in = write_capture("in", 1, 100), out = scratch("out");
  const rxnf_pool pool = start({"net_pcap0,rx_pcap=" + in + ",tx_pcap=" + out}, buffers);
  OpenPort port("net_pcap0", 1);
  Burst b;
  EXPECT(b.receive(port, 32) == 1);
  b.data[0] -= 4;
  b.length[0] += 4;
  std::memcpy(pool.base + b.data[0], "RXNF", 4);
  // A second frame, made here rather than received.
  EXPECT(pool.alloc(pool.ctx, &b.handle[1], 1) == 1);
  b.data[1] = b.handle[1] + pool.data_min + pool.headroom;
  b.length[1] = 60;
  std::memset(pool.base + b.data[1], 0x77, 60);
  b.count = 2;
  EXPECT(b.send(port, pool) == 2);
  SUCCEEDS(port.close());
  const std::string sent = contents(out);
  EXPECT(sent.size() == 24 + 16 + 104 + 16 + 60);
  EXPECT(sent.compare(40, 4, "RXNF") == 0 && sent[44 + 14] == '\0');
  EXPECT(sent.compare(160, 60, std::string(60, '\x77')) == 0);
}

void frames_larger_than_a_buffer_are_dropped_and_counted() {
  const std::string in = write_capture("in", 10, 4000);
  const rxnf_pool pool = start({"net_pcap0,rx_pcap=" + in}, buffers);
  OpenPort port("net_pcap0", 10);
  EXPECT(drain(port, port, pool) == 0);
  const auto c = port.counters();
  EXPECT(c.multi_segment == 10 && c.exhausted == 1);
  EXPECT(pool.available(pool.ctx) == buffers);
}

void looped_capture_has_no_end() {
  const std::string in = write_capture("in", 10, 60);
  const rxnf_pool pool = start({"net_pcap0,rx_pcap=" + in + ",infinite_rx=1"}, buffers);
  OpenPort port("net_pcap0");
  Burst b;
  for (int i = 0; i < 100; i++) {
    EXPECT(b.receive(port, 8) == 8);
    EXPECT(b.send(port, pool, false) == 8);
  }
  EXPECT(port.counters().exhausted == 0);
}

void closed_port_answers_nothing() {
  start({"net_null0,size=64"}, buffers);
  OpenPort port("net_null0");
  SUCCEEDS(port.close());
  Burst b;
  EXPECT(b.receive(port, 64) == 0);
  const auto c = port.counters();
  EXPECT(c.gone == 1 && c.link_up == 0);
  EXPECT(port.close() == -ENODEV);
}

// What a driver of virtual functions does when the physical one was reset.
void tell_of_reset(const char *device) {
  constexpr int intr_reset = 3;  // RTE_ETH_EVENT_INTR_RESET
  static void *const ethdev = dlopen("librte_ethdev.so.23", RTLD_NOW | RTLD_NOLOAD);
  static const auto find =
      reinterpret_cast<void *(*)(const char *)>(dlsym(ethdev, "rte_eth_dev_allocated"));
  static const auto tell =
      reinterpret_cast<int (*)(void *, int, void *)>(dlsym(ethdev, "rte_eth_dev_callback_process"));
  tell(find(device), intr_reset, nullptr);
}

void device_that_was_reset_is_set_up_anew_when_its_lanes_have_left() {
  const rxnf_pool pool = start({"net_null0,size=64"}, buffers);
  OpenPort port("net_null0");
  Burst b;
  EXPECT(b.receive(port, 64) == 64 && b.send(port, pool) == 64);
  tell_of_reset("net_null0");
  tell_of_reset("net_null0");
  EXPECT(port.counters().link_up == 0);
  for (int i = 0; i < 50; i++) pause_a_little();
  EXPECT(port.counters().resets == 0);  // this lane has not asked yet: it may be inside
  EXPECT(b.receive(port, 64) == 0);
  for (int i = 0; i < patience && b.receive(port, 64) == 0; i++) pause_a_little();
  EXPECT(b.count == 64 && b.send(port, pool) == 64);
  const auto c = port.counters();
  EXPECT(c.resets == 1 && c.link_up == 1 && c.gone == 0);
  EXPECT(c.received_packets == 128 && c.transmitted_packets == 128);
}

void device_may_be_closed_while_it_is_reset() {
  start({"net_null0,size=64"}, buffers);
  OpenPort port("net_null0");
  tell_of_reset("net_null0");
  SUCCEEDS(port.close());
  for (int i = 0; i < 50; i++) pause_a_little();
  Burst b;
  EXPECT(b.receive(port, 64) == 0);
  EXPECT(port.counters().gone == 1 && port.counters().resets == 0);
}

void starting_twice_is_refused_with_a_sentence() {
  start({}, buffers);
  const char *argv[] = {"rxnf"};
  EXPECT(library().start(1, argv, &last_error) == -EALREADY);
  EXPECT(std::strstr(last_error.message, "once per process") != nullptr);
}

void bad_arguments_fail_without_ending_the_process() {
  EXPECT(std::freopen("/dev/null", "w", stdout) != nullptr);  // EAL prints its usage
  const char *argv[] = {"rxnf", "--no-such-option"};
  EXPECT(library().start(2, argv, &last_error) < 0);
  EXPECT(std::strlen(last_error.message) > 0);
}

void missing_capture_is_a_missing_device() {
  start({"net_pcap0,rx_pcap=/nowhere/at/all.pcap"}, buffers);
  const rxnf_dpdk_port_config config{"net_pcap0", 1, 512, 512, 0, 0, 1, 0};
  rxnf_dpdk_port_info info;
  EXPECT(library().open_port(&config, &info, &last_error) == -ENODEV);
  EXPECT(std::strstr(last_error.message, "net_pcap0") != nullptr);
}

void more_queues_than_the_device_has_are_refused() {
  const std::string in = write_capture("in", 1, 60);
  start({"net_pcap0,rx_pcap=" + in}, buffers);
  const rxnf_dpdk_port_config config{"net_pcap0", 2, 512, 512, 0, 0, 1, 0};
  rxnf_dpdk_port_info info;
  EXPECT(library().open_port(&config, &info, &last_error) == -EINVAL);
  EXPECT(std::strstr(last_error.message, "2 queues") != nullptr);
}

void affinity_of_the_caller_is_kept() {
  cpu_set_t before, after;
  sched_getaffinity(0, sizeof(before), &before);
  start({}, buffers);
  sched_getaffinity(0, sizeof(after), &after);
  EXPECT(CPU_EQUAL(&before, &after));
}

void two_lanes_poll_their_queues_apart() {
  const std::string in = write_capture("in", 10, 60);
  const std::string receive = ",rx_pcap=" + in;
  const rxnf_pool pool = start({"net_pcap0" + receive + receive + ",infinite_rx=1"}, buffers);
  const rxnf_dpdk_port_config config{"net_pcap0", 2, 512, 512, 0, 0, 1, 0};
  rxnf_dpdk_port_info info;
  SUCCEEDS(library().open_port(&config, &info, &last_error));
  uint32_t filtered = 1;
  SUCCEEDS(library().start_port(info.ethdev, &filtered, &last_error));
  EXPECT(filtered == 0);
  const auto lane = [&](uint16_t index) {
    SUCCEEDS(library().register_thread(&last_error));
    rxnf_queue queue;
    SUCCEEDS(library().open_queue(info.ethdev, index, &queue, &last_error));
    uint32_t handle[32], data[32], length[32];
    for (int i = 0; i < 10000; i++) {
      const uint32_t n = queue.receive(queue.ctx, handle, data, length, 32);
      EXPECT(queue.transmit(queue.ctx, handle, data, length, n) == n);
    }
    rxnf_port_counters c;
    queue.counters(queue.ctx, &c);
    EXPECT(c.received_packets == 320000 && c.transmitted_packets == 320000);
    library().unregister_thread();
  };
  std::thread first(lane, 0), second(lane, 1);
  first.join();
  second.join();
  const uint32_t kept_by_the_device = 2 * 10;
  EXPECT(pool.available(pool.ctx) == buffers - kept_by_the_device);
}

void ring_gives_back_what_it_took() {
  const rxnf_pool pool = start({"net_ring0"}, buffers);
  OpenPort port("net_ring0");
  Burst b;
  b.count = pool.alloc(pool.ctx, b.handle, 32);
  for (uint32_t i = 0; i < 32; i++) {
    b.data[i] = b.handle[i] + pool.data_min + pool.headroom;
    b.length[i] = 60 + i;
  }
  EXPECT(b.send(port, pool) == 32);
  EXPECT(b.receive(port, 64) == 32);
  for (uint32_t i = 0; i < 32; i++) EXPECT(b.length[i] == 60 + i);
  pool.free(pool.ctx, b.handle, b.count);
  EXPECT(pool.available(pool.ctx) == buffers);
}

void memif_passes_frames_between_its_two_ends() {
  const std::string socket = ",socket-abstract=no,socket=" + scratch("memif");
  const rxnf_pool pool = start(
      {"net_memif0,role=server,id=0" + socket, "net_memif1,role=client,id=0" + socket}, buffers);
  OpenPort server("net_memif0"), client("net_memif1");
  Burst b;
  for (int i = 0;
       i < patience && (client.counters().link_up == 0 || server.counters().link_up == 0); i++)
    pause_a_little();
  EXPECT(client.counters().link_up == 1 && server.counters().link_up == 1);
  b.count = pool.alloc(pool.ctx, b.handle, 1);
  b.data[0] = b.handle[0] + pool.data_min + pool.headroom;
  b.length[0] = 77;
  EXPECT(b.send(client, pool) == 1);
  for (int i = 0; i < patience && b.receive(server, 8) == 0; i++) pause_a_little();
  EXPECT(b.count == 1 && b.length[0] == 77);
  Burst none;
  none.receive(client, 8);  // the client offers buffers to the server when it polls
  EXPECT(b.send(server, pool) == 1);
}

void vhost_user_server_opens_without_a_peer() {
  start({"net_vhost0,iface=" + scratch("vhost") + ",queues=1"}, buffers);
  OpenPort port("net_vhost0");
  Burst b;
  EXPECT(b.receive(port, 32) == 0);
  EXPECT(port.counters().link_up == 0);
}

void ordinary_pages_serve_as_hugepages_do() {
  const rxnf_pool pool = start({"net_null0,size=64"}, buffers, false);
  EXPECT(pool.size < 2400ull * buffers + (4u << 20));  // buffers lie close, not one on each page
  OpenPort port("net_null0");
  Burst b;
  EXPECT(b.receive(port, 64) == 64 && b.send(port, pool) == 64);
}

const Case cases[] = {
    CASE(null_port_forwards_and_conserves_its_buffers),
    CASE(pool_gives_all_or_nothing),
    CASE(dry_pool_is_counted_and_survived),
    CASE(finite_capture_ends_and_comes_out_the_same),
    CASE(moved_and_resized_frames_leave_as_their_rows_say),
    CASE(frames_larger_than_a_buffer_are_dropped_and_counted),
    CASE(looped_capture_has_no_end),
    CASE(closed_port_answers_nothing),
    CASE(device_that_was_reset_is_set_up_anew_when_its_lanes_have_left),
    CASE(device_may_be_closed_while_it_is_reset),
    CASE(starting_twice_is_refused_with_a_sentence),
    CASE(bad_arguments_fail_without_ending_the_process),
    CASE(missing_capture_is_a_missing_device),
    CASE(more_queues_than_the_device_has_are_refused),
    CASE(affinity_of_the_caller_is_kept),
    CASE(two_lanes_poll_their_queues_apart),
    CASE(ring_gives_back_what_it_took),
    CASE(memif_passes_frames_between_its_two_ends),
    CASE(vhost_user_server_opens_without_a_peer),
    CASE(ordinary_pages_serve_as_hugepages_do),
};

}  // namespace

int main(int argc, char **argv) {
  const int failures = run_cases(cases, argc, argv);
  for (const char *name : {"in", "out", "memif", "vhost"}) {
    const std::string path = "/tmp/rxnf_dpdk_port_test." + std::to_string(getpid()) + "." + name;
    unlink(path.c_str());
  }
  return failures == 0 ? 0 : 1;
}
