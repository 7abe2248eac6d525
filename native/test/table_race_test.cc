// The table under writers and readers that race for as long as a scheduler needs to preempt one in
// the middle of a write.
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "store/table.h"
#include "test/support.h"

using namespace rxnf;
using rxnf::test::Random;

namespace {

struct Record {
  uint64_t a, b;
};

TableConfig config(uint32_t capacity, uint32_t idle_ms = 0) {
  return {capacity, sizeof(Record), {idle_ms, 0, 0, 0}, 1, 42};
}

// A writer's versions, each once.
struct Versions {
  uint64_t next;
  explicit Versions(uint64_t writer) : next(writer << 40 | 2) {}
  uint64_t operator()() { return (next += 2) - 2; }
};

Key key(uint64_t n) { return {n, n * 7}; }

Outcome insert(Table &t, const Key &k, Record r, uint64_t version, uint32_t now = 0,
               uint8_t timer = 0) {
  Entry *e = nullptr;
  return t.insert(t.hash(k), k, reinterpret_cast<const uint8_t *>(&r), timer, version, now, &e);
}

uint64_t read(Table &t, const Key &k, Record &r) {
  uint8_t timer;
  Entry *e = t.find(t.hash(k), k);
  return e ? t.read(e, k, reinterpret_cast<uint8_t *>(&r), &timer) : 0;
}

Outcome swap(Table &t, const Key &k, uint64_t expected, Record r, uint64_t version) {
  Entry *e = nullptr;
  return t.swap(t.hash(k), k, expected, reinterpret_cast<const uint8_t *>(&r), 0, version, 0, &e);
}

constexpr auto stress_for = std::chrono::milliseconds(700);

// Two threads add to one counter by compare-and-swap: nothing is lost, and a version is one write.
void swaps_from_two_threads_lose_nothing() {
  Table t(config(64));
  Versions first(9);
  for (uint64_t n = 0; n < 4; n++) insert(t, key(n), {0, ~uint64_t{0}}, first());
  std::atomic<uint64_t> won[4] = {};
  const auto until = std::chrono::steady_clock::now() + stress_for;
  std::vector<std::thread> threads;
  for (uint64_t writer = 1; writer <= 2; writer++)
    threads.emplace_back([&, writer] {
      Versions versions(writer);
      Random random(writer);
      uint64_t last[4] = {};
      while (std::chrono::steady_clock::now() < until) {
        for (int i = 0; i < 100; i++) {
          const uint32_t n = random.below(4);
          Record r{};
          const uint64_t version = read(t, key(n), r);
          EXPECT(version != 0);
          EXPECT(r.b == ~r.a);     // never a torn record
          EXPECT(r.a >= last[n]);  // never back in time
          last[n] = r.a;
          if (swap(t, key(n), version, {r.a + 1, ~(r.a + 1)}, versions()) == Outcome::won) won[n]++;
        }
      }
    });
  for (auto &thread : threads) thread.join();
  for (uint64_t n = 0; n < 4; n++) {
    Record r{};
    EXPECT(read(t, key(n), r) && r.a == won[n] && won[n] > 0);
  }
}

// Creates and removals race with readers: of two creates one wins, a reader sees a record of its
// own key or none, and the count comes out right.
void creates_and_removals_race_with_readers() {
  Table t(config(64));
  std::atomic<int64_t> balance[16] = {};
  const auto until = std::chrono::steady_clock::now() + stress_for;
  std::vector<std::thread> threads;
  for (uint64_t writer = 1; writer <= 2; writer++)
    threads.emplace_back([&, writer] {
      Versions versions(writer);
      Random random(writer);
      while (std::chrono::steady_clock::now() < until) {
        for (int i = 0; i < 100; i++) {
          const uint32_t n = random.below(16);
          if (random.below(2)) {
            if (insert(t, key(n), {n, ~uint64_t{n}}, versions()) == Outcome::won) balance[n]++;
          } else if (t.remove(t.hash(key(n)), key(n), 0) == Outcome::won) {
            balance[n]--;
          }
        }
      }
    });
  for (int reader = 0; reader < 2; reader++)
    threads.emplace_back([&, reader] {
      Random random(static_cast<uint64_t>(reader) + 100);
      while (std::chrono::steady_clock::now() < until) {
        for (int i = 0; i < 100; i++) {
          const uint32_t n = random.below(16);
          Record r{};
          if (read(t, key(n), r)) EXPECT(r.a == n && r.b == ~r.a);
        }
      }
    });
  for (auto &thread : threads) thread.join();
  uint32_t there = 0;
  for (uint64_t n = 0; n < 16; n++) {
    Record r{};
    EXPECT(balance[n] == (read(t, key(n), r) ? 1 : 0));
    there += static_cast<uint32_t>(balance[n]);
  }
  EXPECT(t.size() == there);
  for (uint64_t n = 0; n < 16; n++) t.remove(t.hash(key(n)), key(n), 0);
  EXPECT(t.size() == 0 && t.overflowed() == 0);
  Versions versions(3);
  for (uint64_t n = 0; n < 64; n++) EXPECT(insert(t, key(n), {}, versions()) == Outcome::won);
}

// An insert that lost tells of a record that was there, however fast that is removed again.
void a_lost_insert_has_a_winner() {
  Table t(config(64));
  std::atomic<bool> done = false;
  std::thread other([&] {
    Versions versions(1);
    while (!done) {
      insert(t, key(1), {1, 1}, versions());
      t.remove(t.hash(key(1)), key(1), 0);
    }
  });
  Versions versions(2);
  const Record mine{2, 2};
  const auto until = std::chrono::steady_clock::now() + stress_for;
  uint32_t lost = 0;
  while (std::chrono::steady_clock::now() < until) {
    for (int i = 0; i < 100; i++) {
      Record winner{};
      uint8_t timer = 0;
      uint64_t version = versions();
      const auto outcome =
          t.insert_or_read(t.hash(key(1)), key(1), reinterpret_cast<const uint8_t *>(&mine), &timer,
                           &version, 0, reinterpret_cast<uint8_t *>(&winner));
      if (outcome == Outcome::won) {
        t.remove(t.hash(key(1)), key(1), version);
        continue;
      }
      lost++;
      EXPECT(outcome == Outcome::lost && version >> 40 == 1 && winner.a == 1);
    }
  }
  done = true;
  other.join();
  EXPECT(lost > 0);
}

}  // namespace

int main() {
  swaps_from_two_threads_lose_nothing();
  creates_and_removals_race_with_readers();
  a_lost_insert_has_a_winner();
}
