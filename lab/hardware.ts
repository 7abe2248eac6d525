/** What each guest has besides processors and memory. */

export interface Hardware {
  /** QEMU's -M. */
  readonly machine: string;
  readonly devices: readonly string[];
  /** More of the kernel's command line. */
  readonly kernel: string;
}

/** The physical function's Ethernet address. */
const cardMac = '02:00:00:00:00:01';

/**
 * The guest `sriov` has a network card with virtual functions (an Intel 82576, QEMU's igb) behind an
 * IOMMU, and its wire ends outside; others have no card, and make what they need of it in software.
 *
 * @param netdev the outside end of the wire, for -netdev
 */
export function hardwareOf(guest: string, netdev: string): Hardware {
  if (guest !== 'sriov') return { machine: 'q35', devices: [], kernel: '' };
  return {
    machine: 'q35,kernel-irqchip=split',
    devices: [
      ...['-device', 'intel-iommu,intremap=on,caching-mode=on'],
      ...['-netdev', `${netdev},id=outside`],
      ...['-device', 'pcie-root-port,id=card-slot,chassis=1,slot=1'],
      ...['-device', `igb,bus=card-slot,netdev=outside,mac=${cardMac}`],
    ],
    kernel: 'intel_iommu=on iommu=pt',
  };
}
