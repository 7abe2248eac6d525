/** Whether this machine can use RDMA at all: libraries, device, connection manager, lockable memory. */
import type { RdmaCode } from './rdma-error.ts';
import type { RdmaProbes } from './rdma-probes.ts';

/** Registered by one connection: two buffers of 1 MiB, 64 KiB of control messages and its queues. */
export const lockedBytesPerConnection = 3 * 2 ** 20;

/** Code, what was found, what mends it. */
export type Problem = readonly [code: RdmaCode, found: string, mend: string];
export type MachineCheck = (probes: RdmaProbes) => Problem | undefined;

/** In the order in which each makes sense. */
export const machineChecks: readonly MachineCheck[] = [
  (probes) => {
    const missing = probes.missingLibraries();
    if (missing.length === 0) return undefined;
    const found = `${missing.join(' and ')} not installed`;
    return [
      'missing-library',
      found,
      'apt-get install libibverbs-dev librdmacm-dev, then npm run build:native',
    ];
  },
  (probes) =>
    probes.providers().length > 0
      ? undefined
      : [
          'missing-library',
          'libibverbs has no device drivers',
          'apt-get install ibverbs-providers',
        ],
  (probes) =>
    probes.devices().length > 0
      ? undefined
      : [
          'missing-device',
          'no RDMA device',
          "load the card's driver (mlx5_ib, irdma, ...), or: modprobe rdma_rxe && rdma link add rxe0 type rxe netdev IF",
        ],
  (probes) => {
    const state = probes.connectionManager();
    if (state === 'missing') {
      return ['missing-device', 'no /dev/infiniband/rdma_cm', 'modprobe rdma_ucm'];
    }
    if (state === 'ok') return undefined;
    const found = '/dev/infiniband/rdma_cm may not be opened';
    return [
      'missing-permission',
      found,
      'chmod 666 /dev/infiniband/rdma_cm, or a udev rule; in a container: --device /dev/infiniband',
    ];
  },
];

export function lockedMemory(connections: number): MachineCheck {
  return (probes) => {
    const needed = connections * lockedBytesPerConnection;
    const limit = probes.lockableBytes();
    if (limit >= needed) return undefined;
    const found = `${Math.floor(limit / 1024)} KiB may be locked and ${connections} connections take ${needed / 1024}`;
    const mend =
      'ulimit -l unlimited (systemd: LimitMEMLOCK=infinity, docker: --ulimit memlock=-1)';
    return ['locked-memory', found, mend];
  };
}
