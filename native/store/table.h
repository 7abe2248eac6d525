// A bounded concurrent hash table of fixed-size records: what the memory store and the
// shared-memory store are made of.
//
// Shape: buckets of one cache line (eight 16-bit tags, eight entry numbers) over entries that never
// move. A lookup touches two lines: the home bucket and the entry. A key whose home is full lies in
// one of the next buckets; each bucket counts the keys that passed it, so that a search ends where
// nothing passed and removals undo the mark (marks that never clear ruin misses under churn).
//
// Threads and processes: any number; nothing in it is an address. Readers take no lock: they copy a
// record and check that its version word stood still. Whoever changes which keys there are holds
// the lock of the key's home bucket; a swap takes the version word itself, by compare-and-swap.
// Locks carry the tag of their holder and odd versions its writer number, so that what a writer
// leaves when it is killed is found and repaired (table_repair.cc).
//
// Version word: writer << 40 | sequence << 1, writers below 2^23. Bit 0 is set while somebody is
// inside, bit 63 once the record has expired and been claimed; 0 is a free entry. A writer never
// uses a sequence twice, so a version names one write (design: exactly once).
//
// Time: a record's deadline is set to now + 1.25 T and again whenever a lookup that may refresh
// finds less than T left, so a record idles for T at least; swept every T/4, for 1.5 T at most. Who
// sweeps claims: the record is out of the table, and its entry kept until the claim is confirmed. A
// claim that is not lapses and is made again.
#pragma once
#include <emmintrin.h>
#include <sched.h>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>

#include "lane/batch.h"
#include "store/hand.h"
#include "store/region.h"

namespace rxnf {

inline constexpr uint32_t no_entry = 0xffffffff;
inline constexpr uint64_t claimed_bit = uint64_t{1} << 63;
inline constexpr uint32_t max_writer = (1u << 23) - 1;
// Neither free nor claimed.
constexpr bool stands(uint64_t version) { return static_cast<int64_t>(version) > 0; }
inline constexpr uint8_t watched =
    0x80;  // in a timer byte: every hit goes to the author's function
inline constexpr uint8_t timer_class_mask = 0x03;

struct alignas(64) Bucket {
  uint16_t tag[8];  // 0: empty
  std::atomic<uint32_t> entry[8];
  std::atomic<uint32_t> lock;
  std::atomic<uint32_t> passed;  // keys whose home is here or before and that lie further on
  uint64_t unused;
};
static_assert(sizeof(Bucket) == 64);

struct Entry {
  std::atomic<uint64_t> version;
  std::atomic<uint32_t> deadline;  // ms of the lane clock, compared as a signed difference
  uint8_t timer;                   // class, and `watched`
  uint8_t zero;
  uint16_t schema;
  Key key;
  uint8_t *record() { return reinterpret_cast<uint8_t *>(this + 1); }
};
static_assert(sizeof(Entry) == 32);

struct TableConfig {
  uint32_t capacity;     // records
  uint32_t record_size;  // bytes, a multiple of 4
  uint32_t idle_ms[4];   // T per timer class; 0: never expires
  uint16_t schema;
  uint64_t seed;  // of the hash: keep it secret from whoever chooses keys
};

// busy: another writer has not let go for a while; nothing was done.
enum class Outcome : uint8_t { won, lost, full, gone, busy };

// The first page of a table.
struct TableHeader {
  uint64_t magic;
  uint32_t layout;         // of everything here, and of buckets and entries
  uint32_t capacity;       // records
  uint32_t room;           // bytes for a record, at least the record size of who made the table
  uint32_t schema;         // version of the schema of who made it
  uint64_t seed;           // of the hash
  char description[2048];  // the schema as JSON, for tools
  alignas(64) std::atomic<uint64_t> free;  // count << 32 | entry: the count defeats ABA
  std::atomic<uint32_t> allocated;         // entries ever handed out
  std::atomic<uint32_t> used;
  std::atomic<uint64_t> refused;  // inserts for which there was no room
};
inline constexpr size_t table_header_bytes = 4096;
static_assert(sizeof(TableHeader) <= table_header_bytes);

// Memory that a table or a pool lies in, and what keeps it there.
struct Memory {
  uint8_t *base = nullptr;
  size_t size = 0;
  std::shared_ptr<const void> keeper;
};

class Table {
 public:
  static constexpr uint32_t max_probe = 32;  // buckets: 256 keys would have to share a home region

  // In private memory.
  explicit Table(const TableConfig &c);
  // In memory that others see too: `format` has made it one.
  Table(const TableConfig &c, Memory memory, Hand &hand, uint32_t number);

  static size_t bytes_for(const TableConfig &c);
  // Lays an empty table into zeroed memory of that size.
  static void format(const TableConfig &c, uint8_t *base, const char *description);
  // The header of a table in memory, or null when there is none that this code can read.
  static const TableHeader *header_in(const Memory &memory);

