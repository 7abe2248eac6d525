#include "port/dpdk/port.h"

#include <rte_alarm.h>
#include <rte_dev.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "port/dpdk/error.h"
#include "port/dpdk/interface.h"

namespace rxnf::dpdk {
namespace {

int removed(uint16_t, rte_eth_event_type, void *port, void *) {
  static_cast<Port *>(port)->mark_gone();
  return 0;
}

int reset(uint16_t, rte_eth_event_type, void *port, void *) {
  static_cast<Port *>(port)->set_up_anew();
  return 0;
}

void unbound(const char *, rte_dev_event_type event, void *port) {
  if (event == RTE_DEV_EVENT_REMOVE) static_cast<Port *>(port)->give_back();
}

// A lane asks at every breath, and rests for 500 us at the most. One that has not asked for a
// second waits for something else, or its thread has ended.
constexpr uint64_t leave_poll_microseconds = 1'000;
constexpr uint32_t leave_polls_most = 1'000;
constexpr uint64_t reset_retry_microseconds = 1'000'000;

// To poll the link of a virtual function this driver reads the mailbox, and so takes the message of
// a reset from its own handler of it; but a reset takes the link down for a moment, too. And it
// starts in silence where the physical function does not hear it, which has its link up before it
// listens: so it is started again, a few times, until something arrives.
constexpr std::string_view misses_resets = "net_e1000_igb_vf";
constexpr uint64_t confirm_microseconds = 1'000'000;
constexpr uint32_t unheard_most = 5;

}  // namespace

int Port::configure(rxnf_dpdk_port_info *out, rxnf_error *error) {
  const char *device = device_.c_str();
  rte_eth_dev_info info;
  if (int r = rte_eth_dev_info_get(ethdev_, &info); r != 0)
    return fail(error, r, "%s: no device information: %s", device, rte_strerror(-r));
  const uint32_t most = std::min(info.max_rx_queues, info.max_tx_queues);
  if (config_.queues == 0 || config_.queues > most)
    return fail(error, EINVAL, "%s: %u queues asked for, and the device has %u", device,
                config_.queues, most);
  if (int r = set_up(error); r != 0) return r;
  for (uint16_t q = 0; q < config_.queues; q++)
    queues_.push_back(std::make_unique<Queue>(*this, q, config_.frames));

  if_index_ = info.if_index;
  bus_device_ = info.device;
  misses_resets_ = info.driver_name == misses_resets;
  open_ = true;
  rte_eth_dev_callback_register(ethdev_, RTE_ETH_EVENT_INTR_RMV, removed, this);
  rte_eth_dev_callback_register(ethdev_, RTE_ETH_EVENT_INTR_RESET, reset, this);
  if (bus_device_ != nullptr) rte_dev_event_callback_register(device, unbound, this);

  *out = {};
  rte_ether_addr mac{};
  rte_eth_macaddr_get(ethdev_, &mac);
  std::memcpy(out->mac, mac.addr_bytes, sizeof(out->mac));
  out->ethdev = ethdev_;
  out->max_queues = most;
  out->rss = rss_;
  std::strncpy(out->driver, info.driver_name != nullptr ? info.driver_name : "",
               sizeof(out->driver) - 1);
  rte_eth_link link{};
  rte_eth_link_get_nowait(ethdev_, &link);
  out->link_up = link.link_status == RTE_ETH_LINK_UP;
  out->link_speed_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
  return 0;
}

int Port::start(bool *filtered, rxnf_error *error) {
  if (int r = start_device(filtered, error); r != 0) return r;
  for (auto &queue : queues_) queue->open_baseline();
  gate_.open();
  return 0;
}

int Port::open_queue(uint16_t index, rxnf_queue *out, rxnf_error *error) {
  if (index >= queues_.size())
    return fail(error, EINVAL, "%s: queue %u of %zu", device_.c_str(), index, queues_.size());
  *out = queues_[index]->interface();
  return 0;
}

int Port::close(rxnf_error *error) {
  rte_eal_alarm_cancel(restart, this);
  rte_eal_alarm_cancel(confirm, this);
  const std::lock_guard lock(device_in_use_);
  mark_gone();
  if (!open_) return 0;
  open_ = false;
  rte_eth_dev_callback_unregister(ethdev_, RTE_ETH_EVENT_INTR_RMV, removed, this);
  rte_eth_dev_callback_unregister(ethdev_, RTE_ETH_EVENT_INTR_RESET, reset, this);
  if (bus_device_ != nullptr) rte_dev_event_callback_unregister(device_.c_str(), unbound, this);
  rte_eth_dev_stop(ethdev_);
  if (int r = rte_eth_dev_close(ethdev_); r != 0)
    return fail(error, r, "%s: the device did not close: %s", device_.c_str(), rte_strerror(-r));
  return 0;
}

void Port::mark_gone() {
  gone_.store(true, std::memory_order_relaxed);
  gate_.shut();
}

bool Port::lanes_left() const {
  return std::ranges::all_of(queues_, [](const auto &queue) { return queue->left(); });
}

bool Port::lanes_left_or_late() { return lanes_left() || ++leaving_polls_ > leave_polls_most; }

bool Port::has_lost_link() const {
  rte_eth_link link{};
  return is_there() && rte_eth_link_get_nowait(ethdev_, &link) == 0 &&
         link.link_status == RTE_ETH_LINK_DOWN;
}

void Port::give_back() {
  mark_gone();
  leaving_polls_ = 0;
  rte_eal_alarm_set(leave_poll_microseconds, let_go, this);
}

void Port::let_go(void *self) {
  auto &port = *static_cast<Port *>(self);
  if (!port.lanes_left_or_late()) {
    rte_eal_alarm_set(leave_poll_microseconds, let_go, self);
    return;
  }
  port.close(nullptr);
  rte_dev_remove(port.bus_device_);
}

void Port::set_up_anew() {
  if (gone_.load(std::memory_order_relaxed) || restarting_.exchange(true)) return;
  gate_.shut();
  leaving_polls_ = 0;
  // Not in the event itself, which a driver tells of from inside the device's own handler.
  rte_eal_alarm_set(leave_poll_microseconds, restart, this);
}

void Port::restart(void *self) {
  auto &port = *static_cast<Port *>(self);
  if (!port.lanes_left_or_late()) {
    rte_eal_alarm_set(leave_poll_microseconds, restart, self);
    return;
  }
  const std::lock_guard lock(port.device_in_use_);
  if (port.gone_.load(std::memory_order_relaxed)) return;
  if (port.reset_device(nullptr) != 0) {
    rte_eal_alarm_set(reset_retry_microseconds, restart, self);
    return;
  }
  port.resets_.fetch_add(1, std::memory_order_relaxed);
  port.restarting_.store(false);
  port.gate_.open();
  if (!port.misses_resets_) return;
  port.received_before_ = port.received();
  rte_eal_alarm_set(confirm_microseconds, confirm, self);
}

void Port::confirm(void *self) {
  auto &port = *static_cast<Port *>(self);
  const std::lock_guard lock(port.device_in_use_);
  if (!port.is_there()) return;
  const bool heard = port.received() != port.received_before_;
  port.unheard_ = heard ? 0 : port.unheard_ + 1;
  if (!heard && port.unheard_ < unheard_most) port.set_up_anew();
  if (port.unheard_ == unheard_most) port.unheard_ = 0;  // nobody sends: it is as good as it gets
}

uint64_t Port::received() const {
  rte_eth_stats stats;
  return rte_eth_stats_get(ethdev_, &stats) == 0 ? stats.ipackets : 0;
}

int Port::reset_device(rxnf_error *error) {
  // Most drivers of virtual functions want to be taken down whole; for the rest a start does it.
  int r = rte_eth_dev_reset(ethdev_);
  if (r == -ENOTSUP)
    r = rte_eth_dev_stop(ethdev_);
  else if (r == 0)
    r = set_up(error);
  bool filtered;
  return r == 0 ? start_device(&filtered, error) : r;
}

DeviceCounters Port::observe() {
  const std::unique_lock device(device_in_use_, std::try_to_lock);
  if (device.owns_lock() && open_ && is_there()) ask_device();
  const bool there = is_there();
  const std::lock_guard lock(counting_);
  DeviceCounters counters = counters_;
  counters.resets = resets_.load(std::memory_order_relaxed);
  counters.link_up = counters.link_up && there;
  counters.gone = gone_.load(std::memory_order_relaxed);
  return counters;
}

void Port::ask_device() {
  const InterfaceState kernel = if_index_ == 0 ? InterfaceState::up : interface_state(if_index_);
  if (kernel == InterfaceState::gone || rte_eth_dev_is_removed(ethdev_) == 1) mark_gone();
  rte_eth_stats stats;
  const bool counted = rte_eth_stats_get(ethdev_, &stats) == 0;
  rte_eth_link link{};
  rte_eth_link_get_nowait(ethdev_, &link);
  const bool up = kernel == InterfaceState::up && link.link_status == RTE_ETH_LINK_UP;
  const std::lock_guard lock(counting_);
  lost_link_ = lost_link_ || (counters_.link_up && !up);
  counters_.link_up = up;
  if (misses_resets_ && lost_link_ && up) set_up_anew();
  lost_link_ = lost_link_ && !up;
  if (!counted) return;
  // A device that was set up anew may count from nothing again.
  const auto add = [](uint64_t &total, uint64_t &before, uint64_t now) {
    total += now >= before ? now - before : now;
    before = now;
  };
  add(counters_.missed, asked_.missed, stats.imissed);
  add(counters_.receive_errors, asked_.receive_errors, stats.ierrors);
  add(counters_.transmit_errors, asked_.transmit_errors, stats.oerrors);
  add(counters_.no_buffer, asked_.no_buffer, stats.rx_nombuf);
}

}  // namespace rxnf::dpdk
