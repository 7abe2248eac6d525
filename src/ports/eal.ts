/** The arguments that start DPDK's Environment Abstraction Layer for a set of ports. */
import type { DpdkDevice, DpdkPortSpec, PortSpec } from './spec.ts';
import { needsDpdk } from './spec.ts';

/**
 * Hugepages for the pool, or ordinary pages in their place: enough for every device that a process
 * drives itself, and not for a NIC, which reads memory by physical address.
 */
export type Memory =
  | { readonly kind: 'hugepages' }
  | { readonly kind: 'ordinary'; readonly megabytes: number };

export interface EalEnvironment {
  readonly memory: Memory;
  /** The CPUs that the process may use, as the kernel lists them: `0-3,8`. */
  readonly allowedCpus: string;
  readonly pid: number;
}

/**
 * One lcore that may run on every allowed CPU: EAL pins its caller to the lcore's CPUs, and every
 * thread that the process makes later inherits that.
 *
 * ```ts
 * ealArguments([parsePort('inside', 'null:')], environment); // ['rxnf', '--lcores', '0@(0-1)', ...]
 * ```
 */
export function ealArguments(specs: readonly PortSpec[], environment: EalEnvironment): string[] {
  const ports = specs.filter(needsDpdk);
  const pci = ports.flatMap(({ device }) => (device.kind === 'pci' ? ['-a', device.address] : []));
  return [
    'rxnf',
    '--lcores',
    `0@(${environment.allowedCpus})`,
    '--no-telemetry',
    '--log-level=warning',
    '--log-level=lib.eal:error', // its warnings are about hugepage sizes that nobody asked for
    ...memoryArguments(environment),
    ...(ports.some(({ device }) => device.kind === 'virtio-user') ? singleFile : []),
    ...(pci.length === 0 ? ['--no-pci'] : pci),
    ...ports.flatMap((port) => virtualDevice(port, specs) ?? []),
  ];
}

/** The name by which EAL knows a port: what a port is opened by. */
export function ethdevName(port: DpdkPortSpec, specs: readonly PortSpec[]): string {
  const { device } = port;
  if (device.kind === 'pci') return device.address;
  if (device.kind === 'ring') return `net_ring_${device.ring}`;
  const alike = specs.filter((spec) => spec.device.kind === device.kind);
  return `${driverName[device.kind]}${alike.indexOf(port)}`;
}

const driverName = {
  pcap: 'net_pcap',
  af_packet: 'net_af_packet',
  af_xdp: 'net_af_xdp',
  tap: 'net_tap',
  memif: 'net_memif',
  'vhost-user': 'net_vhost',
  'virtio-user': 'net_virtio_user',
  null: 'net_null',
} as const;

/** virtio-user shows all memory to its peer, and vhost-user has room for eight pieces of it. */
const singleFile = ['--single-file-segments'];

function memoryArguments({ memory, pid }: EalEnvironment): string[] {
  if (memory.kind === 'hugepages') return ['--in-memory', `--file-prefix=rxnf${pid}`];
  // --no-huge refuses --in-memory; without --no-shconf it would leave files behind, and vhost-user
  // needs --legacy-mem.
  return ['--no-huge', '-m', String(memory.megabytes), '--legacy-mem', '--no-shconf'];
}

function virtualDevice(port: DpdkPortSpec, specs: readonly PortSpec[]): string[] | undefined {
  if (port.device.kind === 'pci') return undefined;
  const words = [ethdevName(port, specs), ...deviceArguments(port.device, port.lanes)];
  return [`--vdev=${words.join(',')}`];
}

function deviceArguments(device: DpdkDevice, lanes: number): string[] {
  switch (device.kind) {
    case 'pcap':
      return [
        ...Array.from({ length: lanes }, () => `rx_pcap=${device.file}`),
        ...(device.out === undefined ? [] : [`tx_pcap=${device.out}`]),
        ...(device.loop ? ['infinite_rx=1'] : []),
      ];
    case 'af_packet':
      return [`iface=${device.interface}`, `qpairs=${lanes}`];
    case 'af_xdp':
      return [`iface=${device.interface}`, 'start_queue=0', `queue_count=${lanes}`];
    case 'tap':
      return [`iface=${device.interface}`];
    case 'memif':
      return [
        `role=${device.role}`,
        `id=${device.id}`,
        `socket=${device.socket}`,
        'socket-abstract=no',
      ];
    case 'vhost-user':
      return [`iface=${device.socket}`, `queues=${lanes}`, `client=${device.client ? 1 : 0}`];
    case 'virtio-user':
      return [
        `path=${device.socket}`,
        `queues=${lanes}`,
        `server=${device.server ? 1 : 0}`,
        ...(lanes > 1 ? ['cq=1'] : []), // the control queue is what turns further pairs on
      ];
    case 'null':
      return [`size=${device.size}`];
    case 'ring':
    case 'pci':
      return [];
  }
}
