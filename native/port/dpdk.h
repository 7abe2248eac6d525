/* What librxnf_dpdk.so exports; the addon finds it with dlopen and dlsym("rxnf_dpdk_library_get").
 *
 * Calls return 0, or a negative errno with a sentence in `error` (always NUL-terminated).
 * EAL starts once per process and cannot be retried: everything that can be checked is checked
 * in TypeScript before `start`.
 */
#pragma once
#include "port.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rxnf_error {
  char message[512];
  char field[16]; /* of the port's configuration, where one of its values is to blame; else empty */
} rxnf_error;

typedef struct rxnf_dpdk_port_config {
  const char *device; /* an ethdev name known to EAL, e.g. "net_pcap0" or "0000:03:10.1" */
  uint32_t queues;    /* receive and transmit queues, one pair a lane */
  uint32_t receive_descriptors, transmit_descriptors;
  uint32_t mtu;         /* 0: as the device has it */
  uint32_t vlan;        /* whose frames the device is to let through; 0: it is not asked */
  uint32_t promiscuous; /* 0 or 1: ask for it */
  uint64_t frames;      /* a finite capture's frames on each queue; 0: the source has no end */
} rxnf_dpdk_port_config;

typedef struct rxnf_dpdk_port_info {
  uint8_t mac[6];
  uint16_t ethdev; /* DPDK's own port id */
  uint32_t max_queues;
  uint32_t rss; /* 1 when symmetric receive-side scaling was set up over the queues */
  uint32_t link_up;
  uint32_t link_speed_mbps;
  char driver[64];
} rxnf_dpdk_port_info;

typedef struct rxnf_dpdk_library {
  int abi; /* RXNF_PORT_ABI */
  const char *(*version)(void);
  /* argv as rte_eal_init wants it, argv[0] included. The calling thread's affinity is kept. */
  int (*start)(int argc, const char *const *argv, rxnf_error *error);
  /* Creates the one packet pool: `buffers` mbufs with `room` bytes each (headroom included). */
  int (*open_pool)(uint32_t buffers, uint32_t room, rxnf_pool *out, rxnf_error *error);
  int (*open_port)(const rxnf_dpdk_port_config *config, rxnf_dpdk_port_info *out,
                   rxnf_error *error);
  /* `filtered` becomes 1 where the device refuses promiscuous mode: it then takes frames to its own
   * address, and to groups, alone. */
  int (*start_port)(uint16_t ethdev, uint32_t *filtered, rxnf_error *error);
  /* The queue's transmit takes `data` null where every row lies where receive put it and is as long
   * as it was: the headers then stand, which spares 0.5 ns a packet. */
  int (*open_queue)(uint16_t ethdev, uint16_t queue, rxnf_queue *out, rxnf_error *error);
  /* Each thread that polls a queue registers once (without a mempool cache a packet costs half as
   * much again) and unregisters before it ends. The thread that called `start` is registered. */
  int (*register_thread)(rxnf_error *error);
  void (*unregister_thread)(void);
  /* Its queues answer 0 from then on; no thread may be inside one. Output files are complete. */
  int (*close_port)(uint16_t ethdev, rxnf_error *error);
  /* Closes what is open and unmaps the pool: after it, no address of the pool may be touched. */
  void (*stop)(void);
} rxnf_dpdk_library;

const rxnf_dpdk_library *rxnf_dpdk_library_get(void); /* the symbol that dlsym asks for */

#ifdef __cplusplus
}
#endif
