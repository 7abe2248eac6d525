#include "port/dpdk/ports.h"

#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "port/dpdk/eal.h"
#include "port/dpdk/error.h"
#include "port/dpdk/memif.h"
#include "port/dpdk/pool.h"
#include "port/dpdk/port.h"

namespace rxnf::dpdk {
namespace {

// Neither is ever destroyed, and closed ports are kept: a lane that is late, or that polls while
// the process exits, finds its port gone instead of finding freed memory.
auto &ports = *new std::array<std::unique_ptr<Port>, RTE_MAX_ETHPORTS>;
auto &closed = *new std::vector<std::unique_ptr<Port>>;
std::mutex changing;  // EAL's thread looks at the ports while one thread opens and closes them

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

// Returns when no lane is inside a device any more whose link was up and is down; after a second in
// any case, as a lane that does not come by in that time waits for something else, or has ended.
void wait_for_lanes_of_lost_links() {
  using namespace std::chrono_literals;
  std::vector<Port *> lost;
  {
    const std::lock_guard lock(changing);
    for (const auto &port : ports)
      if (port != nullptr && port->has_lost_link()) lost.push_back(port.get());
  }
  for (Port *port : lost) port->ask_lanes();
  const auto last = std::chrono::steady_clock::now() + 1s;
  while (!std::ranges::all_of(lost, [](const Port *port) { return port->lanes_left(); }) &&
         std::chrono::steady_clock::now() < last)
    std::this_thread::sleep_for(50us);
}

}  // namespace

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
  if (std::strcmp(out->driver, "net_memif") == 0)
    wait_before_memif_unmaps(wait_for_lanes_of_lost_links);
  const std::lock_guard lock(changing);
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
  const std::lock_guard lock(changing);
  closed.push_back(std::move(ports[ethdev]));
  return r;
}

void close_ports() {
  for (uint16_t id = 0; id < ports.size(); id++)
    if (ports[id] != nullptr) close_port(id, nullptr);
}

}  // namespace rxnf::dpdk
