/** A machine with Soft-RoCE on eth0, with answers replaced one by one. */
import type { RdmaDevice, RdmaProbes } from '../../../src/state/remote/rdma-probes.ts';

export const rxe0: RdmaDevice = {
  name: 'rxe0',
  port: 1,
  state: 'ACTIVE',
  linkLayer: 'Ethernet',
  gids: [
    { gid: 'fe80:0000:0000:0000:0000:00ff:fe00:0001', type: 'RoCE v2', interface: 'eth0' },
    { gid: '0000:0000:0000:0000:0000:ffff:0a09:0001', type: 'RoCE v2', interface: 'eth0' },
  ],
};

export function fakeRdma(answers: Partial<RdmaProbes> = {}): RdmaProbes {
  return {
    missingLibraries: () => [],
    providers: () => ['mlx5', 'rxe'],
    connectionManager: () => 'ok',
    devices: () => [rxe0],
    interfaceTowards: () => 'eth0',
    addressesOf: () => ['10.9.0.1', 'fe80::ff:fe00:1'],
    lockableBytes: () => Number.POSITIVE_INFINITY,
    ...answers,
  };
}
