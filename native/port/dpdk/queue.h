// One lane's side of one port: bursts between the device and the batch's columns. The hot path.
#pragma once
#include <rte_mempool.h>

#include <cstdint>

#include "port/dpdk/gate.h"
#include "port/port.h"

struct rte_mbuf;

namespace rxnf::dpdk {

class Port;

inline constexpr uint32_t max_burst =
    512;  // frames a call: 4 KiB of stack, and a batch's most rows

class alignas(64) Queue {
 public:
  Queue(Port &port, uint16_t index, uint64_t frames);

  // Called when the port starts: the device's own counts begin here.
  void open_baseline();
  rxnf_queue interface();
  // The lane has left what it was inside when the gate last turned.
  bool left() const { return pass_.knows(); }

 private:
  static uint32_t receive(void *, uint32_t *handle, uint32_t *data, uint32_t *length, uint32_t max);
  static uint32_t transmit(void *, const uint32_t *handle, const uint32_t *data,
                           const uint32_t *length, uint32_t n);
  static void counters(void *, rxnf_port_counters *out);

  uint32_t keep_whole(rte_mbuf **frames, uint32_t n);

  Port &port_;
  Gate::Pass pass_;
  const uint16_t ethdev_, index_;
  const uintptr_t base_;
  rte_mempool *const mempool_;
  const bool in_vlan_;
  const uint64_t frames_;  // of a finite capture, 0 without an end

  uint64_t received_packets_ = 0, received_bytes_ = 0;
  uint64_t transmitted_packets_ = 0, transmitted_bytes_ = 0;
  uint64_t multi_segment_ = 0;
  uint64_t starved_ =
      0;  // empty receives while the pool could not have filled the burst: the only
          // sign of a dry pool where the driver counts none (pcap looped, null, af_packet)
  rxnf_port_counters baseline_{};
};

}  // namespace rxnf::dpdk
