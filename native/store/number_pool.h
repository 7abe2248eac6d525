// A pool of numbers (a NAT's ports) that lanes lease in blocks. Handed out in order of return: the
// number free for the longest goes first, so that a port just given up is not met again soon (RFC
// 6056). Each number knows whether it is out, by whose lease and since when: none is ever free
// twice, and those of the dead can be found.
//
// In private memory for the lanes of a process, or in shared memory for those of a machine.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>

#include "store/hand.h"
#include "store/table.h"

namespace rxnf {

class NumberPool {
 public:
  NumberPool(uint32_t first, uint32_t count);
  // In memory that others see too: `format` has made it one.
  NumberPool(Memory memory, Hand &hand, uint32_t number);

  static size_t bytes_for(uint32_t count);
  static void format(uint32_t first, uint32_t count, uint8_t *base);

  bool valid() const { return header_ != nullptr; }
  uint32_t first() const { return header_->first; }
  uint32_t count() const { return header_->count; }
  uint32_t free() const { return header_->size.load(std::memory_order_relaxed); }

  // Fills `out` as far as the pool goes; returns how many. `now` in seconds, `writer` of the
  // lessee.
  uint32_t take(uint32_t *out, uint32_t n, uint32_t writer = 0, uint32_t now = 0);
  // Returns how many, from the first: it stops at one that is not of this pool or not out.
  uint32_t give(const uint32_t *numbers, uint32_t n);

  // Numbers from `from` on, at most `limit` of them looked at, that are out and were leased at
  // `until` or before, or by the fenced `writer`. `leased` gets when. Returns how many.
  uint32_t stale(uint32_t from, uint32_t limit, uint32_t until, uint32_t *out,
                 uint32_t *leased) const;
  // Takes a number back that nobody uses, if its lease is still that one.
  bool reclaim(uint32_t number, uint32_t leased);
  // Numbers leased by a writer that is gone become stale at once.
  void expire_leases_of(uint32_t writer);

  // What a dead writer left.
  void repair();
  // The first thing that is wrong with it while nobody uses it, or null.
  const char *check() const;

 private:
  struct Number {
    uint32_t out;  // 1
    uint32_t writer;
    uint32_t leased;  // seconds
  };
  struct Header {
    uint64_t magic;
    uint32_t first, count;
    std::atomic<uint32_t> lock;  // tag of the holder
    std::atomic<uint32_t> size;  // free numbers
    uint32_t head;
    uint32_t zero;
  };
  class Locked;

  void attach(Memory memory);
  uint32_t index(uint32_t number) const { return number - header_->first; }
  // Place in the ring, `n` (at most `count`) after the head.
  uint32_t after_head(uint32_t n) const {
    const uint32_t rest = header_->count - header_->head;
    return n < rest ? header_->head + n : n - rest;
  }
  void put_back(uint32_t i);

  uint32_t number_ = 0;  // in its hand's list of names
  Hand *hand_;
  Memory memory_;
  Header *header_ = nullptr;
  uint32_t *ring_ = nullptr;  // free numbers, `size` of them from `head`
  Number *numbers_ = nullptr;
};

}  // namespace rxnf
