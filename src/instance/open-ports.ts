/**
 * Opens the ports of a configuration in the main thread: everything is validated first, since DPDK
 * starts once per process and cannot be asked again.
 */
import { join } from 'node:path';
import { buildFolder, type DpdkPort, native } from '../native.ts';
import { PortConfigError } from '../ports/error.ts';
import { checksumNotices, type DpdkPlan, type PlannedPort, planDpdk } from '../ports/plan.ts';
import type { Probes } from '../ports/probes.ts';
import { removeDeadSockets } from '../ports/sockets.ts';
import { type DeviceKind, needsDpdk, type PortSpec, parsePort } from '../ports/spec.ts';
import { validatePorts } from '../ports/validate.ts';
import { formatMac, readMac } from '../wire/address.ts';
import { viewOf } from '../wire/bytes.ts';
import type { InstanceConfig, PortConfig } from './config.ts';
import type { ConfigProblem } from './config-error.ts';
import type { PoolPlan, PortPlan } from './plan.ts';
import type { PortEvent } from './port-watch.ts';

/** A port as the operator sees it. */
export interface PortInfo {
  readonly mac: string;
  readonly driver: string;
  readonly mtu: number;
  /** Absent: none. */
  readonly vlan?: number;
}

export interface OpenedPorts {
  readonly plans: readonly PortPlan[];
  readonly pool: PoolPlan;
  readonly info: Readonly<Record<string, PortInfo>>;
  /** What is allowed, and likely a mistake. */
  readonly warnings: readonly string[];
  /** Starts the devices: their links come up. Once, and best when lanes poll. */
  readonly start: () => readonly PortEvent[];
  /** Closes the devices; their output files are complete then. No lane may be running. */
  close(): void;
}

export class PortsError extends Error {
  readonly code = 'ERR_PORTS';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map((it) => `${it.field}: ${it.problem}; mend: ${it.mend}`).join('\n'));
    this.name = 'PortsError';
    this.problems = problems;
  }
}

/** Ethernet header and two tags: what comes before the IP packet in a buffer. */
const linkOverhead = 14 + 8;
const headroom = 128;
/** A memory pool's buffers have this size. */
const smallestRoom = 2176;
const receiveDescriptors = 1024;
const transmitDescriptors = 1024;
/** A lane's own: 16 batches, a thread's cache of 512 (it may fill half again), 4096 packets held. */
const batches = 16;
const cached = 768;
const held = 4096;
/** Rows of a batch for packets made here. */
const spareRows = 32;

export interface PortsEnvironment {
  readonly probes: Probes;
  readonly pid: number;
  /** Wall clock, for the time stamps of captures that are written. */
  readonly startMilliseconds: number;
}

const nothingToDo = { start: () => [], close: () => undefined };

/** What of a configuration ports are opened by. */
export type PortsConfig = Pick<InstanceConfig, 'lanes' | 'burst' | 'ports'>;

/** @throws {PortsError} naming everything that is wrong, with its mend */
export function openPorts(config: PortsConfig, environment: PortsEnvironment): OpenedPorts {
  const { probes, pid, startMilliseconds } = environment;
  const specs = parsePorts(config);
  const room = roomFor(config);
  const problems = [...validatePorts(specs, probes).map(asProblem), ...misfits(config, specs)];
  if (problems.length > 0) throw new PortsError(problems);
  const checksums = (notices: DpdkPlan['notices']) =>
    notices.map(({ field, found, mend }) => `${field}: ${found}; mend: ${mend}`);
  if (!specs.some(needsDpdk)) {
    const pool = { kind: 'memory', buffers: buffersFor(config), room } as const;
    const warnings = checksums(checksumNotices(specs, probes));
    const ports = specs.map((spec, i) => softwarePort(spec, i, config, startMilliseconds));
    return { plans: ports, pool, info: infoOf(ports), warnings, ...nothingToDo };
  }
  const plan = planDpdk(specs, { buffers: buffersFor(config), room }, probes, pid);
  removeDeadSockets(specs, probes);
  const opened = startDpdk(plan, config);
  const plans = specs.map((spec, i) => {
    const at = plan.ports.findIndex((port) => port.spec === spec);
    const port = plan.ports[at];
    return port === undefined
      ? softwarePort(spec, i, config, startMilliseconds)
      : devicePort(port, opened[at] as DpdkPort, config);
  });
  const devices = new Map(plan.ports.map((port, i) => [port.spec.name, opened[i] as DpdkPort]));
  return {
    plans,
    pool: { kind: 'dpdk', ...plan.pool },
    info: infoOf(plans, devices),
    warnings: checksums(plan.notices),
    start: () =>
      plan.ports.flatMap(({ spec }, i) =>
        native.startDpdkPort((opened[i] as DpdkPort).ethdev) ? [filtered(spec.name)] : [],
      ),
    close() {
      for (const { ethdev } of opened) native.closeDpdkPort(ethdev);
    },
  };
}

/** A virtual function whose card does not trust it: enough for a router, not for a bridge. */
function filtered(port: string): PortEvent {
  return {
    event: 'filtered',
    port,
    mend: 'promiscuous mode was refused: frames to other addresses do not arrive; if they should: ip link set CARD vf N trust on',
  };
}

function parsePorts(config: PortsConfig): PortSpec[] {
  const specs: PortSpec[] = [];
  const problems: ConfigProblem[] = [];
  for (const [name, { device }] of Object.entries(config.ports)) {
    try {
      specs.push(parsePort(name, device, config.lanes));
    } catch (error) {
      if (!(error instanceof PortConfigError)) throw error;
      problems.push(asProblem(error));
    }
  }
  if (problems.length > 0) throw new PortsError(problems);
  return specs;
}

