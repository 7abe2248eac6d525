#include "port/dpdk/port.h"

#include <rte_alarm.h>
#include <rte_dev.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "port/dpdk/eal.h"
#include "port/dpdk/error.h"
#include "port/dpdk/interface.h"
#include "port/dpdk/pool.h"

namespace rxnf::dpdk {
namespace {

// A Toeplitz key of one repeated 16-bit pattern gives both directions of a flow the same hash
// (Woo and Park, "Scalable TCP Session Monitoring with Symmetric Receive-side Scaling", 2012).
constexpr std::array<uint8_t, 2> symmetric_pattern{0x6d, 0x5a};
constexpr uint32_t longest_hash_key = 64;
constexpr uint64_t hashed_headers = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;

std::array<uint8_t, longest_hash_key> symmetric_key() {
  std::array<uint8_t, longest_hash_key> key;
  for (uint32_t i = 0; i < key.size(); i++) key[i] = symmetric_pattern[i % 2];
  return key;
}

// Neither is ever destroyed, and closed ports are kept: a lane that is late, or that polls while
// the process exits, finds its port gone instead of finding freed memory.
auto &ports = *new std::array<std::unique_ptr<Port>, RTE_MAX_ETHPORTS>;
auto &closed = *new std::vector<std::unique_ptr<Port>>;

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
// second is not coming: its thread has ended.
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

std::string known_devices() {
  std::string names;
  uint16_t id;
  RTE_ETH_FOREACH_DEV(id) {
    char name[RTE_ETH_NAME_MAX_LEN];
    if (rte_eth_dev_get_name_by_port(id, name) == 0)
      names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return names.empty() ? "none" : names;
}

Port *find(uint16_t ethdev) { return ethdev < ports.size() ? ports[ethdev].get() : nullptr; }

int no_such_port(uint16_t ethdev, rxnf_error *error) {
  return fail(error, ENODEV, "port %u is not open", ethdev);
}

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

int Port::set_up(rxnf_error *error) {
  const char *device = device_.c_str();
  rte_eth_dev_info info;
  if (int r = rte_eth_dev_info_get(ethdev_, &info); r != 0)
    return fail(error, r, "%s: no device information: %s", device, rte_strerror(-r));
  rte_eth_conf settings{};
  auto key = symmetric_key();
  const uint64_t hashed = info.flow_type_rss_offloads & hashed_headers;
  rss_ = config_.queues > 1 && hashed != 0 && info.hash_key_size <= key.size();
  if (rss_) {
    settings.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    settings.rx_adv_conf.rss_conf = {
        .rss_key = key.data(), .rss_key_len = info.hash_key_size, .rss_hf = hashed};
  }
  uint16_t mtu = 0;
  rte_eth_dev_get_mtu(ethdev_, &mtu);
  settings.rxmode.mtu = mtu;
  // What this library promises the device: one pool, one reference, whole frames.
  settings.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
  const auto queues = static_cast<uint16_t>(config_.queues);
  if (int r = rte_eth_dev_configure(ethdev_, queues, queues, &settings); r != 0)
    return fail(error, r, "%s: the device refused %u queues with an MTU of %u: %s", device, queues,
                mtu, rte_strerror(-r));
  if (config_.mtu != 0 && config_.mtu != mtu)
    if (int r = rte_eth_dev_set_mtu(ethdev_, static_cast<uint16_t>(config_.mtu)); r != 0)
      return blame(error, "mtu",
                   fail(error, r, "%s: the device refused an MTU of %u (it has %u): %s", device,
                        config_.mtu, mtu, rte_strerror(-r)));
  return set_up_queues(error);
}

int Port::set_up_queues(rxnf_error *error) {
  const char *device = device_.c_str();
  auto receive = static_cast<uint16_t>(std::min(config_.receive_descriptors, 65535u));
  auto transmit = static_cast<uint16_t>(std::min(config_.transmit_descriptors, 65535u));
  if (int r = rte_eth_dev_adjust_nb_rx_tx_desc(ethdev_, &receive, &transmit); r != 0)
    return fail(error, r, "%s: the device refused %u and %u descriptors: %s", device,
                config_.receive_descriptors, config_.transmit_descriptors, rte_strerror(-r));
  const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(ethdev_));
  for (uint16_t q = 0; q < config_.queues; q++) {
    if (int r = rte_eth_tx_queue_setup(ethdev_, q, transmit, socket, nullptr); r != 0)
      return fail(error, r, "%s: transmit queue %u was refused: %s", device, q, rte_strerror(-r));
    if (int r = rte_eth_rx_queue_setup(ethdev_, q, receive, socket, nullptr, pool().mempool);
        r != 0)
      return fail(
          error, r,
          "%s: receive queue %u was refused: %s; the pool has %u buffers free of %u bytes each (a "
          "looped capture keeps one per frame)",
          device, q, rte_strerror(-r), rte_mempool_avail_count(pool().mempool), pool().room);
  }
  return 0;
}

int Port::start_device(bool *filtered, rxnf_error *error) {
  if (int r = rte_eth_dev_start(ethdev_); r != 0)
    return fail(error, r, "%s: the device did not start: %s", device_.c_str(), rte_strerror(-r));
  // Drivers without the mode (of captures, rings) filter nothing.
  const int r = config_.promiscuous != 0 ? rte_eth_promiscuous_enable(ethdev_) : 0;
  *filtered = r != 0 && r != -ENOTSUP;
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

bool Port::lanes_left() {
  return std::ranges::all_of(queues_, [](const auto &queue) { return queue->left(); }) ||
         ++leaving_polls_ > leave_polls_most;
}

void Port::give_back() {
  mark_gone();
  leaving_polls_ = 0;
  rte_eal_alarm_set(leave_poll_microseconds, let_go, this);
}

void Port::let_go(void *self) {
  auto &port = *static_cast<Port *>(self);
  if (!port.lanes_left()) {
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
  if (!port.lanes_left()) {
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

int open_port(const rxnf_dpdk_port_config *config, rxnf_dpdk_port_info *out, rxnf_error *error) {
  if (!started()) return fail(error, ENODEV, "EAL is not running: start it before opening ports");
  if (pool().mempool == nullptr)
    return fail(error, ENOBUFS, "open the packet pool before any port");
  uint16_t id;
  if (rte_eth_dev_get_port_by_name(config->device, &id) != 0)
    return fail(
        error, ENODEV,
        "EAL has no device named %s (it has: %s): the driver refused it, and said why on stderr",
        config->device, known_devices().c_str());
  if (ports[id] != nullptr) return fail(error, EBUSY, "%s is open already", config->device);
  auto port = std::make_unique<Port>(id, *config);
  if (int r = port->configure(out, error); r != 0) return r;
  ports[id] = std::move(port);
  return 0;
}

int start_port(uint16_t ethdev, uint32_t *filtered, rxnf_error *error) {
  Port *port = find(ethdev);
  if (port == nullptr) return no_such_port(ethdev, error);
  bool is_filtered = false;
  const int r = port->start(&is_filtered, error);
  *filtered = is_filtered;
  return r;
}

int open_queue(uint16_t ethdev, uint16_t queue, rxnf_queue *out, rxnf_error *error) {
  Port *port = find(ethdev);
  return port != nullptr ? port->open_queue(queue, out, error) : no_such_port(ethdev, error);
}

int close_port(uint16_t ethdev, rxnf_error *error) {
  Port *port = find(ethdev);
  if (port == nullptr) return no_such_port(ethdev, error);
  const int r = port->close(error);
  closed.push_back(std::move(ports[ethdev]));
  return r;
}

void close_ports() {
  for (uint16_t id = 0; id < ports.size(); id++)
    if (ports[id] != nullptr) close_port(id, nullptr);
}

}  // namespace rxnf::dpdk
