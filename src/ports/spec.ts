/**
 * Port device strings: `KIND:TARGET,option,option=value`.
 *
 * ```text
 * pci:0000:03:10.1                    a NIC or SR-IOV virtual function bound to vfio-pci
 * af_packet:eth0   af_xdp:eth0        a kernel interface
 * tap:NAME                            a kernel interface made for this port
 * pcap:IN,loop,rate=PPS,out=FILE      a capture through DPDK; replay=recorded keeps its timing
 * memif:ID,role=server,socket=PATH    shared memory with another process; role=client
 * vhost-user:PATH,client              the device side of a virtual machine's NIC
 * virtio-user:PATH,server             the driver side, as towards a switch
 * null:   null:size=64   ring:NAME    no device: endless empty frames; what was sent comes back
 * capture:IN,loop,replay=recorded     a capture without DPDK; options as pcap
 * capture:,out=FILE                   the same, receiving nothing
 * memory:                             fed and read by the program itself
 * ```
 */
import { PortConfigError } from './error.ts';
import { Options } from './options.ts';

/**
 * When the frames of a capture are given: as fast as they are taken, at a steady rate, or spaced as
 * they were recorded. The lane that polls the port keeps the pace; neither DPDK nor the port does.
 */
export type Pacing =
  | { readonly kind: 'unpaced' }
  | { readonly kind: 'rate'; readonly packetsPerSecond: number }
  | { readonly kind: 'recorded' };

interface CaptureDevice<Kind extends string, File extends string | undefined = string> {
  readonly kind: Kind;
  /** The frames to receive. */
  readonly file: File;
  /** Begin again after the last frame; without it the port is exhausted there. */
  readonly loop: boolean;
  readonly pacing: Pacing;
  /** Where transmitted frames are written; dropped when undefined. */
  readonly out: string | undefined;
}

interface InterfaceDevice<Kind extends string> {
  readonly kind: Kind;
  readonly interface: string;
}

export type DpdkDevice =
  | { readonly kind: 'pci'; readonly address: string }
  | CaptureDevice<'pcap'>
  | InterfaceDevice<'af_packet'>
  | InterfaceDevice<'af_xdp'>
  | InterfaceDevice<'tap'>
  | {
      readonly kind: 'memif';
      readonly id: number;
      readonly role: 'server' | 'client';
      readonly socket: string;
    }
  | { readonly kind: 'vhost-user'; readonly socket: string; readonly client: boolean }
  | { readonly kind: 'virtio-user'; readonly socket: string; readonly server: boolean }
  | { readonly kind: 'null'; readonly size: number }
  | { readonly kind: 'ring'; readonly ring: string };

export type Device =
  | DpdkDevice
  /** Without a file it receives nothing. */
  | CaptureDevice<'capture', string | undefined>
  | { readonly kind: 'memory' };
export type DeviceKind = Device['kind'];

export interface PortSpec {
  /** Its key in the configuration, e.g. `inside`. */
  readonly name: string;
  readonly device: Device;
  /** Receive and transmit queues: one pair a lane. */
  readonly lanes: number;
}

export interface DpdkPortSpec extends PortSpec {
  readonly device: DpdkDevice;
}

export function needsDpdk(spec: PortSpec): spec is DpdkPortSpec {
  return spec.device.kind !== 'capture' && spec.device.kind !== 'memory';
}

export function fieldOf(name: string): string {
  return `ports.${name}.device`;
}

/**
 * Reads one port's device string.
 *
 * ```ts
 * parsePort('inside', 'pcap:in.pcap,loop,out=o.pcap');
 * ```
 *
 * @throws {PortConfigError} unknown-kind, unknown-option, bad-option or bad-device.
 */
export function parsePort(name: string, text: string, lanes = 1): PortSpec {
  const colon = text.indexOf(':');
  const kind = colon < 0 ? text : text.slice(0, colon);
  const options = new Options(fieldOf(name), text, text.slice(kind.length + 1));
  const read = Object.hasOwn(readers, kind) ? readers[kind as DeviceKind] : undefined;
  if (read === undefined) {
    throw new PortConfigError(
      'unknown-kind',
      fieldOf(name),
      `"${text}" begins with no known kind of port`,
      `begin it with one of ${deviceKinds.map((known) => `${known}:`).join(' ')}`,
    );
  }
  const device = read(options);
  options.end();
  return { name, device, lanes };
}

const interfaceName = /^[^\s/:]{1,15}$/; // IFNAMSIZ is 16 with its final zero
const ringName = /^[A-Za-z0-9_]{1,16}$/;
const pciAddress = /^(?:([0-9a-f]{4}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])$/i;
const longestFrame = 2048; // what a packet buffer holds: 2176 bytes less 128 of headroom

const readers: { readonly [Kind in DeviceKind]: (options: Options) => Device } = {
  pci(options) {
    const match = pciAddress.exec(options.target('a PCI address like 0000:03:10.1'));
    if (match === null) throw options.badTarget('a PCI address like 0000:03:10.1');
    return { kind: 'pci', address: `${match[1] ?? '0000'}:${match[2]}`.toLowerCase() };
  },
  pcap: (options) => ({ kind: 'pcap', file: captureFile(options), ...captureOptions(options) }),
  capture(options) {
    const file = options.isTargetEmpty() ? undefined : captureFile(options);
    const device = { kind: 'capture', file, ...captureOptions(options) } as const;
    if (file === undefined && device.out === undefined) {
      throw options.badTarget(`${captureMeaning}, or empty with out=FILE`);
    }
    return device;
  },
  af_packet: (options) => ({ kind: 'af_packet', interface: interfaceOf(options) }),
  af_xdp: (options) => ({ kind: 'af_xdp', interface: interfaceOf(options) }),
  tap: (options) => ({ kind: 'tap', interface: interfaceOf(options) }),
  memif(options) {
    return {
      kind: 'memif',
      id: Number(options.target('a number of at most five digits', /^\d{1,5}$/)),
      role: options.choice('role', ['server', 'client'], 'server'),
      socket: options.path('socket') ?? '/run/rxnf/memif.sock',
    };
  },
  'vhost-user': (options) => ({
    kind: 'vhost-user',
    socket: options.target('the path of a socket'),
    client: options.flag('client'),
  }),
  'virtio-user': (options) => ({
    kind: 'virtio-user',
    socket: options.target('the path of a socket'),
    server: options.flag('server'),
  }),
  null: (options) => ({ kind: 'null', size: options.whole('size', 60, longestFrame) ?? 64 }),
  ring: (options) => ({
    kind: 'ring',
    ring: options.target('a name of letters, digits and _', ringName),
  }),
  memory: () => ({ kind: 'memory' }),
};

export const deviceKinds = Object.keys(readers) as readonly DeviceKind[];

function interfaceOf(options: Options): string {
  return options.target('the name of an interface', interfaceName);
}

const captureMeaning = 'the path of a pcap or pcapng file';

function captureFile(options: Options): string {
  return options.target(captureMeaning);
}

function captureOptions(options: Options) {
  return {
    loop: options.flag('loop'),
    pacing: pacingOf(options),
    out: options.path('out'),
  };
}

function pacingOf(options: Options): Pacing {
  const rate = options.whole('rate', 1, 1_000_000_000);
  const recorded = options.choice('replay', ['recorded', 'unpaced'], 'unpaced') === 'recorded';
  if (rate !== undefined && recorded) {
    throw options.bad('rate and replay=recorded are both given', 'keep one of them');
  }
  if (recorded) return { kind: 'recorded' };
  return rate === undefined ? { kind: 'unpaced' } : { kind: 'rate', packetsPerSecond: rate };
}
