// A lane without ports to speak of: its latency buckets, and verdicts that cannot be carried out.
#include "lane/lane.h"
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

}  // namespace

int main() {
  buckets_grow_and_are_narrow();
  no_verdict_loses_a_buffer();
  a_batch_takes_as_many_as_it_has_rows();
}