function asProblem({ field, found, mend }: PortConfigError): ConfigProblem {
  return { field, problem: found, mend };
}

/** Devices whose address nobody has set: without a link, or with one that has two ends and filters nothing. */
const takesAddress: ReadonlySet<DeviceKind> = new Set([
  ...(['capture', 'memory', 'pcap', 'null', 'ring'] as const),
  ...(['memif', 'vhost-user', 'virtio-user'] as const),
]);

/** Settings that only some kinds of port can have. */
function misfits(config: PortsConfig, specs: readonly PortSpec[]): ConfigProblem[] {
  const dpdk = specs.some(needsDpdk);
  const most = smallestRoom - headroom - linkOverhead;
  return specs.flatMap((spec) => {
    const { mac, mtu } = config.ports[spec.name] as PortConfig;
    const problems: ConfigProblem[] = [];
    if (mac !== undefined && !takesAddress.has(spec.device.kind)) {
      problems.push({
        field: `ports.${spec.name}.mac`,
        problem: 'the device has a link address of its own',
        mend: 'remove it (an interface: ip link set dev DEVICE address MAC)',
      });
    }
    if (!dpdk && mtu > most) {
      problems.push({
        field: `ports.${spec.name}.mtu`,
        problem: `${mtu} is more than a buffer holds where no port is a device`,
        mend: `write at most ${most}`,
      });
    }
    return problems;
  });
}

function startDpdk(plan: DpdkPlan, config: PortsConfig): DpdkPort[] {
  native.startDpdk(join(buildFolder, 'librxnf_dpdk.so'), plan.arguments);
  native.openDpdkPool(plan.pool.buffers, plan.pool.room);
  return plan.ports.map((port) => openDpdkPort(port, config));
}

/** @throws {PortsError} naming the setting to blame, where it is one */
function openDpdkPort({ spec, ethdev, frames }: PlannedPort, config: PortsConfig): DpdkPort {
  const { mtu, vlan = 0, promiscuous } = config.ports[spec.name] as PortConfig;
  try {
    return native.openDpdkPort({
      device: ethdev,
      queues: config.lanes,
      receiveDescriptors,
      transmitDescriptors,
      mtu,
      vlan,
      promiscuous: promiscuous ? 1 : 0,
      frames,
    });
  } catch (error) {
    const { code, field = 'device', message: problem } = error as DpdkError;
    if (code !== 'ERR_DPDK') throw error;
    const mend = refusedMends[field] ?? 'see what DPDK said of it';
    throw new PortsError([{ field: `ports.${spec.name}.${field}`, problem, mend }]);
  }
}

/** As the addon throws it. */
type DpdkError = Error & { readonly code?: string; readonly field?: string };

/** For settings that only the device itself can refuse. */
const refusedMends: Readonly<Record<string, string>> = {
  mtu: 'write a smaller one, or raise that of its card first (ip link set CARD mtu N)',
  vlan: 'remove it where the card itself tags for the function (rxnf ports says so)',
};

function devicePort({ spec }: PlannedPort, port: DpdkPort, config: PortsConfig): PortPlan {
  const { device, name } = spec;
  const { mac = port.mac, mtu, vlan } = config.ports[name] as PortConfig;
  const plan = { kind: 'dpdk', name, mac, mtu, vlan, ethdev: port.ethdev } as const;
  if (device.kind !== 'pcap' || device.pacing.kind === 'unpaced') return plan;
  return { ...plan, pace: { pacing: device.pacing, file: device.file, loop: device.loop } };
}

function softwarePort(
  spec: PortSpec,
  index: number,
  config: PortsConfig,
  startMilliseconds: number,
): PortPlan {
  const { device, name } = spec;
  const { mac = localMac(index), mtu, vlan } = config.ports[name] as PortConfig;
  const common = { kind: 'capture', name, mac, mtu, vlan, startMilliseconds } as const;
  if (device.kind !== 'capture') return common;
  return {
    ...common,
    ...(device.file !== undefined && { input: device.file }),
    loop: device.loop,
    pacing: device.pacing,
    ...(device.out !== undefined && { output: device.out }),
  };
}

/** Locally administered: 02:00:00:00:00 and the port's number, from 1. */
function localMac(index: number): Uint8Array {
  return Uint8Array.of(2, 0, 0, 0, 0, index + 1);
}

function infoOf(
  plans: readonly PortPlan[],
  devices: ReadonlyMap<string, DpdkPort> = new Map(),
): Record<string, PortInfo> {
  return Object.fromEntries(
    plans.map(({ name, mac, mtu, vlan, kind }) => {
      const device = devices.get(name);
      const info = {
        mac: mac === undefined ? '' : formatMac(readMac(viewOf(mac), 0)),
        driver: device?.driver ?? kind,
        mtu: mtu ?? 1500,
        ...(vlan !== undefined && { vlan }),
      };
      return [name, info];
    }),
  );
}

function roomFor({ ports }: PortsConfig): number {
  const longest = Math.max(...Object.values(ports).map(({ mtu }) => mtu)) + linkOverhead;
  return Math.max(smallestRoom, Math.ceil((longest + headroom) / 64) * 64);
}

/** Enough for every ring to be full and every batch to be out, on every lane. */
function buffersFor({ lanes, burst, ports }: PortsConfig): number {
  const rings = Object.keys(ports).length * (receiveDescriptors + transmitDescriptors);
  return lanes * (rings + 2 * batches * (burst + spareRows) + cached + held);
}
