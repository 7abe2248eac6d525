/**
 * From valid specs to what start-up needs: EAL's arguments, each port's name there, and what the
 * operator should know although nothing is wrong.
 */
import type { Memory } from './eal.ts';
import { ealArguments, ethdevName } from './eal.ts';
import type { HugepageSize, Probes } from './probes.ts';
import type { DpdkPortSpec, PortSpec } from './spec.ts';
import { needsDpdk } from './spec.ts';

export interface PoolShape {
  readonly buffers: number;
  /** Bytes of each, headroom included. */
  readonly room: number;
}

export interface PlannedPort {
  readonly spec: DpdkPortSpec;
  /** What the port is opened by. */
  readonly ethdev: string;
  /** A finite capture's frames; 0 where the source has no end. */
  readonly frames: number;
}

export interface Notice {
  readonly field: string;
  readonly found: string;
  readonly mend: string;
}

export interface DpdkPlan {
  readonly arguments: readonly string[];
  readonly ports: readonly PlannedPort[];
  readonly pool: PoolShape;
  readonly notices: readonly Notice[];
}

/**
 * The pool is `wanted`, and more where the drivers keep buffers for themselves.
 *
 * ```ts
 * const plan = planDpdk(specs, { buffers: 16384, room: 2176 }, systemProbes(), process.pid);
 * native.startDpdk(library, plan.arguments);
 * ```
 */
export function planDpdk(
  specs: readonly PortSpec[],
  wanted: PoolShape,
  probes: Probes,
  pid: number,
): DpdkPlan {
  const ports = specs.filter(needsDpdk);
  const kept = ports.reduce((sum, port) => sum + buffersKept(port, probes), 0);
  const pool = { buffers: wanted.buffers + kept, room: wanted.room };
  const memory = chooseMemory(pool, probes.hugepages());
  return {
    arguments: ealArguments(specs, { memory, allowedCpus: probes.processor().allowed, pid }),
    ports: ports.map((spec) => ({
      spec,
      ethdev: ethdevName(spec, specs),
      frames: endOf(spec, probes),
    })),
    pool,
    notices: [...memoryNotices(memory, pool, ports), ...checksumNotices(specs, probes)],
  };
}

/** Frames on veths whose sender leaves checksums to a device that is not there. */
export function checksumNotices(specs: readonly PortSpec[], probes: Probes): Notice[] {
  return specs.flatMap(({ name, device }) => {
    if (device.kind !== 'af_packet' && device.kind !== 'af_xdp') return [];
    const arriving = probes.arrivingChecksums(device.interface);
    if (arriving === undefined || arriving.filled === true) return [];
    const sender = `the other end of ${device.interface}${arriving.peer === undefined ? '' : ` (${arriving.peer})`}`;
    const enter = arriving.namespace === undefined ? '' : `ip netns exec ${arriving.namespace} `;
    const found =
      arriving.filled === false
        ? `${sender} leaves TCP and UDP checksums unfilled`
        : `${sender} is out of sight; if its kernel sends, TCP and UDP checksums are unfilled`;
    return [
      {
        field: `ports.${name}.device`,
        found,
        mend: `${enter}ethtool -K ${arriving.peer ?? 'PEER'} tx off`,
      },
    ];
  });
}

const bufferOverhead = 64 + 128; // the mempool's object header and the mbuf
const ealMegabytes = 64; // ports, rings and EAL itself
const spare = 1.1; // the heap's fragmentation

function chooseMemory(pool: PoolShape, hugepages: readonly HugepageSize[]): Memory {
  const bytes = pool.buffers * (pool.room + bufferOverhead) * spare;
  const megabytes = Math.ceil(bytes / 2 ** 20) + ealMegabytes;
  const free = hugepages.reduce((sum, size) => sum + (size.free * size.sizeKilobytes) / 1024, 0);
  return free >= megabytes ? { kind: 'hugepages' } : { kind: 'ordinary', megabytes };
}

function memoryNotices(memory: Memory, pool: PoolShape, ports: readonly DpdkPortSpec[]): Notice[] {
  if (memory.kind === 'hugepages' || ports.length === 0) return [];
  const pages = Math.ceil(memory.megabytes / 2);
  return [
    {
      field: 'ports',
      found: `fewer than ${pages} hugepages are free, so ${pool.buffers} packet buffers lie in ordinary pages: slower, and not for NICs`,
      mend: `sysctl -w vm.nr_hugepages=${pages}`,
    },
  ];
}

/** A looped capture lies in the pool, once for each lane; af_xdp's rings hold buffers by the thousand. */
function buffersKept({ device, lanes }: DpdkPortSpec, probes: Probes): number {
  if (device.kind === 'pcap' && device.loop) {
    return (probes.capture(device.file)?.frames ?? 0) * lanes;
  }
  const afXdpRings = 2 * 2048; // fill and completion ring of a queue
  return device.kind === 'af_xdp' ? afXdpRings * lanes : 0;
}

function endOf({ device }: DpdkPortSpec, probes: Probes): number {
  if (device.kind !== 'pcap' || device.loop) return 0;
  return probes.capture(device.file)?.frames ?? 0;
}
