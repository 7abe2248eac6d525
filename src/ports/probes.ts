/**
 * What validation, start-up and the doctor ask of the machine. Every answer is a plain value, so a
 * test needs no hardware; `systemProbes` (system-probes.ts) asks the real machine.
 */

export interface CaptureFile {
  readonly frames: number;
  /** The link type of every frame, as tcpdump.org numbers them; undefined when they differ. */
  readonly linkType: number | undefined;
}

export type FileState = 'missing' | 'unreadable' | 'file' | 'directory' | 'socket' | 'other';

export interface KernelInterface {
  readonly name: string;
  readonly up: boolean;
  readonly loopback: boolean;
  readonly mac: string;
  readonly mtuBytes: number;
  /** What made it: `veth`, `bridge`, `tun`; undefined for hardware. */
  readonly kind: string | undefined;
  readonly driver: string | undefined;
  readonly pciAddress: string | undefined;
}

/**
 * Whether frames that arrive on a veth have their transport checksums filled. The sender's end
 * decides: its kernel leaves them to a device that is not there, unless told otherwise.
 */
export interface ArrivingChecksums {
  readonly filled: boolean | undefined;
  /** The sending end, and its network namespace where that is another with a name. */
  readonly peer: string | undefined;
  readonly namespace: string | undefined;
}

export interface PciDevice {
  readonly address: string;
  /** The class's first byte: 2 is a network controller. */
  readonly class: number;
  readonly vendor: string;
  readonly device: string;
  readonly driver: string | undefined;
  readonly interfaces: readonly string[];
  readonly iommuGroup: string | undefined;
  readonly virtualFunctions: number;
  readonly virtualFunctionsMost: number;
  readonly isVirtualFunction: boolean;
  /** What its card has set for a virtual function, where the kernel can be asked. */
  readonly cardSettings?: {
    readonly mac?: string;
    readonly vlan?: number;
    readonly trust?: boolean;
  };
}

export interface HugepageSize {
  readonly sizeKilobytes: number;
  readonly total: number;
  readonly free: number;
}

export interface Dpdk {
  readonly version: string;
  readonly driverDirectory: string;
  /** `net_pcap`, `net_ixgbe`, ... */
  readonly drivers: ReadonlySet<string>;
}

export interface Processor {
  readonly model: string;
  readonly cores: number;
  /** The CPUs that this process may run on, as the kernel lists them: `0-3,8`. */
  readonly allowed: string;
  readonly flags: ReadonlySet<string>;
}

export interface Probes {
  file(path: string): FileState;
  writable(directory: string): boolean;
  /** Somebody listens at a socket. */
  served(socket: string): boolean;
  /** Undefined when the file is no capture. */
  capture(path: string): CaptureFile | undefined;
  interfaces(): readonly KernelInterface[];
  /** Undefined for what is not a veth. */
  arrivingChecksums(name: string): ArrivingChecksums | undefined;
  pciDevices(): readonly PciDevice[];
  hugepages(): readonly HugepageSize[];
  dpdk(): Dpdk | undefined;
  /** `CAP_NET_RAW`, ... in effect for this process. */
  capabilities(): ReadonlySet<string>;
  /** Bytes that may be locked; Infinity without a limit. */
  lockedMemoryLimit(): number;
  iommuGroups(): number;
  processor(): Processor;
  nodeVersion(): string;
}
