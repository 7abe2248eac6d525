// The ports of this process, by their number in DPDK. They are opened, started and closed by one
// thread.
#pragma once
#include "port/dpdk.h"

namespace rxnf::dpdk {

int open_port(const rxnf_dpdk_port_config *config, rxnf_dpdk_port_info *out, rxnf_error *error);
int start_port(uint16_t ethdev, uint32_t *filtered, rxnf_error *error);
int open_queue(uint16_t ethdev, uint16_t queue, rxnf_queue *out, rxnf_error *error);
int close_port(uint16_t ethdev, rxnf_error *error);
void close_ports();

}  // namespace rxnf::dpdk
