/* The boundary between the addon and a port library.
 *
 * A port library (memory: in the addon; DPDK: librxnf_dpdk.so, loaded when the first DPDK port
 * is opened) provides one pool of packet buffers and any number of queues. All packet addresses
 * that cross this boundary are byte offsets from pool.base, so that JavaScript and C++ name a
 * packet by the same number; pool.size is below 2 GiB, so they fit a V8 small integer.
 *
 * A buffer is named by its handle (for DPDK the offset of its mbuf, for the memory pool of its
 * cell); `data` is the offset of the first byte of the frame. Data may move inside the buffer's
 * room: [handle + data_min, handle + data_min + room).
 *
 * Plain C, so that the two sides may be built apart. Nothing here throws.
 */
#pragma once
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RXNF_PORT_ABI 4

typedef struct rxnf_pool {
  uint8_t *base;
  uint64_t size;
  uint32_t data_min; /* from the handle to the first byte that a frame may occupy */
  uint32_t headroom; /* bytes left free in front of a received or allocated frame */
  uint32_t room;     /* bytes from data_min to the end of the buffer, headroom included */
  uint32_t capacity; /* buffers in the pool */
  void *ctx;
  /* All or nothing: returns n, or 0 when the pool has fewer than n free buffers. */
  uint32_t (*alloc)(void *ctx, uint32_t *handles, uint32_t n);
  void (*free)(void *ctx, const uint32_t *handles, uint32_t n);
  uint32_t (*available)(void *ctx);
} rxnf_pool;

/* Counted since the queue was opened; all monotonic. */
typedef struct rxnf_port_counters {
  uint64_t received_packets, received_bytes;
  uint64_t transmitted_packets, transmitted_bytes;
  uint64_t missed; /* frames the device dropped for want of a receive descriptor */
  uint64_t receive_errors;
  uint64_t transmit_errors;
  uint64_t no_buffer;     /* receive failed because the pool was empty */
  uint64_t multi_segment; /* frames of several segments that could not be linearised: dropped */
  uint64_t resets;    /* times the device was set up anew, after its physical function was reset */
  uint32_t link_up;   /* 1 up, 0 down */
  uint32_t gone;      /* 1 once the device has vanished */
  uint32_t exhausted; /* 1 once a finite source (a capture) has given its last frame */
} rxnf_port_counters;

/* One lane's receive and transmit side of one port. Used by one thread only. */
typedef struct rxnf_queue {
  void *ctx;
  /* Fills up to max rows; returns how many. Ownership of the buffers passes to the caller. */
  uint32_t (*receive)(void *ctx, uint32_t *handle, uint32_t *data, uint32_t *length, uint32_t max);
  /* Sends the first k of n rows and returns k; ownership of those k buffers passes to the port. */
  uint32_t (*transmit)(void *ctx, const uint32_t *handle, const uint32_t *data,
                       const uint32_t *length, uint32_t n);
  void (*counters)(void *ctx, rxnf_port_counters *out);
  /* 1: packets that `receive` of such a queue gave may be sent with data NULL, when they lie where
   * it put them and are as long: their buffers know. */
  uint32_t keeps_place;
} rxnf_queue;

#ifdef __cplusplus
}
#endif
