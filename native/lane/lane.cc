#include "lane/lane.h"

#include <cstdlib>
#include <cstring>
#include <ctime>

#include "lane/vlan.h"

namespace rxnf {
namespace {

double monotonic_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

// Until a lookup joins rows, each leads itself.
constexpr std::array<uint16_t, max_rows> own_leaders = [] {
  std::array<uint16_t, max_rows> rows{};
  for (uint32_t i = 0; i < max_rows; i++) rows[i] = static_cast<uint16_t>(i);
  return rows;
}();

constexpr uint32_t max_retries = 8;  // of a full transmit ring: a few microseconds, then drop

}  // namespace

// 16 steps an octave: relative error at most 1/16. Below 16 ns one bucket a nanosecond.
uint32_t latency_bucket(uint64_t ns) {
  if (ns < 16) return static_cast<uint32_t>(ns);
  const auto octave = static_cast<uint32_t>(63 - __builtin_clzll(ns));
  const auto b = (octave - 3) * 16 + static_cast<uint32_t>(ns >> (octave - 4) & 15);
  return b < Counters::latency_buckets ? b : Counters::latency_buckets - 1;
}

Lane::Lane(const rxnf_pool &pool, const LaneConfig &config)
    : pool_(pool), config_(config), layout_(config.rows, config.strides), writer_(config.writer) {
  const size_t bytes = (block_size() + 4095) & ~size_t{4095};
  block_.reset(static_cast<uint8_t *>(std::aligned_alloc(4096, bytes)));
  std::memset(block_.get(), 0, bytes);
  for (uint32_t i = 0; i < config.batches; i++) batches_.push_back(layout_.at(block_.get(), i));
  control_->receive_into = -1;
  counters_->tick_ns = monotonic_ns();
  for (auto &b : control_->budget) b = -1;
}

Lane::~Lane() = default;

Lane::LanePort *Lane::port(uint32_t number) {
  for (auto &p : ports_)
    if (p.number == number) return &p;
  return nullptr;
}

bool Lane::set_vlan(uint32_t number, uint32_t identifier) {
  LanePort *p = port(number);
  if (!p || identifier == 0 || identifier >= vlan::identifier_mask) return false;
  p->vlan = static_cast<uint16_t>(identifier);
  keep_place_ = false;
  return true;
}

// Takes the tags out of the rows that a port in a VLAN has just given; others are dropped. Returns
// how many are left.
uint32_t Lane::keep_tagged(Batch &b, uint32_t from, uint32_t count, uint16_t vlan) {
  uint32_t kept = from, other = 0, handles[max_rows];
  for (uint32_t i = from; i < from + count; i++) {
    if (!vlan::untag(pool_.base, b.data[i], b.length[i], vlan)) {
      handles[other++] = b.handle[i];
      continue;
    }
    b.handle[kept] = b.handle[i], b.data[kept] = b.data[i], b.length[kept++] = b.length[i];
  }
  if (other) pool_.free(pool_.ctx, handles, other);
  counters_->dropped[static_cast<uint32_t>(Reason::wrong_vlan)] += other;
  return kept - from;
}

// Copies rows and puts a tag into each frame; those without room in front of them, which is where
// the headroom was, are dropped. Returns how many are left.
uint32_t Lane::put_tags(const uint32_t *handle, const uint32_t *data, const uint32_t *length,
                        uint32_t n, uint16_t vlan, Rows &out) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (data[i] - handle[i] < pool_.data_min + vlan::tag_length) {
      pool_.free(pool_.ctx, &handle[i], 1);
      counters_->dropped[static_cast<uint32_t>(Reason::no_headroom)]++;
      continue;
    }
    out.handle[kept] = handle[i], out.data[kept] = data[i], out.length[kept] = length[i];
    vlan::tag(pool_.base, out.data[kept], out.length[kept], vlan);
    kept++;
  }
  return kept;
}

// Sends what the ring takes within a bounded number of tries; frees and counts the rest.
uint32_t Lane::send(uint32_t number, const uint32_t *handle, const uint32_t *data,
                    const uint32_t *length, uint32_t n) {
  LanePort *p = port(number);
  uint32_t sent = 0;
  Rows tagged;
  if (p && p->vlan) [[unlikely]] {
    n = put_tags(handle, data, length, n, p->vlan, tagged);
    handle = tagged.handle, data = tagged.data, length = tagged.length;
  }
  if (p)
    for (uint32_t tries = 0; sent < n && tries < max_retries; tries++)
      sent += p->queue.transmit(p->queue.ctx, handle + sent, data ? data + sent : nullptr,
                                length + sent, n - sent);
  if (sent < n) {
    pool_.free(pool_.ctx, handle + sent, n - sent);
    counters_->dropped[static_cast<uint32_t>(Reason::transmit_full)] += n - sent;
  }
  if (number < max_ports) counters_->forwarded[number] += sent;
  return sent;
}

