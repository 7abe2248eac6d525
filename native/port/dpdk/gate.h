// Shuts lanes out of a device and tells when all of them have left it: quiescent states, as DPDK's
// rte_rcu_qsbr has them. A lane pays one load a burst.
#pragma once
#include <atomic>
#include <cstdint>

namespace rxnf::dpdk {

class Gate {
 public:
  // One lane's side.
  class Pass {
   public:
    explicit Pass(const Gate &gate) : gate_(gate) {}

    // Whether the lane may go in, until it asks again.
    bool enter() {
      const uint32_t turn = gate_.turn_.load(std::memory_order_acquire);
      if (turn != seen_.load(std::memory_order_relaxed)) [[unlikely]]
        seen_.store(turn, std::memory_order_release);  // what it did inside is done
      return is_open(turn);
    }

    // It has asked since the gate was last shut or opened.
    bool knows() const {
      return seen_.load(std::memory_order_acquire) == gate_.turn_.load(std::memory_order_relaxed);
    }

   private:
    const Gate &gate_;
    std::atomic<uint32_t> seen_{0};
  };

  // To have lanes that know by then have left what they were inside, while the gate stays as it is.
  void turn_on() { turn_.fetch_add(2, std::memory_order_acq_rel); }
  void open() { turn_to(true); }
  void shut() { turn_to(false); }

 private:
  static bool is_open(uint32_t turn) { return turn % 2 == 1; }

  void turn_to(bool open) {
    uint32_t turn = turn_.load(std::memory_order_relaxed);
    while (is_open(turn) != open && !turn_.compare_exchange_weak(turn, turn + 1)) {
    }
  }

  std::atomic<uint32_t> turn_{0};
};

}  // namespace rxnf::dpdk
