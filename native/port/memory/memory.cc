#include "port/memory/memory.h"

#include <sys/mman.h>
#include <cstring>

namespace rxnf {
namespace {
constexpr uint32_t stride = (MemoryPool::room + 63) & ~63u;
}

MemoryPool::MemoryPool(uint32_t cells) : size_(uint64_t{stride} * cells), cells_(cells) {
  void *p = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return;
  madvise(p, size_, MADV_HUGEPAGE);
  base_ = static_cast<uint8_t *>(p);
  free_.reserve(cells);
  for (uint32_t i = cells; i-- > 0;) free_.push_back(i * stride);
}

MemoryPool::~MemoryPool() {
  if (base_) munmap(base_, size_);
}

rxnf_pool MemoryPool::pool() {
  return {
      .base = base_,
      .size = size_,
      .data_min = 0,
      .headroom = headroom,
      .room = room,
      .capacity = cells_,
      .ctx = this,
      .alloc = [](void *ctx, uint32_t *handles, uint32_t n) -> uint32_t {
        auto &f = static_cast<MemoryPool *>(ctx)->free_;
        if (f.size() < n) return 0;
        for (uint32_t i = 0; i < n; i++) handles[i] = f.back(), f.pop_back();
        return n;
      },
      .free =
          [](void *ctx, const uint32_t *handles, uint32_t n) {
            auto &f = static_cast<MemoryPool *>(ctx)->free_;
            f.insert(f.end(), handles, handles + n);
          },
      .available = [](void *ctx) { return static_cast<MemoryPool *>(ctx)->available(); },
  };
}

MemoryQueue::~MemoryQueue() {
  PacketRing::Row r;
  while (to_receive_.pop(r) || transmitted_.pop(r)) pool_.free(pool_.ctx, &r.handle, 1);
}

rxnf_queue MemoryQueue::queue() { return {this, receive, transmit, count, 0}; }

uint32_t MemoryQueue::push(const uint8_t *bytes, const uint32_t *offsets, const uint32_t *lengths,
                           uint32_t n) {
  uint32_t i = 0;
  for (; i < n; i++) {
    if (lengths[i] > pool_.room - pool_.headroom) {
      counters_.receive_errors++;
      continue;
    }
    uint32_t handle;
    if (to_receive_.space() == 0) {
      counters_.missed++;
      break;
    }
    if (pool_.alloc(pool_.ctx, &handle, 1) != 1) {
      counters_.no_buffer++;
      break;
    }
    const uint32_t data = handle + pool_.data_min + pool_.headroom;
    std::memcpy(pool_.base + data, bytes + offsets[i], lengths[i]);
    to_receive_.push({handle, data, lengths[i]});
  }
  return i;
}

uint32_t MemoryQueue::take(uint8_t *out, uint32_t size) {
  PacketRing::Row r;
  if (!transmitted_.pop(r)) return 0;
  std::memcpy(out, pool_.base + r.data, r.length < size ? r.length : size);
  pool_.free(pool_.ctx, &r.handle, 1);
  return r.length;
}

uint32_t MemoryQueue::receive(void *ctx, uint32_t *handle, uint32_t *data, uint32_t *length,
                              uint32_t max) {
  auto *q = static_cast<MemoryQueue *>(ctx);
  PacketRing::Row r;
  uint32_t n = 0;
  while (n < max && q->to_receive_.pop(r)) {
    handle[n] = r.handle, data[n] = r.data, length[n++] = r.length;
    q->counters_.received_bytes += r.length;
  }
  q->counters_.received_packets += n;
  return n;
}

uint32_t MemoryQueue::transmit(void *ctx, const uint32_t *handle, const uint32_t *data,
                               const uint32_t *length, uint32_t n) {
  auto *q = static_cast<MemoryQueue *>(ctx);
  if (q->refuse_ || q->counters_.gone) return 0;
  uint32_t i = 0;
  if (q->discard_) {
    q->pool_.free(q->pool_.ctx, handle, n);
    i = n;
  } else {
    while (i < n && q->transmitted_.push({handle[i], data[i], length[i]})) i++;
  }
  q->counters_.transmitted_packets += i;
  for (uint32_t k = 0; k < i; k++) q->counters_.transmitted_bytes += length[k];
  return i;
}

void MemoryQueue::count(void *ctx, rxnf_port_counters *out) {
  *out = static_cast<MemoryQueue *>(ctx)->counters_;
}

}  // namespace rxnf
