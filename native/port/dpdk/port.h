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

struct rte_device;

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
  // `filtered`: the device refuses promiscuous mode, and takes frames to its own address, and to
  // groups, alone.
  int start(bool *filtered, rxnf_error *error);
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
  // The kernel wants the device back. Lanes that are inside a queue get time to leave it; then the
  // device is closed and let go of, which whoever unbinds it waits for.
  void give_back();
  // Started and there: lanes poll a port from before its link comes up, so that what arrives at the
  // first moment is taken.
  bool running() const { return running_.load(std::memory_order_acquire); }
  uint16_t ethdev() const { return ethdev_; }
  const std::string &device() const { return device_; }

 private:
  static void let_go(void *port);
  int setup_queues(const rxnf_dpdk_port_config &config, rxnf_error *error);

  const uint16_t ethdev_;
  const std::string device_;
  std::atomic<bool> gone_{false}, running_{false};
  std::mutex observing_;
  DeviceCounters last_{};
  rte_device *bus_device_ = nullptr;
  uint32_t if_index_ = 0;  // 0: no kernel interface under it
  bool promiscuous_ = false;
  bool open_ = false;
  std::vector<std::unique_ptr<Queue>> queues_;
};

int open_port(const rxnf_dpdk_port_config *config, rxnf_dpdk_port_info *out, rxnf_error *error);
int start_port(uint16_t ethdev, uint32_t *filtered, rxnf_error *error);
int open_queue(uint16_t ethdev, uint16_t queue, rxnf_queue *out, rxnf_error *error);
int close_port(uint16_t ethdev, rxnf_error *error);
void close_ports();

}  // namespace rxnf::dpdk
