// Zeroed memory for a table, in 2 MiB pages where the machine has them (a lookup that misses the
// cache then seldom misses the TLB as well).
#pragma once
#include <sys/mman.h>
#include <cstddef>
#include <cstdint>

namespace rxnf {

class Region {
 public:
  explicit Region(size_t bytes) {
    constexpr size_t huge = size_t{2} << 20;
    size_ = (bytes + huge - 1) & ~(huge - 1);
    // Reserved: a machine that runs out of huge pages says so here, and not by SIGBUS later.
    void *p = mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED) {
      // One page more than asked for, so that the part used begins on a huge-page boundary.
      mapped_ = size_ + huge;
      p = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (p == MAP_FAILED) return;
      start_ = p;
      p = reinterpret_cast<void *>((reinterpret_cast<uintptr_t>(p) + huge - 1) & ~(huge - 1));
      madvise(p, size_, MADV_HUGEPAGE);
    } else {
      mapped_ = size_;
      start_ = p;
    }
    base_ = static_cast<uint8_t *>(p);
  }
  ~Region() {
    if (start_) munmap(start_, mapped_);
  }
  Region(const Region &) = delete;
  Region &operator=(const Region &) = delete;

  uint8_t *base() const { return base_; }  // null when the machine has no such memory
  size_t size() const { return size_; }

 private:
  void *start_ = nullptr;
  uint8_t *base_ = nullptr;
  size_t size_ = 0, mapped_ = 0;
};

}  // namespace rxnf
