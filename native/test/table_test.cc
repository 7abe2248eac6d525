// The table against its promises: one winner per key, versions that name writes, marks that clear
// under churn, a bound that holds, timers, and several threads at once. No framework: a failure
// says where.
#include "store/table.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "store/number_pool.h"

using namespace rxnf;

#define EXPECT(condition)                                                           \
  do {                                                                              \
    if (!(condition)) {                                                             \
      std::fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                                 \
    }                                                                               \
  } while (0)

namespace {

struct Record {
  uint64_t value, check;
};

TableConfig config(uint32_t capacity) {
  TableConfig c{};
  c.capacity = capacity;
  c.record_size = sizeof(Record);
  c.idle_ms[1] = 1000;
  c.seed = 7;
  return c;
}

struct Writes {
  explicit Writes(uint64_t writer) : next(writer << 40 | 2) {}
  uint64_t version() { return next += 2; }
  uint64_t next;
};

Outcome insert(Table &t, Key k, uint64_t value, Writes &w, uint8_t timer = 0, uint32_t now = 0) {
  const Record r{value, ~value};
  Entry *e = nullptr;
  return t.insert(t.hash(k), k, reinterpret_cast<const uint8_t *>(&r), timer, w.version(), now, &e);
}

bool get(const Table &t, Key k, Record &r, uint64_t *version = nullptr) {
  Entry *e = t.find(t.hash(k), k);
  uint8_t timer;
  const uint64_t v = e ? t.read(e, k, reinterpret_cast<uint8_t *>(&r), &timer) : 0;
  if (version) *version = v;
  return v != 0;
}

Outcome swap(Table &t, Key k, uint64_t expected, uint64_t value, Writes &w) {
  const Record r{value, ~value};
  Entry *e = nullptr;
  return t.swap(t.hash(k), k, expected, reinterpret_cast<const uint8_t *>(&r), 0, w.version(), 0,
                &e);
}

void creates_swaps_and_removes() {
  Table t(config(100));
  Writes w(1);
  const Key k{5, 6};
  Record r{};
  EXPECT(!get(t, k, r));
  EXPECT(insert(t, k, 10, w) == Outcome::won);
  EXPECT(insert(t, k, 11, w) == Outcome::lost);
  uint64_t version = 0;
  EXPECT(get(t, k, r, &version) && r.value == 10);
  EXPECT(swap(t, k, version, 12, w) == Outcome::won);
  EXPECT(swap(t, k, version, 13, w) == Outcome::lost);  // the version has moved on
  EXPECT(get(t, k, r, &version) && r.value == 12);
  EXPECT(t.remove(t.hash(k), k, version + 2) == Outcome::lost);
  EXPECT(t.remove(t.hash(k), k, version) == Outcome::won);
  EXPECT(t.remove(t.hash(k), k, 0) == Outcome::gone);
  EXPECT(swap(t, k, version, 14, w) == Outcome::gone);
  EXPECT(t.size() == 0);
}

void holds_its_bound() {
  Table t(config(1000));
  Writes w(1);
  for (uint64_t i = 0; i < 1000; i++) EXPECT(insert(t, {i, 0}, i, w) == Outcome::won);
  EXPECT(insert(t, {5000, 0}, 1, w) == Outcome::full);
  EXPECT(t.remove(t.hash({3, 0}), {3, 0}, 0) == Outcome::won);
  EXPECT(insert(t, {5000, 0}, 1, w) == Outcome::won);
}

// A model beside it; at the end an empty table must answer every miss from the home bucket alone.
void survives_churn() {
  Table t(config(3000));
  Writes w(1);
  std::map<uint64_t, uint64_t> model;
  std::mt19937_64 random(42);
  for (int i = 0; i < 300'000; i++) {
    const uint64_t k = random() % 4000;
    if (random() % 2 && model.size() < 3000) {
      EXPECT(insert(t, {k, 9}, i, w) == (model.count(k) ? Outcome::lost : Outcome::won));
      model.emplace(k, i);
    } else {
      EXPECT(t.remove(t.hash({k, 9}), {k, 9}, 0) ==
             (model.erase(k) ? Outcome::won : Outcome::gone));
    }
  }
  EXPECT(t.size() == model.size());
  Record r{};
  for (uint64_t k = 0; k < 4000; k++) {
    EXPECT(get(t, {k, 9}, r) == (model.count(k) == 1));
    if (model.count(k)) EXPECT(r.value == model[k]);
    t.remove(t.hash({k, 9}), {k, 9}, 0);
  }
  EXPECT(t.overflowed() == 0 && !t.check());
}

void expires_between_t_and_one_and_a_half() {
  Table t(config(100));
  Writes w(1);
  int claimed = 0;
  const auto claim = [&](const Key &, const uint8_t *, uint8_t, uint32_t token) {
    claimed++;
    EXPECT(t.confirm(token) && !t.confirm(token));
  };
  insert(t, {1, 0}, 1, w, 1, 0xffffff00);  // the clock wraps meanwhile
  EXPECT(t.sweep(0xffffff00 + 1000, 0, 100, claim) == 0);
  EXPECT(t.sweep(0xffffff00 + 1250, 0, 100, claim) == 1 && claimed == 1);
  insert(t, {2, 0}, 1, w, 1, 0);
  t.touch(t.find(t.hash({2, 0}), {2, 0}), 900);  // less than T left: prolonged
  EXPECT(t.sweep(1899, 0, 100, claim) == 0);
  EXPECT(t.sweep(900 + 1250, 0, 100, claim) == 1);
  insert(t, {3, 0}, 1, w, 0, 0);  // class 0 never expires
  EXPECT(t.sweep(0x7fffffff, 0, 100, claim) == 0);
}

// A claim keeps its record out of the table, and comes again until it is confirmed.
void claims_until_confirmed() {
  Table t(config(2));
  Writes w(1);
  uint32_t token = 0;
  const auto claim = [&](const Key &k, const uint8_t *record, uint8_t, uint32_t claimed) {
    EXPECT(k == (Key{1, 0}) && reinterpret_cast<const Record *>(record)->value == 7);
    token = claimed;
  };
  EXPECT(insert(t, {1, 0}, 7, w, 1, 0) == Outcome::won);
  Record r{};
  EXPECT(t.sweep(1250, 0, 10, claim) == 1 && !get(t, {1, 0}, r) && t.size() == 0);
  const uint32_t first = token;
  EXPECT(insert(t, {1, 0}, 8, w, 0, 0) == Outcome::won);   // the key is free meanwhile
  EXPECT(insert(t, {2, 0}, 9, w, 0, 0) == Outcome::full);  // its entry is not
  EXPECT(t.sweep(1250 + Table::claim_ms - 1, 0, 10, claim) == 0);
  EXPECT(t.sweep(1250 + Table::claim_ms, 0, 10, claim) == 1 && token == first);
  EXPECT(t.confirm(token) && t.size() == 1 && !t.check());
  EXPECT(insert(t, {2, 0}, 9, w, 0, 0) == Outcome::won);
  EXPECT(!t.confirm(token) && get(t, {2, 0}, r) && r.value == 9);
}

// Increments by compare-and-swap from every thread: none may be lost, and no reader may see a
// record that no writer wrote.
void counts_from_many_threads() {
  Table t(config(256));
  constexpr int threads = 4, increments = 20'000, keys = 8;
  Writes first(99);
  for (uint64_t k = 0; k < keys; k++) insert(t, {k, 1}, 0, first);
  std::vector<std::thread> all;
  for (int n = 0; n < threads; n++)
    all.emplace_back([&t, n] {
      Writes w(static_cast<uint64_t>(n) + 1);
      for (int i = 0; i < increments; i++) {
        const Key k{static_cast<uint64_t>(i % keys), 1};
        for (;;) {
          Record r{};
          uint64_t version = 0;
          EXPECT(get(t, k, r, &version));
          EXPECT(r.check == ~r.value);
          if (swap(t, k, version, r.value + 1, w) == Outcome::won) break;
        }
      }
    });
  for (auto &thread : all) thread.join();
  uint64_t total = 0;
  for (uint64_t k = 0; k < keys; k++) {
    Record r{};
    EXPECT(get(t, {k, 1}, r));
    total += r.value;
  }
  EXPECT(total == uint64_t{threads} * increments);
}

// Threads create and remove the same few keys: a create wins only where the key was absent, so wins
// and removals must add up.
void creates_once_among_many_threads() {
  Table t(config(64));
  std::atomic<int> alive{0};
  std::vector<std::thread> all;
  for (int n = 0; n < 4; n++)
    all.emplace_back([&t, &alive, n] {
      Writes w(static_cast<uint64_t>(n) + 1);
      std::mt19937 random(static_cast<uint32_t>(n));
      for (int i = 0; i < 50'000; i++) {
        const Key k{random() % 16, 2};
        if (random() % 2) {
          if (insert(t, k, 1, w) == Outcome::won) alive++;
        } else if (t.remove(t.hash(k), k, 0) == Outcome::won) {
          alive--;
        }
      }
    });
  for (auto &thread : all) thread.join();
  EXPECT(static_cast<int>(t.size()) == alive.load());
}

void hands_numbers_out_once() {
  NumberPool pool(100, 50);
  uint32_t out[60];
  EXPECT(pool.take(out, 60) == 50 && out[0] == 100 && pool.take(out, 1) == 0);
  const auto give = [&pool](uint32_t number) { return pool.give(&number, 1) == 1; };
  EXPECT(give(120) && !give(120) && !give(150) && !give(99));
  EXPECT(pool.take(out, 2) == 1 && out[0] == 120 && !pool.check());
  const uint32_t several[] = {130, 101, 101, 140};
  EXPECT(pool.give(several, 4) == 2 && pool.free() == 2);  // 101 is out once
  EXPECT(pool.take(out, 3) == 2 && out[0] == 130 && out[1] == 101 && !pool.check());
}

}  // namespace

int main() {
  creates_swaps_and_removes();
  holds_its_bound();
  survives_churn();
  expires_between_t_and_one_and_a_half();
  claims_until_confirmed();
  counts_from_many_threads();
  creates_once_among_many_threads();
  hands_numbers_out_once();
  return 0;
}
