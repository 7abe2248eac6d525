#include "store/table.h"

namespace rxnf {

// Holds the home bucket's lock: at most one writer changes the set of keys that live there.
struct Table::Locked {
  explicit Locked(Bucket &b) : bucket(b) {
    for (uint32_t spins = 0; bucket.lock.exchange(1, std::memory_order_acquire) != 0; spins++)
      wait(spins);
  }
  ~Locked() { bucket.lock.store(0, std::memory_order_release); }
  Bucket &bucket;
};

uint32_t Table::allocate() {
  uint64_t head = free_.load(std::memory_order_acquire);
  while (static_cast<uint32_t>(head) != no_entry) {
    const auto e = static_cast<uint32_t>(head);
    const uint64_t next =
        ((head >> 32) + 1) << 32 | __atomic_load_n(&at(e)->key.low, __ATOMIC_RELAXED);
    if (free_.compare_exchange_weak(head, next, std::memory_order_acq_rel)) return e;
  }
  uint32_t n = allocated_.load(std::memory_order_relaxed);
  while (n < config_.capacity)
    if (allocated_.compare_exchange_weak(n, n + 1, std::memory_order_acq_rel)) return n;
  return no_entry;
}

// The first key word of a free entry links it to the next free one (readers never write there; a
// late refresh of the deadline would break a link kept in that word).
void Table::release(uint32_t e) {
  uint64_t head = free_.load(std::memory_order_relaxed);
  uint64_t next;
  do {
    __atomic_store_n(&at(e)->key.low, head & 0xffffffff, __ATOMIC_RELAXED);
    next = ((head >> 32) + 1) << 32 | e;
  } while (!free_.compare_exchange_weak(head, next, std::memory_order_acq_rel));
}

// Claims a place for entry e. The buckets passed are marked before the entry shows, so that no
// reader stops short of it.
bool Table::place(uint64_t h, uint32_t e) {
  for (uint32_t probe = 0; probe < max_probe; probe++) {
    Bucket &b = buckets_[(h + probe) & bucket_mask_];
    for (uint32_t j = 0; j < 8; j++) {
      uint32_t expected = no_entry;
      if (b.entry[j].load(std::memory_order_relaxed) == no_entry &&
          b.entry[j].compare_exchange_strong(expected, e, std::memory_order_acq_rel)) {
        __atomic_store_n(&b.tag[j], tag_of(h), __ATOMIC_RELEASE);
        return true;
      }
    }
    b.passed.fetch_add(1, std::memory_order_acq_rel);
  }
  for (uint32_t probe = 0; probe < max_probe; probe++)
    buckets_[(h + probe) & bucket_mask_].passed.fetch_sub(1, std::memory_order_acq_rel);
  return false;
}

Outcome Table::insert(uint64_t h, const Key &key, const uint8_t *record, uint8_t timer,
                      uint64_t version, uint32_t now, Entry **out) {
  Locked home(buckets_[h & bucket_mask_]);
  if (Entry *winner = find(h, key)) {
    *out = winner;
    return Outcome::lost;
  }
  const uint32_t n = allocate();
  if (n == no_entry) return Outcome::full;
  Entry *e = at(n);
  e->key = key;
  std::memcpy(e->record(), record, config_.record_size);
  e->timer = timer;
  e->schema = config_.schema;
  e->deadline.store(deadline(timer, now), std::memory_order_relaxed);
  e->version.store(version, std::memory_order_release);
  if (!place(h, n)) {
    e->version.store(0, std::memory_order_release);
    release(n);
    return Outcome::full;
  }
  used_.fetch_add(1, std::memory_order_relaxed);
  *out = e;
  return Outcome::won;
}

Outcome Table::swap(uint64_t h, const Key &key, uint64_t expected, const uint8_t *record,
                    uint8_t timer, uint64_t version, uint32_t now, Entry **out) {
  Entry *e = find(h, key);
  if (!e) return Outcome::gone;
  *out = e;
  uint64_t v = expected;
  if (!e->version.compare_exchange_strong(v, expected | 1, std::memory_order_acq_rel))
    return v == 0 ? Outcome::gone : Outcome::lost;
  // A version is never used twice, so holding it proves that the entry still holds this key.
  std::memcpy(e->record(), record, config_.record_size);
  e->timer = timer;
  e->deadline.store(deadline(timer, now), std::memory_order_relaxed);
  e->version.store(version, std::memory_order_release);
  return Outcome::won;
}

Outcome Table::remove(uint64_t h, const Key &key, uint64_t expected) {
  Locked home(buckets_[h & bucket_mask_]);
  const uint16_t tag = tag_of(h);
  for (uint32_t probe = 0; probe < max_probe; probe++) {
    Bucket &b = buckets_[(h + probe) & bucket_mask_];
    for (uint32_t m = matches(b, tag); m; m &= m - 1, m &= m - 1) {
      const uint32_t j = static_cast<uint32_t>(__builtin_ctz(m)) >> 1;
      const uint32_t n = b.entry[j].load(std::memory_order_acquire);
      if (n == no_entry || !(at(n)->key == key)) continue;
      Entry *e = at(n);
      uint64_t v = expected ? expected : e->version.load(std::memory_order_acquire) & ~uint64_t{1};
      if (v == 0 || !e->version.compare_exchange_strong(v, v | 1, std::memory_order_acq_rel))
        return v == 0 ? Outcome::gone : Outcome::lost;
      __atomic_store_n(&b.tag[j], uint16_t{0}, __ATOMIC_RELEASE);
      b.entry[j].store(no_entry, std::memory_order_release);
      for (uint32_t p = 0; p < probe; p++)
        buckets_[(h + p) & bucket_mask_].passed.fetch_sub(1, std::memory_order_acq_rel);
      e->version.store(0, std::memory_order_release);
      release(n);
      used_.fetch_sub(1, std::memory_order_relaxed);
      return Outcome::won;
    }
    if (b.passed.load(std::memory_order_acquire) == 0) break;
  }
  return Outcome::gone;
}

}  // namespace rxnf
