#include "store/table.h"

namespace rxnf {
namespace {

constexpr uint64_t magic = 0x656c626174666e78;  // "xnftable"
constexpr uint32_t layout_version = 1;

}  // namespace

// Holds the home bucket's lock: at most one writer changes the set of keys that live there.
class Table::Locked {
 public:
  Locked(Table &table, Bucket &bucket) : bucket_(bucket) {
    const uint32_t tag = table.hand_->tag();
    for (uint32_t spins = 0; spins < max_spins; spins++) {
      uint32_t holder = 0;
      if (bucket.lock.compare_exchange_weak(holder, tag, std::memory_order_acquire)) {
        held_ = true;
        return;
      }
      if ((spins & patience) == patience) table.hand_->repair_dead();
      wait(spins);
    }
  }
  ~Locked() {
    if (held_) bucket_.lock.store(0, std::memory_order_release);
  }
  Locked(const Locked &) = delete;
  Locked &operator=(const Locked &) = delete;
  explicit operator bool() const { return held_; }

 private:
  Bucket &bucket_;
  bool held_ = false;
};

size_t Table::bytes_for(const TableConfig &c) {
  return table_header_bytes + sizeof(Bucket) * size_t{buckets_for(c.capacity)} +
         size_t{entry_bytes(c.record_size)} * c.capacity;
}

void Table::format(const TableConfig &c, uint8_t *base, const char *description) {
  auto *h = reinterpret_cast<TableHeader *>(base);
  h->layout = layout_version;
  h->capacity = c.capacity;
  h->room = entry_bytes(c.record_size) - static_cast<uint32_t>(sizeof(Entry));
  h->schema = c.schema;
  h->seed = c.seed;
  std::strncpy(h->description, description, sizeof h->description - 1);
  h->free.store(no_entry, std::memory_order_relaxed);
  auto *buckets = reinterpret_cast<Bucket *>(base + table_header_bytes);
  for (size_t b = 0; b < buckets_for(c.capacity); b++)
    for (auto &e : buckets[b].entry) e.store(no_entry, std::memory_order_relaxed);
  h->magic = magic;
}

const TableHeader *Table::header_in(const Memory &memory) {
  const auto *h = reinterpret_cast<const TableHeader *>(memory.base);
  if (memory.size < table_header_bytes || h->magic != magic || h->layout != layout_version)
    return nullptr;
  TableConfig c{};
  c.capacity = h->capacity;
  c.record_size = h->room;
  return bytes_for(c) <= memory.size ? h : nullptr;
}

Table::Table(const TableConfig &c) : config_(c), hand_(&own_hand()) {
  auto region = std::make_shared<Region>(bytes_for(c));
  if (!region->base()) return;
  format(c, region->base(), "");
  attach({region->base(), region->size(), region});
}

Table::Table(const TableConfig &c, Memory memory, Hand &hand, uint32_t number)
    : config_(c), number_(number), hand_(&hand) {
  if (header_in(memory)) attach(std::move(memory));
}

void Table::attach(Memory memory) {
  memory_ = std::move(memory);
  header_ = reinterpret_cast<TableHeader *>(memory_.base);
  seed_low_ = header_->seed ^ 0x9e3779b97f4a7c15;
  seed_high_ = header_->seed * 0xff51afd7ed558ccd ^ 0xd1b54a32d192ed03;
  entry_size_ = static_cast<uint32_t>(sizeof(Entry)) + header_->room;
  bucket_mask_ = buckets_for(header_->capacity) - 1;
  buckets_ = reinterpret_cast<Bucket *>(memory_.base + table_header_bytes);
  entries_ = reinterpret_cast<uint8_t *>(buckets_ + bucket_mask_ + 1);
}

uint32_t Table::allocate() {
  uint64_t head = header_->free.load(std::memory_order_acquire);
  while (static_cast<uint32_t>(head) != no_entry) {
    const auto e = static_cast<uint32_t>(head);
    const uint64_t next =
        ((head >> 32) + 1) << 32 | __atomic_load_n(&at(e)->key.low, __ATOMIC_RELAXED);
    if (header_->free.compare_exchange_weak(head, next, std::memory_order_acq_rel)) return e;
  }
  uint32_t n = header_->allocated.load(std::memory_order_relaxed);
  while (n < header_->capacity)
    if (header_->allocated.compare_exchange_weak(n, n + 1, std::memory_order_acq_rel)) return n;
  return no_entry;
}

// The first key word of a free entry links it to the next free one (readers never write there; a
// late refresh of the deadline would break a link kept in that word).
void Table::release(uint32_t e) {
  uint64_t head = header_->free.load(std::memory_order_relaxed);
  uint64_t next;
  do {
    __atomic_store_n(&at(e)->key.low, head & 0xffffffff, __ATOMIC_RELAXED);
    next = ((head >> 32) + 1) << 32 | e;
  } while (!header_->free.compare_exchange_weak(head, next, std::memory_order_acq_rel));
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

bool Table::displace(uint64_t h, uint32_t e) {
  for (uint32_t probe = 0; probe < max_probe; probe++) {
    Bucket &b = buckets_[(h + probe) & bucket_mask_];
    for (uint32_t m = matches(b, tag_of(h)); m; m &= m - 1, m &= m - 1) {
      const uint32_t j = static_cast<uint32_t>(__builtin_ctz(m)) >> 1;
      if (b.entry[j].load(std::memory_order_acquire) != e) continue;
      __atomic_store_n(&b.tag[j], uint16_t{0}, __ATOMIC_RELEASE);
      b.entry[j].store(no_entry, std::memory_order_release);
      for (uint32_t p = 0; p < probe; p++)
        buckets_[(h + p) & bucket_mask_].passed.fetch_sub(1, std::memory_order_acq_rel);
      header_->used.fetch_sub(1, std::memory_order_relaxed);
      return true;
    }
    if (b.passed.load(std::memory_order_acquire) == 0) return false;
  }
  return false;
}

Outcome Table::insert(uint64_t h, const Key &key, const uint8_t *record, uint8_t timer,
                      uint64_t version, uint32_t now, Entry **out) {
  hand_->begin(Step::insert, number_);
  Outcome outcome = Outcome::busy;
  if (Locked home(*this, buckets_[h & bucket_mask_]); home) {
    if (Entry *winner = find(h, key)) {
      *out = winner;
      outcome = Outcome::lost;
    } else if (const uint32_t n = allocate(); n == no_entry) {
      outcome = Outcome::full;
    } else {
      Entry *e = at(n);
      e->key = key;
      std::memcpy(e->record(), record, config_.record_size);
      std::memset(e->record() + config_.record_size, 0, header_->room - config_.record_size);
      e->timer = timer;
      e->schema = config_.schema;
      e->deadline.store(deadline(timer, now), std::memory_order_relaxed);
      e->version.store(version, std::memory_order_release);
      if (place(h, n)) {
        header_->used.fetch_add(1, std::memory_order_relaxed);
        *out = e;
        outcome = Outcome::won;
      } else {
        e->version.store(0, std::memory_order_release);
        release(n);
        outcome = Outcome::full;
      }
    }
  }
  hand_->end();
  if (outcome == Outcome::full) header_->refused.fetch_add(1, std::memory_order_relaxed);
  return outcome;
}

Outcome Table::insert_or_read(uint64_t h, const Key &key, const uint8_t *record, uint8_t *timer,
                              uint64_t *version, uint32_t now, uint8_t *winner) {
  for (uint32_t tries = 0; tries < max_inserts; tries++) {
    Entry *e = nullptr;
    const Outcome outcome = insert(h, key, record, *timer, *version, now, &e);
    if (outcome != Outcome::lost) return outcome;
    uint8_t their_timer = 0;
    if (const uint64_t theirs = read(e, key, winner, &their_timer); theirs != 0) {
      *version = theirs;
      *timer = their_timer;
      return outcome;
    }
  }
  return Outcome::busy;
}

// An older release's record is the shorter one: what the entry has beyond it stays.
Outcome Table::swap(uint64_t h, const Key &key, uint64_t expected, const uint8_t *record,
                    uint8_t timer, uint64_t version, uint32_t now, Entry **out) {
  Entry *e = find(h, key);
  if (!e) return Outcome::gone;
  *out = e;
  uint64_t v = e->version.load(std::memory_order_relaxed);
  if (v != expected) return stands(v) ? Outcome::lost : Outcome::gone;
  const uint32_t until = deadline(timer, now);
  hand_->begin_swap(number_, number(e), version, record, config_.record_size, timer, until);
  Outcome outcome = Outcome::won;
  if (!e->version.compare_exchange_strong(v, version | 1, std::memory_order_acq_rel)) {
    outcome = stands(v) ? Outcome::lost : Outcome::gone;
  } else {
    // A version is never used twice, so holding it proves that the entry still holds this key.
    std::memcpy(e->record(), record, config_.record_size);
    e->timer = timer;
    e->schema = config_.schema;
    e->deadline.store(until, std::memory_order_relaxed);
    e->version.store(version, std::memory_order_release);
  }
  hand_->end();
  return outcome;
}

Outcome Table::remove(uint64_t h, const Key &key, uint64_t expected) {
  Entry *e = find(h, key);
  if (!e) return Outcome::gone;
  const uint32_t n = number(e);
  uint64_t v = expected ? expected : e->version.load(std::memory_order_acquire) & ~uint64_t{1};
  if (!stands(v)) return Outcome::gone;
  const uint64_t mark = v | 1;
  hand_->begin(Step::remove, number_, n, v);
  Outcome outcome = Outcome::busy;
  if (Locked home(*this, buckets_[h & bucket_mask_]); home) {
    if (!(e->key == key)) {
      outcome = Outcome::gone;
    } else if (!e->version.compare_exchange_strong(v, mark, std::memory_order_acq_rel)) {
      outcome = stands(v) ? Outcome::lost : Outcome::gone;
    } else {
      displace(h, n);
      e->version.store(0, std::memory_order_release);
      release(n);
      outcome = Outcome::won;
    }
  }
  hand_->end();
  return outcome;
}

// The bucket's lock is of the key's home: nobody else claims or removes the entry meanwhile.
bool Table::claim(uint32_t n, uint64_t version, uint32_t now) {
  Entry *e = at(n);
  const uint64_t h = hash(e->key);
  hand_->begin(Step::claim, number_, n, version);
  bool won = false;
  if (Locked home(*this, buckets_[h & bucket_mask_]); home) {
    const bool due = static_cast<int32_t>(e->deadline.load(std::memory_order_relaxed) - now) <= 0;
    uint64_t v = version;
    if (due && e->version.compare_exchange_strong(v, version | 1, std::memory_order_acq_rel)) {
      e->deadline.store(now + claim_ms, std::memory_order_relaxed);
      if (stands(version)) displace(h, n);
      e->version.store(version | claimed_bit, std::memory_order_release);
      won = true;
    }
  }
  hand_->end();
  return won;
}

bool Table::confirm(uint32_t claim) {
  const uint32_t n = claim & 0x0fffffff;
  if (n >= header_->allocated.load(std::memory_order_acquire)) return false;
  Entry *e = at(n);
  hand_->begin(Step::confirm, number_, n);
  bool done = false;
  if (Locked home(*this, buckets_[hash(e->key) & bucket_mask_]); home) {
    const uint64_t v = e->version.load(std::memory_order_acquire);
    if ((v & claimed_bit) != 0 && (v & 1) == 0 && token(n, v) == claim) {
      e->version.store(0, std::memory_order_release);
      release(n);
      done = true;
    }
  }
  hand_->end();
  return done;
}

}  // namespace rxnf
