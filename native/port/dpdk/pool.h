// The one packet pool: a mempool of mbufs whose memory lies in one span below 2 GiB, so that the
// offset of an mbuf from the span's base fits a V8 small integer. The offset is the handle.
#pragma once
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "port/dpdk.h"

namespace rxnf::dpdk {

int open_pool(uint32_t buffers, uint32_t room, rxnf_pool *out, rxnf_error *error);
void close_pool();

struct Pool {
  rte_mempool *mempool = nullptr;
  uintptr_t base = 0;
  static constexpr uint32_t data_min = sizeof(rte_mbuf);  // no private area
  uint32_t room = 0;
};

const Pool &pool();  // mempool is null while none is open

}  // namespace rxnf::dpdk
