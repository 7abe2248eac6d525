// A lane without ports to speak of: its latency buckets, and verdicts that cannot be carried out.
#include "lane/lane.h"

#include <array>
#include <cstring>
#include "port/memory/memory.h"
#include "test/support.h"

using namespace rxnf;
using rxnf::test::Random;

namespace {

void buckets_grow_and_are_narrow() {
  uint32_t last = 0;
  for (uint64_t ns = 0; ns < 200000; ns++) {
    const uint32_t b = latency_bucket(ns);
    EXPECT(b == last || b == last + 1);
    last = b;
  }
  Random random(1);
  for (int i = 0; i < 100000; i++) {
    const uint64_t ns = random() >> random.below(64);
    const uint32_t b = latency_bucket(ns);
    EXPECT(b < Counters::latency_buckets);
    EXPECT(b <= latency_bucket(ns == ~uint64_t{0} ? ns : ns + 1));
    // One sixteenth more is another bucket.
    if (ns >= 16 && ns < uint64_t{1} << 60) EXPECT(latency_bucket(ns + ns / 16 + 1) > b);
  }
  EXPECT(latency_bucket(~uint64_t{0}) < Counters::latency_buckets);
}

// Whatever stands in a verdict, the packet is sent, freed or held, and counted.
void no_verdict_loses_a_buffer() {
  MemoryPool pool(64);
  LaneConfig config{1, 64, 64, {}, 1};
  const rxnf_pool buffers = pool.pool();
  Lane lane(buffers, config);
  lane.control().virtual_clock = 1;
  Batch b = lane.layout().at(lane.block(), 0);
  const int32_t verdicts[] = {0,      1,       2,  32,   33,   34,     64,        65,
                              0x7ffe, 0x10000, -1, -255, -256, -70000, INT32_MAX, INT32_MIN + 1};
  for (const int32_t v : verdicts)
    for (const bool mixed : {false, true}) {
      lane.control().receive_into = 0;
      lane.breathe();
      EXPECT(lane.originate(0, 0, 60) == 0 && lane.originate(0, 0, 60) == 1);
      b.verdict[0] = v;
      b.verdict[1] = mixed ? verdict::drop(4) : v;
      lane.control().receive_into = -1;
      lane.control().transmit_count = 1;
      lane.control().transmit[0] = 0;
      lane.breathe();
      EXPECT(pool.available() == 64);
    }
  double dropped = 0;
  for (const double d : lane.counters().dropped) dropped += d;
  EXPECT(dropped == 2 * 2 * (sizeof verdicts / sizeof *verdicts));
}

void a_batch_takes_as_many_as_it_has_rows() {
  MemoryPool pool(64);
  const rxnf_pool buffers = pool.pool();
  Lane lane(buffers, {1, 8, 4, {}, 1});
  lane.control().receive_into = 0;
  lane.breathe();
  for (int row = 0; row < 8; row++) EXPECT(lane.originate(0, 0, 60) == row);
  EXPECT(lane.originate(0, 0, 60) == -1);
  EXPECT(pool.available() == 56);
  lane.control().receive_into = -1;
  lane.control().transmit_count = 1;
  lane.breathe();
  EXPECT(pool.available() == 64);
  lane.control().receive_into = 0;
  lane.breathe();
  EXPECT(lane.originate(0, 0, MemoryPool::room - MemoryPool::headroom + 1) == -1);
  EXPECT(lane.originate(0, 0, MemoryPool::room - MemoryPool::headroom) == 0);
}

// A port that gives and takes one frame, with so many bytes free in front of it.
struct OneFrame {
  rxnf_pool pool;
  uint32_t free_bytes, sent = 0;
  std::array<uint8_t, 32> seen{};

  rxnf_queue queue() { return {this, receive, transmit, nullptr, 1}; }
  static uint32_t receive(void *ctx, uint32_t *handle, uint32_t *data, uint32_t *length, uint32_t) {
    auto &self = *static_cast<OneFrame *>(ctx);
    EXPECT(self.pool.alloc(self.pool.ctx, handle, 1) == 1);
    *data = *handle + self.pool.data_min + self.free_bytes;
    *length = 60;
    for (uint8_t i = 0; i < 60; i++) self.pool.base[*data + i] = i;
    return 1;
  }
  static uint32_t transmit(void *ctx, const uint32_t *handle, const uint32_t *data,
                           const uint32_t *length, uint32_t n) {
    auto &self = *static_cast<OneFrame *>(ctx);
    EXPECT(n == 1 && *length == 64 && data != nullptr);
    std::memcpy(self.seen.data(), self.pool.base + *data, self.seen.size());
    self.pool.free(self.pool.ctx, handle, 1);
    self.sent++;
    return 1;
  }
};

void a_tag_takes_four_bytes_of_headroom_or_the_frame_is_dropped() {
  for (const uint32_t free_bytes : {0u, 3u, 4u, 128u}) {
    MemoryPool pool(64);
    OneFrame port{pool.pool(), free_bytes};
    Lane lane(port.pool, {1, 8, 4, {}, 1});
    lane.add_port(0, port.queue());  // without a VLAN: gives frames as they are
    lane.add_port(1, port.queue());
    EXPECT(!lane.set_vlan(2, 100) && !lane.set_vlan(1, 0) && !lane.set_vlan(1, 4095));
    EXPECT(lane.set_vlan(1, 0xabc));
    lane.control().budget[1] = 0;
    lane.control().budget[0] = 1;
    lane.control().receive_into = 0;
    lane.breathe();
    Batch b = lane.layout().at(lane.block(), 0);
    EXPECT(b.header->count == 1);
    b.verdict[0] = verdict::forward(1);
    lane.control().receive_into = -1;
    lane.control().transmit_count = 1;
    lane.control().transmit[0] = 0;
    lane.breathe();
    const bool fits = free_bytes >= 4;
    EXPECT(port.sent == fits);
    EXPECT(lane.counters().dropped[static_cast<uint32_t>(Reason::no_headroom)] == !fits);
    EXPECT(pool.available() == 64);
    const uint8_t around[] = {10, 11, 0x81, 0x00, 0x0a, 0xbc, 12, 13};
    if (fits) EXPECT(port.seen[0] == 0 && std::memcmp(&port.seen[10], around, sizeof around) == 0);
  }
}

}  // namespace

int main() {
  a_tag_takes_four_bytes_of_headroom_or_the_frame_is_dropped();
  buckets_grow_and_are_narrow();
  no_verdict_loses_a_buffer();
  a_batch_takes_as_many_as_it_has_rows();
}