  bool valid() const { return header_ != nullptr; }
  const TableConfig &config() const { return config_; }
  const TableHeader &header() const { return *header_; }
  uint32_t size() const { return header_->used.load(std::memory_order_relaxed); }
  // Entries ever used: those from here on are free, and what they will hold is younger than this
  // call.
  uint32_t extent() const { return header_->allocated.load(std::memory_order_acquire); }

  // Multiply-fold of both words, seeded: one 64x64->128 multiplication (as in wyhash).
  uint64_t hash(const Key &k) const {
    const __uint128_t m = static_cast<__uint128_t>(k.low ^ seed_low_) * (k.high ^ seed_high_);
    return static_cast<uint64_t>(m) ^ static_cast<uint64_t>(m >> 64);
  }

  void prefetch(uint64_t h) const { __builtin_prefetch(&buckets_[h & bucket_mask_]); }

  // The entry that the home bucket's tags point at first, prefetched; no_entry when none does.
  uint32_t candidate(uint64_t h) const {
    const Bucket &b = buckets_[h & bucket_mask_];
    const uint32_t m = matches(b, tag_of(h));
    if (m == 0) return no_entry;
    const uint32_t e = b.entry[__builtin_ctz(m) >> 1].load(std::memory_order_acquire);
    if (e != no_entry) __builtin_prefetch(at(e));
    return e;
  }

  Entry *at(uint32_t e) const {
    return reinterpret_cast<Entry *>(entries_ + static_cast<size_t>(e) * entry_size_);
  }
  uint32_t number(const Entry *e) const {
    return static_cast<uint32_t>((reinterpret_cast<const uint8_t *>(e) - entries_) / entry_size_);
  }

  // The entry of a key, or null. What it holds may change at once: read it with `read`.
  Entry *find(uint64_t h, const Key &key) const {
    const uint16_t tag = tag_of(h);
    for (uint32_t probe = 0; probe < max_probe; probe++) {
      const Bucket &b = buckets_[(h + probe) & bucket_mask_];
      for (uint32_t m = matches(b, tag); m; m &= m - 1, m &= m - 1) {
        const uint32_t e = b.entry[__builtin_ctz(m) >> 1].load(std::memory_order_acquire);
        if (e != no_entry && at(e)->key == key &&
            stands(at(e)->version.load(std::memory_order_acquire)))
          return at(e);
      }
      if (b.passed.load(std::memory_order_acquire) == 0) return nullptr;
    }
    return nullptr;
  }

  // Copies a record, as one flow of reads unless a writer is inside. Returns its version, or 0 when
  // the entry does not hold this key any more.
  template <uint32_t Fixed = 0>
  uint64_t read(Entry *e, const Key &key, uint8_t *out, uint8_t *timer) const {
    for (uint32_t spins = 0; spins < max_spins; spins++) {
      const uint64_t v = e->version.load(std::memory_order_acquire);
      if (!stands(v)) return 0;
      if (v & 1) [[unlikely]] {
        if ((spins & patience) == patience) hand_->repair_dead();
        wait(spins);
        continue;
      }
      std::memcpy(out, e->record(), Fixed ? Fixed : config_.record_size);
      *timer = e->timer;
      const bool same = e->key == key;
      std::atomic_thread_fence(std::memory_order_acquire);
      if (e->version.load(std::memory_order_relaxed) == v) return same ? v : 0;
    }
    return 0;
  }

  // Any writer's `version` is made by its lane and never repeated.
  Outcome insert(uint64_t h, const Key &key, const uint8_t *record, uint8_t timer, uint64_t version,
                 uint32_t now, Entry **out);
  // Inserts, or copies the record that is there instead (as `read` does): a winner that goes before
  // it was copied is none, so the insert is tried again.
  Outcome insert_or_read(uint64_t h, const Key &key, const uint8_t *record, uint8_t *timer,
                         uint64_t *version, uint32_t now, uint8_t *winner);
  Outcome swap(uint64_t h, const Key &key, uint64_t expected, const uint8_t *record, uint8_t timer,
               uint64_t version, uint32_t now, Entry **out);
  Outcome remove(uint64_t h, const Key &key, uint64_t expected);

  uint32_t idle(uint8_t timer) const { return config_.idle_ms[timer & timer_class_mask]; }
  uint32_t deadline(uint8_t timer, uint32_t now) const {
    const uint32_t t = idle(timer);
    return now + t + t / 4;
  }

  // Called for each hit that may refresh: writes only when less than T is left.
  void touch(Entry *e, uint32_t now) const {
    const uint32_t t = config_.idle_ms[e->timer & timer_class_mask];
    const uint32_t d = e->deadline.load(std::memory_order_relaxed);
    if (static_cast<int32_t>(d - now) < static_cast<int32_t>(t))
      e->deadline.store(now + t + t / 4, std::memory_order_relaxed);
  }

