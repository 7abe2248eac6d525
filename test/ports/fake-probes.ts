/** A machine that has everything, with answers replaced one by one. */
import type { KernelInterface, PciDevice, Probes } from '../../src/ports/probes.ts';

export const eth0: KernelInterface = {
  name: 'eth0',
  up: true,
  loopback: false,
  mac: '02:00:00:00:00:01',
  mtuBytes: 1500,
  kind: undefined,
  driver: 'ixgbe',
  pciAddress: '0000:03:00.0',
};

export const virtualFunction: PciDevice = {
  address: '0000:03:10.1',
  class: 2,
  vendor: '8086',
  device: '10ed',
  driver: 'vfio-pci',
  interfaces: [],
  iommuGroup: '7',
  virtualFunctions: 0,
  virtualFunctionsMost: 0,
  isVirtualFunction: true,
  cardSettings: { mac: '02:00:00:00:01:01', vlan: 100, trust: true },
};

const softwareDrivers = [
  ...['net_pcap', 'net_af_packet', 'net_af_xdp', 'net_tap', 'net_memif', 'net_vhost'],
  ...['net_virtio', 'net_null', 'net_ring', 'net_ixgbe'],
];

export const dpdk = {
  version: '22.11.11',
  driverDirectory: '/usr/lib/dpdk/pmds-23.0',
  drivers: new Set(softwareDrivers),
};

export function fakeProbes(answers: Partial<Probes> = {}): Probes {
  return {
    file: (path) => {
      if (path.endsWith('.pcap')) return 'file';
      if (path.endsWith('.sock')) return 'socket';
      return path === '/dev/net/tun' ? 'other' : 'directory';
    },
    writable: () => true,
    served: () => false,
    capture: () => ({ frames: 100, linkType: 1 }),
    interfaces: () => [eth0],
    arrivingChecksums: () => undefined,
    pciDevices: () => [virtualFunction],
    hugepages: () => [{ sizeKilobytes: 2048, total: 512, free: 512 }],
    dpdk: () => dpdk,
    capabilities: () =>
      new Set(['CAP_NET_RAW', 'CAP_NET_ADMIN', 'CAP_BPF', 'CAP_IPC_LOCK', 'CAP_SYS_ADMIN']),
    lockedMemoryLimit: () => Number.POSITIVE_INFINITY,
    iommuGroups: () => 20,
    processor: () => ({
      model: 'A CPU',
      cores: 4,
      allowed: '0-3',
      flags: new Set(['ssse3', 'sse4_1', 'sse4_2', 'popcnt', 'cx16', 'avx2']),
    }),
    nodeVersion: () => 'v24.0.0',
    ...answers,
  };
}
