#include "store/number_pool.h"

#include <vector>

namespace rxnf {
namespace {

constexpr uint64_t magic = 0x726562626d756e78;

}  // namespace

// A holder is inside for microseconds; whoever waits for longer looks whether it lives.
class NumberPool::Locked {
 public:
  explicit Locked(NumberPool &pool) : pool_(pool) {
    pool.hand_->begin(Step::numbers, pool.number_);
    for (uint32_t spins = 0; spins < max_spins; spins++) {
      uint32_t holder = 0;
      if (pool.header_->lock.compare_exchange_weak(holder, pool.hand_->tag(),
                                                   std::memory_order_acquire)) {
        held_ = true;
        return;
      }
      if ((spins & 0xfff) == 0xfff) pool.hand_->repair_dead();
      if (spins < 256)
        __builtin_ia32_pause();
      else
        sched_yield();
    }
  }
  ~Locked() {
    if (held_) pool_.header_->lock.store(0, std::memory_order_release);
    pool_.hand_->end();
  }
  Locked(const Locked &) = delete;
  Locked &operator=(const Locked &) = delete;
  explicit operator bool() const { return held_; }

 private:
  static constexpr uint32_t max_spins = 1 << 16;
  NumberPool &pool_;
  bool held_ = false;
};

size_t NumberPool::bytes_for(uint32_t count) {
  return sizeof(Header) + size_t{count} * (sizeof(uint32_t) + sizeof(Number));
}

void NumberPool::format(uint32_t first, uint32_t count, uint8_t *base) {
  auto *h = reinterpret_cast<Header *>(base);
  h->first = first;
  h->count = count;
  h->size.store(count, std::memory_order_relaxed);
  auto *ring = reinterpret_cast<uint32_t *>(h + 1);
  for (uint32_t i = 0; i < count; i++) ring[i] = first + i;
  h->magic = magic;
}

NumberPool::NumberPool(uint32_t first, uint32_t count) : hand_(&own_hand()) {
  const size_t size = bytes_for(count);
  auto bytes = std::make_shared<std::vector<uint64_t>>((size + 7) / 8);
  auto *base = reinterpret_cast<uint8_t *>(bytes->data());
  format(first, count, base);
  attach({base, size, std::move(bytes)});
}

NumberPool::NumberPool(Memory memory, Hand &hand, uint32_t number) : number_(number), hand_(&hand) {
  const auto *h = reinterpret_cast<const Header *>(memory.base);
  if (memory.size < sizeof(Header) || h->magic != magic || memory.size < bytes_for(h->count))
    return;
  attach(std::move(memory));
}

void NumberPool::attach(Memory memory) {
  memory_ = std::move(memory);
  header_ = reinterpret_cast<Header *>(memory_.base);
  ring_ = reinterpret_cast<uint32_t *>(header_ + 1);
  numbers_ = reinterpret_cast<Number *>(ring_ + header_->count);
}

// The number is marked first: between the two it is neither out twice nor lost (see `repair`).
uint32_t NumberPool::take(uint32_t *out, uint32_t n, uint32_t writer, uint32_t now) {
  Locked lock(*this);
  if (!lock) return 0;
  uint32_t size = header_->size.load(std::memory_order_relaxed);
  if (n > size) n = size;
  for (uint32_t i = 0; i < n; i++) __builtin_prefetch(&numbers_[index(ring_[after_head(i)])], 1);
  for (uint32_t i = 0; i < n; i++) {
    out[i] = ring_[header_->head];
    Number &number = numbers_[index(out[i])];
    number.writer = writer;
    number.leased = now;
    __atomic_store_n(&number.out, 1u, __ATOMIC_RELEASE);
    header_->head = header_->head + 1 == header_->count ? 0 : header_->head + 1;
    header_->size.store(--size, std::memory_order_release);
  }
  return n;
}

void NumberPool::put_back(uint32_t i) {
  const uint32_t size = header_->size.load(std::memory_order_relaxed);
  ring_[after_head(size)] = header_->first + i;
  __atomic_store_n(&numbers_[i].out, 0u, __ATOMIC_RELEASE);
  header_->size.store(size + 1, std::memory_order_release);
}

uint32_t NumberPool::give(const uint32_t *numbers, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) __builtin_prefetch(&numbers_[index(numbers[i])], 1);
  Locked lock(*this);
  if (!lock) return 0;
  for (uint32_t given = 0; given < n; given++) {
    const uint32_t i = index(numbers[given]);
    if (i >= header_->count || numbers_[i].out == 0) return given;
    put_back(i);
  }
  return n;
}

