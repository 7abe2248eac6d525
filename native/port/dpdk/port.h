// An ethdev as a port of one or more queues. Ports are opened, started and closed by one thread;
// its queues are polled by others.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "port/dpdk.h"
#include "port/dpdk/queue.h"

namespace rxnf::dpdk {

// What the device counts for all of its queues together.
struct DeviceCounters {
  uint64_t missed, receive_errors, transmit_errors, no_buffer;
  bool link_up, gone;
};

class Port {
 public:
  Port(uint16_t ethdev, std::string device) : ethdev_(ethdev), device_(std::move(device)) {}

  int configure(const rxnf_dpdk_port_config &config, rxnf_dpdk_port_info *out, rxnf_error *error);
  int start(rxnf_error *error);
  int open_queue(uint16_t index, rxnf_queue *out, rxnf_error *error);
  int close(rxnf_error *error);

  // Asks the device; may be called by any thread. A vanished device is noticed here, and in its
  // own removal event where the driver sends one.
  DeviceCounters observe();

  bool gone() const { return gone_.load(std::memory_order_relaxed); }
  void mark_gone() {
    gone_.store(true, std::memory_order_relaxed);
    running_.store(false, std::memory_order_relaxed);
  }
  // Started and there: lanes poll a port from before its link comes up, so that what arrives at the
  // first moment is taken.
  bool running() const { return running_.load(std::memory_order_acquire); }
  uint16_t ethdev() const { return ethdev_; }
  const std::string &device() const { return device_; }

 private:
  int setup_queues(const rxnf_dpdk_port_config &config, rxnf_error *error);

  const uint16_t ethdev_;
  const std::string device_;
  std::atomic<bool> gone_{false}, running_{false};
  std::mutex observing_;
  DeviceCounters last_{};
  uint32_t if_index_ = 0;  // 0: no kernel interface under it
  bool promiscuous_ = false;
  bool open_ = false;
  std::vector<std::unique_ptr<Queue>> queues_;
};

int open_port(const rxnf_dpdk_port_config *config, rxnf_dpdk_port_info *out, rxnf_error *error);
int start_port(uint16_t ethdev, rxnf_error *error);
int open_queue(uint16_t ethdev, uint16_t queue, rxnf_queue *out, rxnf_error *error);
int close_port(uint16_t ethdev, rxnf_error *error);
void close_ports();

}  // namespace rxnf::dpdk
