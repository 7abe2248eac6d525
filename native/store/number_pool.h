// A pool of numbers (a NAT's ports) that the lanes of a process lease in blocks. Handed out in
// order of return: the number free for the longest goes first, so that a port just given up is not
// met again soon (RFC 6056). A bit for each number: none is ever free twice.
#pragma once
#include <cstdint>
#include <mutex>
#include <vector>

namespace rxnf {

class NumberPool {
 public:
  NumberPool(uint32_t first, uint32_t count) : first_(first), ring_(count), free_(count, true) {
    for (uint32_t i = 0; i < count; i++) ring_[i] = first + i;
    size_ = count;
  }

  uint32_t first() const { return first_; }
  uint32_t count() const { return static_cast<uint32_t>(ring_.size()); }

  uint32_t take(uint32_t *out, uint32_t n) {
    std::lock_guard<std::mutex> guard(lock_);
    if (n > size_) n = size_;
    for (uint32_t i = 0; i < n; i++) {
      out[i] = ring_[head_];
      free_[out[i] - first_] = false;
      if (++head_ == ring_.size()) head_ = 0;
    }
    size_ -= n;
    return n;
  }

  // False when the number is not of this pool or not out.
  bool give(uint32_t number) {
    std::lock_guard<std::mutex> guard(lock_);
    const uint32_t i = number - first_;
    if (number < first_ || i >= ring_.size() || free_[i]) return false;
    free_[i] = true;
    ring_[(size_t{head_} + size_++) % ring_.size()] = number;
    return true;
  }

 private:
  const uint32_t first_;
  std::mutex lock_;
  std::vector<uint32_t> ring_;
  std::vector<bool> free_;
  uint32_t head_ = 0, size_ = 0;
};

}  // namespace rxnf
