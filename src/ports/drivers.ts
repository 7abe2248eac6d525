/** The DPDK driver behind each kind of port, and the Debian package that has it. */
import type { DpdkDevice } from './spec.ts';

/** The part of the Debian package's name that is DPDK 22.11's ABI. */
const abi = 23;

/** `librte_net_pcap.so`, without its beginning and end. Undefined for pci: the NIC decides. */
export const driverOf: { readonly [Kind in DpdkDevice['kind']]: string | undefined } = {
  pci: undefined,
  pcap: 'net_pcap',
  af_packet: 'net_af_packet',
  af_xdp: 'net_af_xdp',
  tap: 'net_tap',
  memif: 'net_memif',
  'vhost-user': 'net_vhost',
  'virtio-user': 'net_virtio',
  null: 'net_null',
  ring: 'net_ring',
};

/** Debian puts a dash before the ABI where the name ends with a digit: librte-net-e1000-23. */
export function packageOf(driver: string): string {
  const name = `librte-${driver.replaceAll('_', '-')}`;
  return /\d$/.test(name) ? `${name}-${abi}` : `${name}${abi}`;
}

/** Drivers that share their device with the kernel's own, so nothing needs to be bound to vfio-pci. */
export const bifurcated: ReadonlySet<string> = new Set(['mlx4_core', 'mlx5_core', 'mana']);

/** Kernel drivers that hand a PCI device to a user process. */
export const userspace: ReadonlySet<string> = new Set(['vfio-pci', 'igb_uio', 'uio_pci_generic']);
