#include "port/dpdk/pool.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <cerrno>

#include "port/dpdk/eal.h"
#include "port/dpdk/error.h"

namespace rxnf::dpdk {
namespace {

constexpr uint32_t chunk = 256;                // handles converted at a time: 2 KiB of stack
constexpr uint64_t largest_span = 0x7fffffff;  // offsets are positive 32-bit integers
constexpr uint32_t smallest_pool = 64;
constexpr uint32_t cache = RTE_MEMPOOL_CACHE_MAX_SIZE;

Pool current;

struct Span {
  uintptr_t low = UINTPTR_MAX, high = 0;
};

void widen(rte_mempool *, void *opaque, rte_mempool_memhdr *memory, unsigned) {
  auto &span = *static_cast<Span *>(opaque);
  const auto low = reinterpret_cast<uintptr_t>(memory->addr);
  span.low = std::min(span.low, low);
  span.high = std::max(span.high, low + memory->len);
}

// Buffers in this pool are always whole: one segment, one reference, next null (receive linearises,
// transmit writes the rest). So they go back without a look at the mbuf, which may be out of cache.
void release(void *, const uint32_t *handles, uint32_t n) {
  void *objects[chunk];
  const uintptr_t base = current.base;
  for (uint32_t done = 0; done < n;) {
    const uint32_t m = std::min(chunk, n - done);
    for (uint32_t i = 0; i < m; i++)
      objects[i] = reinterpret_cast<void *>(base + handles[done + i]);
    rte_mempool_put_bulk(current.mempool, objects, m);
    done += m;
  }
}

uint32_t alloc(void *, uint32_t *handles, uint32_t n) {
  void *objects[chunk];
  const uintptr_t base = current.base;
  for (uint32_t done = 0; done < n;) {
    const uint32_t m = std::min(chunk, n - done);
    if (rte_mempool_get_bulk(current.mempool, objects, m) != 0) {
      release(nullptr, handles, done);
      return 0;
    }
    for (uint32_t i = 0; i < m; i++)
      handles[done + i] = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(objects[i]) - base);
    done += m;
  }
  return n;
}

uint32_t available(void *) { return rte_mempool_avail_count(current.mempool); }

// Without hugepages no device reads the pool by physical address, so a buffer may straddle pages.
// By default it may not, which puts one buffer on each 4 KiB page: the headers then fall on the
// same few cache sets, and forwarding costs 20 ns a packet instead of 6 (measured on net_null,
// bursts of 64).
unsigned placement() { return rte_eal_has_hugepages() ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG; }

}  // namespace

int open_pool(uint32_t buffers, uint32_t room, rxnf_pool *out, rxnf_error *error) {
  if (!started())
    return fail(error, ENODEV, "EAL is not running: start it before opening the pool");
  if (current.mempool != nullptr) return fail(error, EEXIST, "the packet pool is open already");
  if (buffers < smallest_pool)
    return fail(error, EINVAL, "a pool of %u buffers is too small: at least %u", buffers,
                smallest_pool);
  if (room <= RTE_PKTMBUF_HEADROOM || room > UINT16_MAX)
    return fail(error, EINVAL, "a buffer's room of %u bytes is outside %d..%d", room,
                RTE_PKTMBUF_HEADROOM + 1, UINT16_MAX);

  // EAL's limit: a cache holds at most two thirds of the pool (flush threshold 1.5).
  const uint32_t cached = std::min(cache, buffers * 2 / 3);
  rte_pktmbuf_pool_private mbufs{};
  mbufs.mbuf_data_room_size = static_cast<uint16_t>(room);
  rte_mempool *mempool = rte_mempool_create("rxnf", buffers, Pool::data_min + room, cached,
                                            sizeof(mbufs), rte_pktmbuf_pool_init, &mbufs,
                                            rte_pktmbuf_init, nullptr, SOCKET_ID_ANY, placement());
  if (mempool == nullptr)
    return fail(
        error, rte_errno,
        "no memory for %u packet buffers of %u bytes (%llu MiB): %s; ask for fewer, or raise "
        "-m or vm.nr_hugepages",
        buffers, room, static_cast<unsigned long long>(buffers) * (room + 256ull) >> 20,
        rte_strerror(rte_errno));

  Span span;
  rte_mempool_mem_iter(mempool, widen, &span);
  if (span.high - span.low > largest_span) {
    rte_mempool_free(mempool);
    return fail(
        error, EFBIG,
        "the packet pool spans %llu MiB of addresses, and offsets reach 2047 MiB: ask for fewer "
        "than %u buffers, or let EAL have one contiguous region (--in-memory, one hugepage size)",
        static_cast<unsigned long long>((span.high - span.low) >> 20), buffers);
  }

  current = {mempool, span.low, room};
  *out = {.base = reinterpret_cast<uint8_t *>(span.low),
          .size = span.high - span.low,
          .data_min = Pool::data_min,
          .headroom = RTE_PKTMBUF_HEADROOM,
          .room = room,
          .capacity = buffers,
          .ctx = nullptr,
          .alloc = alloc,
          .free = release,
          .available = available};
  return 0;
}

void close_pool() {
  rte_mempool_free(current.mempool);
  current = {};
}

const Pool &pool() { return current; }

}  // namespace rxnf::dpdk
