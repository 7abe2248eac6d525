/** What a port can be made of on this machine, each with the string to put into a configuration. */
import { bifurcated, driverOf, packageOf, userspace } from './drivers.ts';
import { nicWords } from './nic-words.ts';
import type { KernelInterface, PciDevice, Probes } from './probes.ts';

export interface UsablePort {
  /** As a configuration's `device` has it; words in capitals are to be chosen. */
  readonly device: string;
  readonly about: string;
  /** What must be done first; undefined when it is ready. */
  readonly first: string | undefined;
}

/** NICs and virtual functions, then kernel interfaces, then what needs neither. */
export function usablePorts(probes: Probes): UsablePort[] {
  const nics = probes.pciDevices().filter((device) => device.class === 2);
  const interfaces = probes.interfaces().filter((each) => !each.loopback);
  return [
    ...nics.map((device) => pciPort(device)),
    ...interfaces.flatMap((each) => [
      kernelPort('af_packet', each, probes),
      kernelPort('af_xdp', each, probes),
    ]),
    ...software.map((port) => ({ ...port, first: driverFirst(port.kind, probes) })),
  ];
}

const software = [
  { kind: 'capture', device: 'capture:IN.pcap,out=OUT.pcap', about: 'a capture, without DPDK' },
  { kind: 'pcap', device: 'pcap:IN.pcap,loop', about: 'a capture through DPDK, endlessly' },
  { kind: 'tap', device: 'tap:NAME', about: 'an interface made for this port' },
  { kind: 'memif', device: 'memif:0,role=server,socket=PATH', about: 'another process' },
  { kind: 'vhost-user', device: 'vhost-user:PATH', about: "a virtual machine's NIC" },
  { kind: 'virtio-user', device: 'virtio-user:PATH', about: 'a port of a vhost-user switch' },
  { kind: 'null', device: 'null:', about: 'endless empty frames, to measure with' },
  { kind: 'ring', device: 'ring:NAME', about: 'gives back what it was sent' },
] as const;

function pciPort(device: PciDevice): UsablePort {
  const ready =
    device.driver !== undefined && (userspace.has(device.driver) || bifurcated.has(device.driver));
  return {
    device: `pci:${device.address}`,
    about: nicWords(device),
    first: ready ? undefined : pciFirst(device),
  };
}

/** A card with virtual functions gives those, and stays with the kernel. */
function pciFirst({ address, interfaces, virtualFunctionsMost }: PciDevice): string {
  if (virtualFunctionsMost > 0) return `rxnf vf create ${interfaces[0] ?? address} 2`;
  return `dpdk-devbind.py --bind=vfio-pci ${address}`;
}

function kernelPort(
  kind: 'af_packet' | 'af_xdp',
  each: KernelInterface,
  probes: Probes,
): UsablePort {
  const { name, up, mac, mtuBytes } = each;
  return {
    device: `${kind}:${name}`,
    about: `${each.kind ?? each.driver ?? 'interface'}, ${mac}, MTU ${mtuBytes}${up ? '' : ', down'}`,
    first: driverFirst(kind, probes) ?? (up ? undefined : `ip link set ${name} up`),
  };
}

function driverFirst(kind: keyof typeof driverOf | 'capture', probes: Probes): string | undefined {
  if (kind === 'capture') return undefined;
  const dpdk = probes.dpdk();
  if (dpdk === undefined) return 'apt-get install dpdk libdpdk-dev';
  const driver = driverOf[kind];
  if (driver === undefined || dpdk.drivers.has(driver)) return undefined;
  return `apt-get install ${packageOf(driver)}`;
}
