// How a device is set up for lanes: queues, hashing, MTU and offloads.
#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "port/dpdk/error.h"
#include "port/dpdk/pool.h"
#include "port/dpdk/port.h"

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

}  // namespace

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
  // A card drops the frames of VLANs that it was not told of (virtual functions do).
  if (config_.vlan != 0)
    settings.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
  const auto queues = static_cast<uint16_t>(config_.queues);
  if (int r = rte_eth_dev_configure(ethdev_, queues, queues, &settings); r != 0)
    return fail(error, r, "%s: the device refused %u queues with an MTU of %u: %s", device, queues,
                mtu, rte_strerror(-r));
  if (config_.mtu != 0 && config_.mtu != mtu)
    if (int r = rte_eth_dev_set_mtu(ethdev_, static_cast<uint16_t>(config_.mtu)); r != 0)
      return blame(error, "mtu",
                   fail(error, r, "%s: the device refused an MTU of %u (it has %u): %s", device,
                        config_.mtu, mtu, rte_strerror(-r)));
  if (settings.rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_FILTER)
    if (int r = rte_eth_dev_vlan_filter(ethdev_, static_cast<uint16_t>(config_.vlan), 1); r != 0)
      return blame(error, "vlan",
                   fail(error, r, "%s: the device refused VLAN %u: %s", device, config_.vlan,
                        rte_strerror(-r)));
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

}  // namespace rxnf::dpdk
