#include "port/dpdk/port.h"

#include <rte_alarm.h>
#include <rte_dev.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

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

void unbound(const char *, rte_dev_event_type event, void *port) {
  if (event == RTE_DEV_EVENT_REMOVE) static_cast<Port *>(port)->give_back();
}

// Longer than a lane is inside a queue, preemption included.
constexpr uint64_t leave_microseconds = 250'000;

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

int Port::configure(const rxnf_dpdk_port_config &config, rxnf_dpdk_port_info *out,
                    rxnf_error *error) {
  const char *device = device_.c_str();
  rte_eth_dev_info info;
  if (int r = rte_eth_dev_info_get(ethdev_, &info); r != 0)
    return fail(error, r, "%s: no device information: %s", device, rte_strerror(-r));
  const uint32_t most = std::min(info.max_rx_queues, info.max_tx_queues);
  if (config.queues == 0 || config.queues > most)
    return fail(error, EINVAL, "%s: %u queues asked for, and the device has %u", device,
                config.queues, most);

  rte_eth_conf settings{};
  auto key = symmetric_key();
  const uint64_t hashed = info.flow_type_rss_offloads & hashed_headers;
  const bool rss = config.queues > 1 && hashed != 0 && info.hash_key_size <= key.size();
  if (rss) {
    settings.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    settings.rx_adv_conf.rss_conf = {
        .rss_key = key.data(), .rss_key_len = info.hash_key_size, .rss_hf = hashed};
  }
  uint16_t mtu = 0;
  rte_eth_dev_get_mtu(ethdev_, &mtu);
  settings.rxmode.mtu = mtu;
  // What this library promises the device: one pool, one reference, whole frames.
  settings.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
  if (int r = rte_eth_dev_configure(ethdev_, config.queues, config.queues, &settings); r != 0)
    return fail(error, r, "%s: the device refused %u queues with an MTU of %u: %s", device,
                config.queues, mtu, rte_strerror(-r));
  if (config.mtu != 0 && config.mtu != mtu)
    if (int r = rte_eth_dev_set_mtu(ethdev_, static_cast<uint16_t>(config.mtu)); r != 0)
      return fail(error, r, "%s: the device refused an MTU of %u (it has %u): %s", device,
                  config.mtu, mtu, rte_strerror(-r));
  if (int r = setup_queues(config, error); r != 0) return r;

  if_index_ = info.if_index;
  bus_device_ = info.device;
  promiscuous_ = config.promiscuous != 0;
  open_ = true;
  rte_eth_dev_callback_register(ethdev_, RTE_ETH_EVENT_INTR_RMV, removed, this);
  if (bus_device_ != nullptr) rte_dev_event_callback_register(device, unbound, this);

  *out = {};
  rte_ether_addr mac{};
  rte_eth_macaddr_get(ethdev_, &mac);
  std::memcpy(out->mac, mac.addr_bytes, sizeof(out->mac));
  out->ethdev = ethdev_;
  out->max_queues = most;
  out->rss = rss;
  std::strncpy(out->driver, info.driver_name != nullptr ? info.driver_name : "",
               sizeof(out->driver) - 1);
  rte_eth_link link{};
  rte_eth_link_get_nowait(ethdev_, &link);
  out->link_up = link.link_status == RTE_ETH_LINK_UP;
  out->link_speed_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
  return 0;
}

int Port::setup_queues(const rxnf_dpdk_port_config &config, rxnf_error *error) {
  const char *device = device_.c_str();
  auto receive = static_cast<uint16_t>(std::min(config.receive_descriptors, 65535u));
  auto transmit = static_cast<uint16_t>(std::min(config.transmit_descriptors, 65535u));
  if (int r = rte_eth_dev_adjust_nb_rx_tx_desc(ethdev_, &receive, &transmit); r != 0)
    return fail(error, r, "%s: the device refused %u and %u descriptors: %s", device,
                config.receive_descriptors, config.transmit_descriptors, rte_strerror(-r));
  const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(ethdev_));
  for (uint16_t q = 0; q < config.queues; q++) {
    if (int r = rte_eth_tx_queue_setup(ethdev_, q, transmit, socket, nullptr); r != 0)
      return fail(error, r, "%s: transmit queue %u was refused: %s", device, q, rte_strerror(-r));
    if (int r = rte_eth_rx_queue_setup(ethdev_, q, receive, socket, nullptr, pool().mempool);
        r != 0)
      return fail(
          error, r,
          "%s: receive queue %u was refused: %s; the pool has %u buffers free of %u bytes each (a "
          "looped capture keeps one per frame)",
          device, q, rte_strerror(-r), rte_mempool_avail_count(pool().mempool), pool().room);
    queues_.push_back(std::make_unique<Queue>(*this, q, config.frames));
  }
  return 0;
}

int Port::start(bool *filtered, rxnf_error *error) {
  if (int r = rte_eth_dev_start(ethdev_); r != 0)
    return fail(error, r, "%s: the device did not start: %s", device_.c_str(), rte_strerror(-r));
  // Drivers without the mode (of captures, rings) filter nothing.
  const int r = promiscuous_ ? rte_eth_promiscuous_enable(ethdev_) : 0;
  *filtered = r != 0 && r != -ENOTSUP;
  for (auto &queue : queues_) queue->open_baseline();
  running_.store(true, std::memory_order_release);
  return 0;
}

int Port::open_queue(uint16_t index, rxnf_queue *out, rxnf_error *error) {
  if (index >= queues_.size())
    return fail(error, EINVAL, "%s: queue %u of %zu", device_.c_str(), index, queues_.size());
  *out = queues_[index]->interface();
  return 0;
}

int Port::close(rxnf_error *error) {
  const std::lock_guard lock(observing_);
  mark_gone();
  if (!open_) return 0;
  open_ = false;
  rte_eth_dev_callback_unregister(ethdev_, RTE_ETH_EVENT_INTR_RMV, removed, this);
  if (bus_device_ != nullptr) rte_dev_event_callback_unregister(device_.c_str(), unbound, this);
  rte_eth_dev_stop(ethdev_);
  if (int r = rte_eth_dev_close(ethdev_); r != 0)
    return fail(error, r, "%s: the device did not close: %s", device_.c_str(), rte_strerror(-r));
  return 0;
}

void Port::give_back() {
  mark_gone();
  rte_eal_alarm_set(leave_microseconds, let_go, this);
}

void Port::let_go(void *self) {
  auto &port = *static_cast<Port *>(self);
  port.close(nullptr);
  rte_dev_remove(port.bus_device_);
}

DeviceCounters Port::observe() {
  const std::lock_guard lock(observing_);
  if (open_ && !gone()) {
    const InterfaceState kernel = if_index_ == 0 ? InterfaceState::up : interface_state(if_index_);
    if (kernel == InterfaceState::gone || rte_eth_dev_is_removed(ethdev_) == 1) mark_gone();
    rte_eth_stats stats;
    if (rte_eth_stats_get(ethdev_, &stats) == 0)
      last_ = {stats.imissed, stats.ierrors, stats.oerrors, stats.rx_nombuf, false, false};
    rte_eth_link link{};
    rte_eth_link_get_nowait(ethdev_, &link);
    last_.link_up = kernel == InterfaceState::up && link.link_status == RTE_ETH_LINK_UP;
  }
  last_.gone = gone();
  last_.link_up = last_.link_up && !last_.gone;
  return last_;
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
  auto port = std::make_unique<Port>(id, config->device);
  if (int r = port->configure(*config, out, error); r != 0) return r;
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
