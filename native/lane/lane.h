// A lane: one thread's ports, batches and kernels, and the one call that moves packets.
//
// Owns every batch. A row of a batch owns its buffer until the batch is transmitted: then each row
// is sent, freed and counted under its reason, or (verdict::held) left to whoever took it.
#pragma once
#include <array>
#include <memory>
#include <vector>

#include "kernels/kernel.h"
#include "kernels/write.h"
#include "lane/reasons.h"
#include "lane/traits.h"
#include "port/port.h"

namespace rxnf {

inline constexpr uint32_t max_ports = 32;
inline constexpr uint32_t max_batches = 64;
inline constexpr uint32_t max_injected = 256;

// Words that JavaScript and the lane share (an Int32Array over this struct, then counters).
struct Control {
  int32_t receive_into;    // batch to fill, or -1
  int32_t transmit_count;  // batches to settle, in order
  int32_t transmit[max_batches];
  int32_t inject_count;  // packets re-entering ahead of what is received
  struct Injected {
    uint32_t handle, data, length, ingress;
  } inject[max_injected];
  int32_t budget[max_ports];  // rows that may be received from a port in this breath; -1: no limit
  int32_t virtual_clock;      // 1: `tick_ns` is set by JavaScript (tests, simulation)
  int32_t transmitted;        // out: packets sent in this breath
  int32_t arrived;            // out: packets received in it
};

struct Counters {
  double tick_ns;  // lane clock: monotonic nanoseconds
  double breaths, empty_polls, batches;
  double received[max_ports], forwarded[max_ports];
  double originated, injected, held, freed;
  double dropped[max_reasons];
  static constexpr uint32_t latency_buckets = 64 * 16;
  double latency[latency_buckets];  // log-linear, 16 steps an octave: see latency_bucket
};

uint32_t latency_bucket(uint64_t nanoseconds);

struct LaneConfig {
  uint32_t batches, rows;  // rows: the burst, and room for packets made here
  uint32_t burst;
  std::vector<uint32_t> strides;
  uint32_t writer;
};

class Lane {
 public:
  Lane(const rxnf_pool &pool, const LaneConfig &config);
  ~Lane();
  Lane(const Lane &) = delete;
  Lane &operator=(const Lane &) = delete;

  void add_port(uint32_t number, const rxnf_queue &queue) {
    ports_.push_back({number, queue, 0});
    keep_place_ &= queue.keeps_place != 0;
  }
  // Frames of this port, added before, have the tag of a VLAN on the wire. False for a port or an
  // identifier that is none.
  bool set_vlan(uint32_t number, uint32_t identifier);
  uint32_t add_kernel(std::unique_ptr<Kernel> k) {
    kernels_.push_back(std::move(k));
    return static_cast<uint32_t>(kernels_.size() - 1);
  }
  int32_t run(uint32_t kernel, uint32_t batch) { return kernels_[kernel]->run(batches_[batch]); }

  // Settles what `control` lists, then receives into the batch it names.
  void breathe();

  // No call comes any more from those who hold on to it.
  void close() { closed_ = true; }
  bool closed() const { return closed_; }

  // A fresh packet of `length` bytes at the end of a batch; its row, or -1 (no room, no buffer).
  int32_t originate(uint32_t batch, uint32_t ingress, uint32_t length);
  void free(const uint32_t *handles, uint32_t n) { pool_.free(pool_.ctx, handles, n); }

  Control &control() { return *control_; }
  Counters &counters() { return *counters_; }
  uint8_t *block() { return block_.get(); }
  size_t block_size() const { return size_t{layout_.size} * config_.batches; }
  const BatchLayout &layout() const { return layout_; }
  const rxnf_pool &pool() const { return pool_; }
  Writer &writer() { return writer_; }
  size_t kernels() const { return kernels_.size(); }
  size_t batches() const { return batches_.size(); }

 private:
  struct LanePort {
    uint32_t number;
    rxnf_queue queue;
    uint16_t vlan = 0;  // 0: none
  };
  uint32_t settle(Batch &b);
  uint32_t send(uint32_t port, const uint32_t *handle, const uint32_t *data, const uint32_t *length,
                uint32_t n);
  void receive(Batch &b);
  struct Rows {
    uint32_t handle[max_rows], data[max_rows], length[max_rows];
  };
  uint32_t put_tags(const uint32_t *handle, const uint32_t *data, const uint32_t *length,
                    uint32_t n, uint16_t vlan, Rows &out);
  uint32_t keep_tagged(Batch &b, uint32_t from, uint32_t count, uint16_t vlan);
  LanePort *port(uint32_t number);

  struct FreeBlock {
    void operator()(uint8_t *p) const { std::free(p); }
  };

  const rxnf_pool pool_;
  const LaneConfig config_;
  const BatchLayout layout_;
  std::unique_ptr<uint8_t, FreeBlock> block_;
  std::unique_ptr<Control> control_ = std::make_unique<Control>();
  std::unique_ptr<Counters> counters_ = std::make_unique<Counters>();
  std::vector<Batch> batches_;
  std::vector<LanePort> ports_;
  std::vector<std::unique_ptr<Kernel>> kernels_;
  Writer writer_;
  bool closed_ = false;
  bool keep_place_ = true;   // every port does
  uint32_t first_port_ = 0;  // rotates, so that no port starves the others
};

}  // namespace rxnf
