// What a table does when a writer has died in it.
//
// The journal of the dead says what it was about. A swap is done again from the journal. Everything
// else changes which keys there are, under the lock of one bucket: then every bucket is locked, the
// interrupted removal or claim is finished, and what follows from buckets and entries is made anew:
// tags, the marks of keys passed, the count, and the list of free entries. All of it may be cut
// short and begun again by another: nothing is lost until the last lock is let go.
#include <vector>

#include "store/table.h"

namespace rxnf {

// In order, so that two that repair wait for each other and not in a ring.
void Table::lock_all() {
  const uint32_t own = hand_->tag();
  for (size_t b = 0; b <= bucket_mask_; b++) {
    for (uint32_t spins = 0;; spins++) {
      uint32_t holder = 0;
      auto &lock = buckets_[b].lock;
      if (lock.compare_exchange_strong(holder, own, std::memory_order_acquire)) break;
      if ((spins & patience) == 0 && hand_->dead(holder) &&
          lock.compare_exchange_strong(holder, own, std::memory_order_acquire))
        break;
      wait(spins);
    }
  }
}

void Table::repair(const Journal &journal, const uint8_t *record) {
  const auto step = static_cast<Step>(journal.step.load(std::memory_order_acquire));
  if (step == Step::none || step == Step::numbers) return;
  if (step != Step::swap) {
    hand_->begin(Step::repair, number_);
    lock_all();
    finish(journal);
    for (size_t b = 0; b <= bucket_mask_; b++) buckets_[b].lock.store(0, std::memory_order_release);
    hand_->end();
    return;
  }
  Entry *e = at(journal.entry);
  if (e->version.load(std::memory_order_acquire) != (journal.version | 1)) return;
  std::memcpy(e->record(), record, journal.size <= header_->room ? journal.size : header_->room);
  e->timer = journal.timer;
  e->deadline.store(journal.deadline, std::memory_order_relaxed);
  e->version.store(journal.version, std::memory_order_release);
}

void Table::finish(const Journal &journal) {
  const auto step = static_cast<Step>(journal.step.load(std::memory_order_acquire));
  uint32_t condemned = no_entry;
  if (step == Step::remove || step == Step::claim) {
    Entry *e = at(journal.entry);
    if (e->version.load(std::memory_order_acquire) == (journal.version | 1)) {
      condemned = journal.entry;
      const uint64_t after = step == Step::claim ? journal.version | claimed_bit : 0;
      e->version.store(after, std::memory_order_release);
    }
  }
  rebuild(condemned);
}

void Table::rebuild(uint32_t condemned) {
  const uint32_t top = header_->allocated.load(std::memory_order_acquire);
  std::vector<bool> placed(top, false);
  std::vector<uint32_t> passed(size_t{bucket_mask_} + 1, 0);
  uint32_t used = 0;
  for (size_t b = 0; b <= bucket_mask_; b++) {
    Bucket &bucket = buckets_[b];
    for (uint32_t j = 0; j < 8; j++) {
      const uint32_t n = bucket.entry[j].load(std::memory_order_acquire);
      const bool keeps = n < top && n != condemned && !placed[n] &&
                         stands(at(n)->version.load(std::memory_order_acquire));
      if (!keeps) {
        __atomic_store_n(&bucket.tag[j], uint16_t{0}, __ATOMIC_RELEASE);
        bucket.entry[j].store(no_entry, std::memory_order_release);
        continue;
      }
      const uint64_t h = hash(at(n)->key);
      __atomic_store_n(&bucket.tag[j], tag_of(h), __ATOMIC_RELEASE);
      placed[n] = true;
      used++;
      for (size_t p = h & bucket_mask_; p != b; p = (p + 1) & bucket_mask_) passed[p]++;
    }
  }
  for (size_t b = 0; b <= bucket_mask_; b++)
    buckets_[b].passed.store(passed[b], std::memory_order_release);
  header_->used.store(used, std::memory_order_relaxed);
  uint64_t head = header_->free.load(std::memory_order_relaxed) >> 32;
  header_->free.store((head + 1) << 32 | no_entry, std::memory_order_release);
  for (uint32_t n = top; n-- > 0;) {
    if (placed[n]) continue;
    Entry *e = at(n);
    const uint64_t v = e->version.load(std::memory_order_acquire);
    if ((v & claimed_bit) != 0 && (v & 1) == 0) continue;
    e->version.store(0, std::memory_order_release);
    release(n);
  }
}

const char *Table::check() const {
  const uint32_t top = header_->allocated.load(std::memory_order_acquire);
  if (top > header_->capacity) return "more entries were handed out than there are";
  std::vector<uint8_t> seen(top, 0);  // 1 placed, 2 free, 4 claimed
  std::vector<uint32_t> passed(size_t{bucket_mask_} + 1, 0);
  uint32_t used = 0;
  for (size_t b = 0; b <= bucket_mask_; b++) {
    if (buckets_[b].lock.load(std::memory_order_acquire) != 0) return "a lock is held";
    for (uint32_t j = 0; j < 8; j++) {
      const uint32_t n = buckets_[b].entry[j].load(std::memory_order_acquire);
      if (n == no_entry) {
        if (buckets_[b].tag[j] != 0) return "an empty place has a tag";
        continue;
      }
      if (n >= top) return "a place refers to an entry that was never handed out";
      if (seen[n] & 1) return "two places refer to one entry";
      const uint64_t v = at(n)->version.load(std::memory_order_acquire);
      if (!stands(v) || (v & 1)) return "a place refers to an entry that does not stand";
      const uint64_t h = hash(at(n)->key);
      if (buckets_[b].tag[j] != tag_of(h)) return "a tag is not its key's";
      if (find(h, at(n)->key) != at(n)) return "a record is not found by its key";
      seen[n] |= 1;
      used++;
      for (size_t p = h & bucket_mask_; p != b; p = (p + 1) & bucket_mask_) passed[p]++;
    }
  }
  for (size_t b = 0; b <= bucket_mask_; b++)
    if (buckets_[b].passed.load(std::memory_order_acquire) != passed[b])
      return "a bucket counts other keys than have passed it";
  if (header_->used.load(std::memory_order_acquire) != used) return "the count is wrong";
  auto free = static_cast<uint32_t>(header_->free.load(std::memory_order_acquire));
  for (; free != no_entry; free = static_cast<uint32_t>(at(free)->key.low)) {
    if (free >= top) return "the free list leaves the table";
    if (seen[free]) return "an entry is free and in use, or free twice";
    if (at(free)->version.load(std::memory_order_acquire) != 0) return "a free entry has a version";
    seen[free] |= 2;
  }
  for (uint32_t n = 0; n < top; n++) {
    if (seen[n]) continue;
    const uint64_t v = at(n)->version.load(std::memory_order_acquire);
    if ((v & claimed_bit) == 0 || (v & 1)) return "an entry is lost";
  }
  return nullptr;
}

}  // namespace rxnf
