#include "port/dpdk/queue.h"

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "port/dpdk/pool.h"
#include "port/dpdk/port.h"

namespace rxnf::dpdk {
namespace {

// transmit writes pkt_len, data_len and vlan_tci as one word.
constexpr size_t lengths = offsetof(rte_mbuf, pkt_len);
static_assert(offsetof(rte_mbuf, data_len) == lengths + 4 &&
              offsetof(rte_mbuf, vlan_tci) == lengths + 6);

// Taken from this thread's cache and put back: tens of nanoseconds, and only when a poll was empty.
// Counting the pool would read the other lanes' cache lines instead.
bool could_fill(rte_mempool *mempool, rte_mbuf **scratch, uint32_t n) {
  auto objects = reinterpret_cast<void **>(scratch);
  if (rte_mempool_get_bulk(mempool, objects, n) != 0) return false;
  rte_mempool_put_bulk(mempool, objects, n);
  return true;
}

// Where a device takes tags away unasked, as cards do for their virtual functions: a lane reads
// them in the frame.
void put_tags_back(rte_mbuf **frames, uint32_t n) {
  for (uint32_t i = 0; i < n; i++)
    if (frames[i]->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) rte_vlan_insert(&frames[i]);
}

rte_mbuf *mbuf_at(uintptr_t base, uint32_t handle) {
  return reinterpret_cast<rte_mbuf *>(base + handle);
}

// The rest of the header stands as the driver left it: one segment, one reference, and no transmit
// flag, as flags of receive and transmit are different bits and nothing here sets the latter.
rte_mbuf *place(rte_mbuf *m, uint32_t offset, uint32_t length) {
  m->data_off = static_cast<uint16_t>(offset - Pool::data_min);
  const uint64_t word = length * (1ull << 32 | 1);
  std::memcpy(reinterpret_cast<uint8_t *>(m) + lengths, &word, sizeof(word));
  return m;
}

}  // namespace

Queue::Queue(Port &port, uint16_t index, uint64_t frames)
    : port_(port),
      pass_(port.gate()),
      ethdev_(port.ethdev()),
      index_(index),
      base_(pool().base),
      mempool_(pool().mempool),
      in_vlan_(port.in_vlan()),
      frames_(frames) {}

rxnf_queue Queue::interface() {
  return {.ctx = this,
          .receive = receive,
          .transmit = transmit,
          .counters = counters,
          .keeps_place = 1};
}

uint32_t Queue::receive(void *ctx, uint32_t *__restrict handle, uint32_t *__restrict data,
                        uint32_t *__restrict length, uint32_t max) {
  auto &q = *static_cast<Queue *>(ctx);
  if (!q.pass_.enter()) [[unlikely]]
    return 0;
  rte_mbuf *frames[max_burst];
  const auto wanted = static_cast<uint16_t>(std::min(max, max_burst));
  uint32_t n = rte_eth_rx_burst(q.ethdev_, q.index_, frames, wanted);
  if (n == 0) {
    q.starved_ += !could_fill(q.mempool_, frames, wanted);
    return 0;
  }
  if (q.in_vlan_) [[unlikely]]
    put_tags_back(frames, n);
  const uintptr_t base = q.base_;
  for (;;) {
    uint64_t bytes = 0;
    uint16_t segments = 1;
    // Two loops: one walks the headers, and the compiler turns the other into vector instructions.
#pragma GCC unroll 4
    for (uint32_t i = 0; i < n; i++) {
      const rte_mbuf *m = frames[i];
      data[i] = m->data_off;
      length[i] = m->data_len;
      segments |= m->nb_segs;
    }
    for (uint32_t i = 0; i < n; i++) {
      const auto h = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(frames[i]) - base);
      handle[i] = h;
      data[i] += h + Pool::data_min;
      bytes += length[i];
    }
    if (segments == 1) [[likely]] {
      q.received_packets_ += n;
      q.received_bytes_ += bytes;
      return n;
    }
    n = q.keep_whole(frames, n);
  }
}

// Brings each frame into one segment; those that do not fit in one are dropped and counted.
uint32_t Queue::keep_whole(rte_mbuf **frames, uint32_t n) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (rte_pktmbuf_linearize(frames[i]) == 0) {
      frames[kept++] = frames[i];
    } else {
      rte_pktmbuf_free(frames[i]);
      multi_segment_++;
    }
  }
  return kept;
}

uint32_t Queue::transmit(void *ctx, const uint32_t *handle, const uint32_t *data,
                         const uint32_t *length, uint32_t n) {
  auto &q = *static_cast<Queue *>(ctx);
  if (!q.pass_.enter()) [[unlikely]]
    return 0;
  rte_mbuf *frames[max_burst];
  n = std::min(n, max_burst);
  const uintptr_t base = q.base_;
  if (data == nullptr) {
    for (uint32_t i = 0; i < n; i++) frames[i] = mbuf_at(base, handle[i]);
  } else {
#pragma GCC unroll 4
    for (uint32_t i = 0; i < n; i++)
      frames[i] = place(mbuf_at(base, handle[i]), data[i] - handle[i], length[i]);
  }
  const uint32_t sent = rte_eth_tx_burst(q.ethdev_, q.index_, frames, static_cast<uint16_t>(n));
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < sent; i++) bytes += length[i];
  q.transmitted_packets_ += sent;
  q.transmitted_bytes_ += bytes;
  return sent;
}

void Queue::open_baseline() { counters(this, &baseline_); }

// Packets and bytes are this queue's own. What only the device counts (misses, errors) stands for
// all queues, so queue 0 reports it and the sum over queues stays right.
void Queue::counters(void *ctx, rxnf_port_counters *out) {
  auto &q = *static_cast<Queue *>(ctx);
  const DeviceCounters device = q.port_.observe();
  const bool first = q.index_ == 0;
  const auto since = [first](uint64_t now, uint64_t baseline) {
    return first && now > baseline ? now - baseline : 0;
  };
  *out = {};
  out->received_packets = q.received_packets_;
  out->received_bytes = q.received_bytes_;
  out->transmitted_packets = q.transmitted_packets_;
  out->transmitted_bytes = q.transmitted_bytes_;
  out->missed = since(device.missed, q.baseline_.missed);
  out->receive_errors = since(device.receive_errors, q.baseline_.receive_errors);
  out->transmit_errors = since(device.transmit_errors, q.baseline_.transmit_errors);
  const uint64_t lost = since(device.no_buffer, q.baseline_.no_buffer);
  out->no_buffer = std::max(lost, q.starved_);
  out->multi_segment = q.multi_segment_;
  out->resets = first ? device.resets : 0;
  out->link_up = device.link_up;
  out->gone = device.gone;
  const uint64_t given = out->received_packets + out->multi_segment + lost;
  out->exhausted = q.frames_ != 0 && given >= q.frames_;
}

}  // namespace rxnf::dpdk
