// The tables of fused_nat.cc: flows, in one cache line each, and free ports.
#pragma once
#include <immintrin.h>
#include <rte_malloc.h>

#include <cstdint>

#include "harness.h"

namespace bench {

inline constexpr uint64_t present = uint64_t{1} << 63, from_outside = uint64_t{1} << 62;
inline uint64_t key_of(uint64_t side, uint8_t protocol, uint32_t address, uint16_t port) {
  return present | side | uint64_t{protocol} << 48 | uint64_t{port} << 32 | address;
}

struct Slot {
  uint64_t key;  // 0: empty
  uint32_t address;
  uint16_t port;
  uint16_t seen;  // tick of the last packet from inside
};
static_assert(sizeof(Slot) == 16);

struct alignas(64) Line {
  Slot slot[4];
};

// Open addressing by lines, linear probing: a key lies in its home line or, where that is full, in
// one of the next. At most half of the slots are used.
class FlowTable {
 public:
  explicit FlowTable(uint64_t keys) {
    uint64_t n = 1024;
    while (n * 2 < keys) n *= 2;  // lines: two of their four slots are used at the most
    mask_ = n - 1;
    lines_ = static_cast<Line *>(rte_zmalloc("flows", n * sizeof(Line), 1 << 21));
    if (lines_ == nullptr) fail("no memory for the flow table: raise vm.nr_hugepages");
  }
  Line *home(uint64_t key) const {
    const auto m = static_cast<unsigned __int128>(key ^ 0x9e3779b97f4a7c15) * 0xd1b54a32d192ed03;
    return lines_ + ((uint64_t(m) ^ uint64_t(m >> 64)) & mask_);
  }
  // The key's slot, or the empty one where it belongs.
  Slot *find(Line *line, uint64_t key) const {
    for (;; line = after(line)) {
      if (const int hit = slots_with(line, key)) return &line->slot[__builtin_ctz(hit)];
      if (const int empty = slots_with(line, 0)) return &line->slot[__builtin_ctz(empty)];
    }
  }

  Slot *find(uint64_t key) const { return find(home(key), key); }

  // A search ends at a line with an empty slot, so what passed a full line moves up.
  void erase(Slot *hole) {
    for (bool passed = true; passed;) {
      Line *from = lines_ + (hole - lines_->slot) / 4;
      passed = slots_with(from, 0) == 0;
      hole->key = 0;
      for (Line *line = after(from); passed; line = after(line)) {
        Slot *moving = nullptr;
        for (Slot &s : line->slot)
          if (s.key && (uint64_t(line - home(s.key)) & mask_) >= (uint64_t(line - from) & mask_))
            moving = &s;
        if (moving) {
          *hole = *moving, hole = moving;
          break;
        }
        if (slots_with(line, 0)) return;
      }
    }
  }

 private:
  Line *after(const Line *line) const { return lines_ + ((line - lines_ + 1) & mask_); }
  // One bit for each slot of the line with this key.
  static int slots_with(const Line *line, uint64_t key) {
    const auto *s = reinterpret_cast<const __m128i *>(line);
    const __m128i wanted = _mm_set1_epi64x(int64_t(key));
    const __m128i low = _mm_unpacklo_epi64(_mm_load_si128(s), _mm_load_si128(s + 1));
    const __m128i high = _mm_unpacklo_epi64(_mm_load_si128(s + 2), _mm_load_si128(s + 3));
    return _mm_movemask_pd(_mm_castsi128_pd(_mm_cmpeq_epi64(low, wanted))) |
           _mm_movemask_pd(_mm_castsi128_pd(_mm_cmpeq_epi64(high, wanted))) << 2;
  }
  Line *lines_;
  uint64_t mask_;
};

// The free ports of one external address, protocol and parity; the one free for longest goes first.
struct FreePorts {
  static constexpr uint32_t count = (65'536 - 1024) / 2, mask = 32'767;
  uint16_t ring[mask + 1];
  uint32_t head, size;
};

}  // namespace bench
