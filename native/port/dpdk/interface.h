// The state of a kernel interface under an af_packet, af_xdp or tap port, asked of the kernel:
// those PMDs report a link that is always up, and none of them says that its interface was deleted.
#pragma once
#include <cstdint>

namespace rxnf::dpdk {

enum class InterfaceState : uint8_t { up, down, gone };

// Two system calls, about 2 microseconds: for counters, not for bursts. The interface is looked
// for in the network namespace of the calling thread.
InterfaceState interface_state(uint32_t if_index);

}  // namespace rxnf::dpdk