// Returns packets sent.
uint32_t Lane::settle(Batch &b) {
  const auto count = static_cast<uint32_t>(b.header->count);
  if (count == 0) return 0;
  uint32_t sent = 0;
  const int32_t first = b.verdict[0];
  int32_t differs = 0;
  for (uint32_t i = 0; i < count; i++) differs |= b.verdict[i] ^ first;
  if (differs == 0 && first > 0 && first != verdict::held) {
    const uint32_t *data = keep_place_ && b.header->made_here == 0 ? nullptr : b.data;
    sent = send(static_cast<uint32_t>(first - 1), b.handle, data, b.length, count);
  } else {
    // Rows go out in order per port: one gathering pass per port that appears.
    uint32_t handle[max_rows], data[max_rows], length[max_rows], freed = 0;
    uint64_t ports = 0;
    for (uint32_t i = 0; i < count; i++) {
      const int32_t v = b.verdict[i];
      if (v == verdict::held) continue;
      if (v > 0 && v <= static_cast<int32_t>(max_ports)) {
        ports |= uint64_t{1} << (v - 1);
        continue;
      }
      const uint32_t reason = v >= 0 ? static_cast<uint32_t>(Reason::unsettled) : -v;
      counters_->dropped[reason < max_reasons ? reason : 0]++;
      handle[freed++] = b.handle[i];
    }
    if (freed) pool_.free(pool_.ctx, handle, freed);
    for (; ports; ports &= ports - 1) {
      const auto number = static_cast<uint32_t>(__builtin_ctzll(ports));
      uint32_t n = 0;
      for (uint32_t i = 0; i < count; i++) {
        if (b.verdict[i] != verdict::forward(number)) continue;
        handle[n] = b.handle[i], data[n] = b.data[i], length[n++] = b.length[i];
      }
      sent += send(number, handle, data, length, n);
    }
  }
  return sent;
}

void Lane::receive(Batch &b) {
  BatchHeader &h = *b.header;
  std::memset(&h, 0, sizeof h);
  h.receive_tick = counters_->tick_ns;
  h.now_ms = static_cast<uint32_t>(static_cast<uint64_t>(counters_->tick_ns / 1e6));
  uint32_t n = 0;
  for (int32_t k = 0; k < control_->inject_count; k++, n++) {
    const auto &in = control_->inject[k];
    b.handle[n] = in.handle, b.data[n] = in.data, b.length[n] = in.length;
    b.ingress[n] = static_cast<uint8_t>(in.ingress);
  }
  control_->inject_count = 0;
  counters_->injected += n;
  const auto ports = static_cast<uint32_t>(ports_.size());
  for (uint32_t k = 0; k < ports && n < config_.burst; k++) {
    const LanePort &p = ports_[(first_port_ + k) % ports];
    uint32_t want = config_.burst - n;
    const int32_t budget = control_->budget[p.number];
    if (budget >= 0 && static_cast<uint32_t>(budget) < want) want = static_cast<uint32_t>(budget);
    if (want == 0) continue;
    uint32_t got = p.queue.receive(p.queue.ctx, b.handle + n, b.data + n, b.length + n, want);
    counters_->received[p.number] += got;
    if (p.vlan) [[unlikely]]
      got = keep_tagged(b, n, got, p.vlan);
    std::memset(b.ingress + n, static_cast<int>(p.number), got);
    n += got;
  }
  first_port_++;
  h.count = static_cast<int32_t>(n);
  std::memset(b.verdict, 0, n * sizeof *b.verdict);
  std::memset(b.traits, 0, n * sizeof *b.traits);
  std::memset(b.edits, 0, n);
  for (size_t r = 0; r < layout_.strides.size(); r++) {
    std::memset(b.registers[r].state, 0, n);
    std::memset(b.registers[r].write, 0, n);
    std::memcpy(b.registers[r].leader, own_leaders.data(), n * sizeof(uint16_t));
  }
  counters_->breaths++;
  if (n)
    counters_->batches++;
  else
    counters_->empty_polls++;
}

// One reading of the clock, which costs as much as two packets: it is when the packets of this
// breath had left and when the next were asked for. It goes on while every batch is out: stores and
// timers wait by it.
void Lane::breathe() {
  Control &c = *control_;
  c.transmitted = c.arrived = 0;
  uint32_t sent[max_batches];
  for (int32_t k = 0; k < c.transmit_count; k++)
    sent[k] = settle(batches_[static_cast<uint32_t>(c.transmit[k])]);
  if (!c.virtual_clock) counters_->tick_ns = monotonic_ns();
  for (int32_t k = 0; k < c.transmit_count; k++) {
    const BatchHeader &h = *batches_[static_cast<uint32_t>(c.transmit[k])].header;
    const double spent = counters_->tick_ns - h.receive_tick;
    counters_->latency[latency_bucket(spent > 0 ? static_cast<uint64_t>(spent) : 0)] += sent[k];
    c.transmitted += static_cast<int32_t>(sent[k]);
  }
  c.transmit_count = 0;
  if (c.receive_into < 0) return;
  Batch &b = batches_[static_cast<uint32_t>(c.receive_into)];
  receive(b);
  c.arrived = b.header->count;
}

int32_t Lane::originate(uint32_t batch, uint32_t ingress, uint32_t length) {
  Batch &b = batches_[batch];
  const auto row = static_cast<uint32_t>(b.header->count);
  uint32_t handle;
  if (row >= b.capacity || length > pool_.room - pool_.headroom ||
      pool_.alloc(pool_.ctx, &handle, 1) != 1)
    return -1;
  b.handle[row] = handle;
  b.data[row] = handle + pool_.data_min + pool_.headroom;
  b.length[row] = length;
  b.ingress[row] = static_cast<uint8_t>(ingress);
  b.traits[row] = trait::originated;
  b.verdict[row] = verdict::pending;
  b.edits[row] = 0;
  b.header->count++;
  b.header->made_here = 1;
  counters_->originated++;
  return static_cast<int32_t>(row);
}

}  // namespace rxnf
