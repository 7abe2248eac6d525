/** What each guest has besides processors and memory. */

export interface Hardware {
  /** QEMU's -M. */
  readonly machine: string;
  readonly devices: readonly string[];
  /** More of the kernel's command line. */
  readonly kernel: string;
}

/** The ends of wires, as `-netdev` takes them. */
export interface Wires {
  /** Of the card with virtual functions: its other end is the generator's. */
  readonly outside: string;
  /** Between two guests. */
  readonly between: readonly [string, string];
}

const software: Hardware = { machine: 'q35', devices: [], kernel: '' };

/** The physical function's Ethernet address. */
const cardMac = '02:00:00:00:00:01';

/**
 * A network card with virtual functions (an Intel 82576, QEMU's igb) behind an IOMMU, with its wire to
 * the generator, and a plain card towards the guest that serves.
 */
const card = ({ outside, between }: Wires): Hardware => ({
  machine: 'q35,kernel-irqchip=split',
  devices: [
    ...['-device', 'intel-iommu,intremap=on,caching-mode=on'],
    ...['-netdev', `${outside},id=outside`],
    ...['-device', 'pcie-root-port,id=card-slot,chassis=1,slot=1'],
    ...['-device', `igb,bus=card-slot,netdev=outside,mac=${cardMac}`],
    ...plainCard(between[0], '02:00:00:00:00:02'),
  ],
  kernel: 'intel_iommu=on iommu=pt',
});

/** Of the guest that serves another one. */
export const serverHardware = ({ between }: Wires): Hardware => ({
  ...software,
  devices: plainCard(between[1], '02:00:00:00:00:03'),
});

function plainCard(netdev: string, mac: string): string[] {
  // No firmware of its own: nobody boots from it.
  const device = `virtio-net-pci,netdev=between,mac=${mac},romfile=`;
  return ['-netdev', `${netdev},id=between`, '-device', device];
}

/** Of the guest of that name. */
export function hardwareOf(guest: string, wires: Wires): Hardware {
  return guest === 'sriov' ? card(wires) : software;
}
