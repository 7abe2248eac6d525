// An ethdev as a port of one or more queues, polled by a lane each, while the device may be reset
// or taken away.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "port/dpdk.h"
#include "port/dpdk/gate.h"
#include "port/dpdk/queue.h"

struct rte_device;

namespace rxnf::dpdk {

// What the device counts for all of its queues together.
struct DeviceCounters {
  uint64_t missed, receive_errors, transmit_errors, no_buffer, resets;
  bool link_up, gone;
};

class Port {
 public:
  Port(uint16_t ethdev, const rxnf_dpdk_port_config &config)
      : ethdev_(ethdev), device_(config.device), config_(config) {}

  int configure(rxnf_dpdk_port_info *out, rxnf_error *error);
  // `filtered`: the device refuses promiscuous mode, and takes frames to its own address, and to
  // groups, alone.
  int start(bool *filtered, rxnf_error *error);
  int open_queue(uint16_t index, rxnf_queue *out, rxnf_error *error);
  int close(rxnf_error *error);

  // Asks the device; may be called by any thread, and does not wait for a reset. A vanished device
  // is noticed here, and in its own removal event where the driver sends one.
  DeviceCounters observe();

  void mark_gone();
  // The kernel wants the device back: it is closed when the lanes have left it, and let go of,
  // which whoever unbinds it waits for.
  void give_back();
  // The device said that its link is down, and it is not being closed: lanes may still be inside.
  bool has_lost_link() const;
  void ask_lanes() { gate_.turn_on(); }
  // All lanes have asked for the device anew since they were asked to, or since it was shut.
  bool lanes_left() const;
  // The physical function under a virtual one was reset, and this one with it: it is set up anew
  // when the lanes have left it, again and again until the physical function is back.
  void set_up_anew();

  const Gate &gate() const { return gate_; }
  uint16_t ethdev() const { return ethdev_; }
  bool in_vlan() const { return config_.vlan != 0; }

 private:
  bool is_there() const {
    return !gone_.load(std::memory_order_relaxed) && !restarting_.load(std::memory_order_relaxed);
  }
  void ask_device();
  static void let_go(void *port);
  static void restart(void *port);
  static void confirm(void *port);
  uint64_t received() const;
  bool lanes_left_or_late();
  int set_up(rxnf_error *error);
  int set_up_queues(rxnf_error *error);
  int start_device(bool *filtered, rxnf_error *error);
  int reset_device(rxnf_error *error);

  const uint16_t ethdev_;
  const std::string device_;
  const rxnf_dpdk_port_config config_;
  // Lanes poll a port from before its link comes up, so that what arrives at the first moment is
  // taken.
  Gate gate_;
  std::atomic<bool> gone_{false}, restarting_{false};
  // Of the thread that events and alarms run on.
  uint32_t leaving_polls_ = 0, unheard_ = 0;
  uint64_t received_before_ = 0;
  std::atomic<uint64_t> resets_{0};
  std::mutex device_in_use_, counting_;
  DeviceCounters counters_{}, asked_{};
  rte_device *bus_device_ = nullptr;
  uint32_t if_index_ = 0;  // 0: no kernel interface under it
  bool rss_ = false;
  bool misses_resets_ = false, lost_link_ = false;
  bool open_ = false;
  std::vector<std::unique_ptr<Queue>> queues_;
};

}  // namespace rxnf::dpdk
