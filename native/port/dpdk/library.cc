// librxnf_dpdk.so: the table of functions that the addon finds with dlsym. See port/dpdk.h.
#include "port/dpdk.h"
#include "port/dpdk/eal.h"
#include "port/dpdk/pool.h"
#include "port/dpdk/ports.h"

namespace rxnf::dpdk {
namespace {

void stop() {
  close_ports();
  close_pool();
  cleanup();
}

constexpr rxnf_dpdk_library library = {
    .abi = RXNF_PORT_ABI,
    .version = version,
    .start = start,
    .open_pool = open_pool,
    .open_port = open_port,
    .start_port = start_port,
    .open_queue = open_queue,
    .register_thread = register_thread,
    .unregister_thread = unregister_thread,
    .close_port = close_port,
    .stop = stop,
};

}  // namespace
}  // namespace rxnf::dpdk

extern "C" __attribute__((visibility("default"))) const rxnf_dpdk_library *rxnf_dpdk_library_get() {
  return &rxnf::dpdk::library;
}