uint32_t NumberPool::stale(uint32_t from, uint32_t limit, uint32_t until, uint32_t *out,
                           uint32_t *leased) const {
  uint32_t found = 0;
  for (uint32_t i = from; i < header_->count && i - from < limit; i++) {
    const uint32_t since = __atomic_load_n(&numbers_[i].leased, __ATOMIC_ACQUIRE);
    if (numbers_[i].out == 0 || since > until) continue;
    out[found] = header_->first + i;
    leased[found++] = since;
  }
  return found;
}

bool NumberPool::reclaim(uint32_t number, uint32_t leased) {
  const uint32_t i = index(number);
  if (number < header_->first || i >= header_->count) return false;
  Locked lock(*this);
  if (!lock || numbers_[i].out == 0 || numbers_[i].leased != leased) return false;
  put_back(i);
  return true;
}

void NumberPool::expire_leases_of(uint32_t writer) {
  Locked lock(*this);
  if (!lock) return;
  for (uint32_t i = 0; i < header_->count; i++)
    if (numbers_[i].out && numbers_[i].writer == writer) numbers_[i].leased = 0;
}

// The marks are the truth; the ring keeps its order, without what is out and with what is missing.
void NumberPool::repair() {
  hand_->begin(Step::numbers, number_);
  for (uint32_t holder = 0;
       !header_->lock.compare_exchange_strong(holder, hand_->tag(), std::memory_order_acquire);) {
    if (!hand_->dead(holder)) holder = 0;  // wait for who is inside
    sched_yield();
  }
  const uint32_t count = header_->count;
  const uint32_t size = header_->size.load(std::memory_order_relaxed);
  std::vector<bool> listed(count, false);
  std::vector<uint32_t> order;
  order.reserve(count);
  const auto keep = [&](uint32_t i) {
    if (i >= count || listed[i] || numbers_[i].out) return;
    listed[i] = true;
    order.push_back(header_->first + i);
  };
  for (uint32_t n = 0; n < size && n < count; n++)
    keep(index(ring_[(size_t{header_->head} + n) % count]));
  for (uint32_t i = 0; i < count; i++) keep(i);
  // The list may be written anew and cut short again: marks alone then give all of it back.
  header_->size.store(0, std::memory_order_release);
  header_->head = 0;
  for (size_t n = 0; n < order.size(); n++) ring_[n] = order[n];
  header_->size.store(static_cast<uint32_t>(order.size()), std::memory_order_release);
  header_->lock.store(0, std::memory_order_release);
  hand_->end();
}

const char *NumberPool::check() const {
  const uint32_t count = header_->count;
  const uint32_t size = header_->size.load(std::memory_order_relaxed);
  if (header_->lock.load(std::memory_order_relaxed) != 0) return "the pool is locked";
  std::vector<bool> listed(count, false);
  for (uint32_t n = 0; n < size; n++) {
    const uint32_t i = index(ring_[(size_t{header_->head} + n) % count]);
    if (i >= count || listed[i]) return "a number is free twice, or not of this pool";
    if (numbers_[i].out) return "a number is free and out";
    listed[i] = true;
  }
  for (uint32_t i = 0; i < count; i++)
    if (!listed[i] && !numbers_[i].out) return "a number is lost";
  return nullptr;
}

}  // namespace rxnf
