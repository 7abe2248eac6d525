// Ports and packet buffers without DPDK: an arena of cells, and queues whose two ends are filled
// and drained from JavaScript. Tests, captures and machines with no libdpdk run on these.
#pragma once
#include <memory>
#include <vector>

#include "port/port.h"

namespace rxnf {

class MemoryPool {
 public:
  static constexpr uint32_t headroom = 128, room = 2176;
  explicit MemoryPool(uint32_t cells);
  ~MemoryPool();
  MemoryPool(const MemoryPool &) = delete;
  MemoryPool &operator=(const MemoryPool &) = delete;

  bool valid() const { return base_ != nullptr; }
  rxnf_pool pool();
  uint32_t available() const { return static_cast<uint32_t>(free_.size()); }

 private:
  uint8_t *base_ = nullptr;
  uint64_t size_;
  uint32_t cells_;
  std::vector<uint32_t> free_;  // a stack: the warmest cell is used next
};

// A bounded ring of packets. Not shared between threads.
class PacketRing {
 public:
  explicit PacketRing(uint32_t capacity) : rows_(capacity) {}
  struct Row {
    uint32_t handle, data, length;
  };
  bool push(const Row &r) {
    if (size_ == rows_.size()) return false;
    rows_[(first_ + size_++) % rows_.size()] = r;
    return true;
  }
  bool pop(Row &r) {
    if (size_ == 0) return false;
    r = rows_[first_];
    first_ = (first_ + 1) % static_cast<uint32_t>(rows_.size());
    size_--;
    return true;
  }
  uint32_t size() const { return size_; }
  uint32_t space() const { return static_cast<uint32_t>(rows_.size()) - size_; }

 private:
  std::vector<Row> rows_;
  uint32_t first_ = 0, size_ = 0;
};

class MemoryQueue {
 public:
  MemoryQueue(const rxnf_pool &pool, uint32_t capacity)
      : pool_(pool), to_receive_(capacity), transmitted_(capacity) {}
  ~MemoryQueue();
  rxnf_queue queue();

  // Copies frames in until the ring or the pool is full; returns how many went in. A frame longer
  // than a cell is counted in receive_errors and passed over.
  uint32_t push(const uint8_t *bytes, const uint32_t *offsets, const uint32_t *lengths, uint32_t n);
  // Copies one transmitted frame out, at most `size` bytes; 0 when there is none, else its length.
  uint32_t take(uint8_t *out, uint32_t size);
  uint32_t waiting() const { return transmitted_.size(); }
  uint32_t unread() const { return to_receive_.size(); }
  // Free what is transmitted instead of keeping it.
  void discard(bool on) { discard_ = on; }
  // Frames a full transmit ring refuses are the sender's; a test sets this to make it full.
  void refuse(bool on) { refuse_ = on; }
  rxnf_port_counters &counters() { return counters_; }

 private:
  static uint32_t receive(void *, uint32_t *, uint32_t *, uint32_t *, uint32_t);
  static uint32_t transmit(void *, const uint32_t *, const uint32_t *, const uint32_t *, uint32_t);
  static void count(void *, rxnf_port_counters *);

  const rxnf_pool pool_;
  PacketRing to_receive_, transmitted_;
  rxnf_port_counters counters_ = [] {
    rxnf_port_counters c{};
    c.link_up = 1;
    return c;
  }();
  bool discard_ = false, refuse_ = false;
};

}  // namespace rxnf