  // Visits entries `from` to `from + entries - 1`; claims those past their deadline, and those
  // whose claim has lapsed, and calls claimed(key, record, timer, claim) for each. Returns how
  // many. The buckets of a group are fetched together: those of expired records have long left the
  // cache.
  template <typename F>
  uint32_t sweep(uint32_t now, uint32_t from, uint32_t entries, F &&claimed) {
    struct Due {
      uint32_t entry;
      uint64_t version;
    } due[32];
    const uint32_t top = extent();
    const uint32_t end = from >= top ? from : from + (entries < top - from ? entries : top - from);
    uint32_t count = 0;
    for (uint32_t i = from; i < end;) {
      uint32_t found = 0;
      for (; i < end && found < std::size(due); i++) {
        const uint64_t v = at(i)->version.load(std::memory_order_acquire);
        if (!expired(i, v, now)) continue;
        prefetch(hash(at(i)->key));
        due[found++] = {i, v};
      }
      for (uint32_t n = 0; n < found; n++) {
        Entry *e = at(due[n].entry);
        if (!claim(due[n].entry, due[n].version, now)) continue;
        count++;
        claimed(e->key, static_cast<const uint8_t *>(e->record()), e->timer,
                token(due[n].entry, due[n].version));
      }
    }
    return count;
  }

  // Lets go of a claimed record. False when the claim is no more.
  bool confirm(uint32_t claim);

  // How long a claim holds, in ms.
  static constexpr uint32_t claim_ms = 10'000;

  // Calls seen(key, record, timer) for every record of a range of entries that is there throughout.
  template <typename F>
  void each(uint32_t from, uint32_t entries, F &&seen) const {
    const uint32_t top = header_->allocated.load(std::memory_order_acquire);
    alignas(8) static thread_local uint8_t copy[max_record];
    for (uint32_t i = from; i < top && i - from < entries; i++) {
      uint8_t timer = 0;
      const Key key = at(i)->key;
      if (read(at(i), key, copy, &timer) != 0) seen(key, copy, timer);
    }
  }

  // Keys that lie beyond their home bucket, counted once for each bucket passed.
  uint64_t overflowed() const {
    uint64_t n = 0;
    for (size_t b = 0; b <= bucket_mask_; b++)
      n += buckets_[b].passed.load(std::memory_order_relaxed);
    return n;
  }

  // Finishes what a dead writer's journal says, and makes the structure whole (table_repair.cc).
  void repair(const Journal &journal, const uint8_t *record);
  // The first thing that is wrong with it while nobody writes, or null.
  const char *check() const;

  static constexpr uint32_t max_record = 64 << 10;

 private:
  // A writer is inside for tens of nanoseconds, unless it is preempted there: then it needs a core,
  // and gets tens of milliseconds to find one.
  static constexpr uint32_t max_spins = 1 << 16;
  static void wait(uint32_t spins) {
    if (spins < 256)
      __builtin_ia32_pause();
    else
      sched_yield();
  }

  // Each try after the first is another writer's removal.
  static constexpr uint32_t max_inserts = 64;

  // How many spins go by before a writer is suspected to be dead.
  static constexpr uint32_t patience = 0xfff;

  static uint32_t buckets_for(uint32_t capacity) {
    uint64_t n = 16;
    while (n * 6 < capacity) n *= 2;  // six of eight places at the most: 75 % full
    return static_cast<uint32_t>(n);
  }
  // Whole cache lines: an entry that straddles two costs two misses.
  static uint32_t entry_bytes(uint32_t record_size) {
    return (static_cast<uint32_t>(sizeof(Entry)) + record_size + 63) & ~63u;
  }
  static uint32_t token(uint32_t entry, uint64_t version) {
    return entry | static_cast<uint32_t>(version >> 1 & 0xf) << 28;
  }
  static uint16_t tag_of(uint64_t h) {
    const auto t = static_cast<uint16_t>(h >> 48);
    return t ? t : 1;
  }
  static uint32_t matches(const Bucket &b, uint16_t tag) {
    const __m128i tags = _mm_load_si128(reinterpret_cast<const __m128i *>(b.tag));
    return static_cast<uint32_t>(
        _mm_movemask_epi8(_mm_cmpeq_epi16(tags, _mm_set1_epi16(static_cast<short>(tag)))));
  }

  class Locked;
  void attach(Memory memory);
  uint32_t allocate();
  void release(uint32_t e);
  bool place(uint64_t h, uint32_t e);
  bool expired(uint32_t n, uint64_t version, uint32_t now) const {
    const Entry *e = at(n);
    if (version == 0 || (version & 1) || (stands(version) && idle(e->timer) == 0)) return false;
    return static_cast<int32_t>(e->deadline.load(std::memory_order_relaxed) - now) <= 0;
  }
  // Takes an entry out of its bucket. False when none refers to it.
  bool displace(uint64_t h, uint32_t e);
  bool claim(uint32_t e, uint64_t version, uint32_t now);
  void finish(const Journal &journal);
  void rebuild(uint32_t condemned);
  void lock_all();

  const TableConfig config_;
  uint64_t seed_low_ = 0, seed_high_ = 0;
  uint32_t entry_size_ = 0;
  uint32_t bucket_mask_ = 0;
  uint32_t number_ = 0;  // in its hand's list of names
  Hand *hand_;
  Memory memory_;
  TableHeader *header_ = nullptr;
  Bucket *buckets_ = nullptr;
  uint8_t *entries_ = nullptr;
};

}  // namespace rxnf
