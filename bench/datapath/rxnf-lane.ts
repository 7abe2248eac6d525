/**
 * What does one lane of rxnf forward on one core? Runs forwarding, the NAT, the NAT with a TypeScript
 * function called for every packet, or a lookup for every packet and nothing else, over the same looped
 * capture and tables as the C++ contenders, and prints one line of JSON. With `--lanes`, what so many do
 * that share a store, on a core each.
 *
 *   node --conditions=source bench/datapath/rxnf-lane.ts --nf forward|nat|nat-callback|lookup
 *        --capture FILE --flows N --burst N --warmup S --seconds S --buffers N --room BYTES
 *        [--store STORE] [--commit-replicas N] [--in-flight W] [--sample-seconds S] [--lanes N] [-- EAL...]
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import {
  forwardTo,
  lookupState,
  type NetworkFunction,
  nat,
  networkFunction,
  openLane,
  parse,
  type Store,
  synchronousOperator,
  type Table,
} from 'rxnf';
import { parseStore } from '../../src/instance/config-store.ts';
import { openStore } from '../../src/instance/open-store.ts';
import { buildFolder, native } from '../../src/native.ts';
import { DpdkLanePort } from '../../src/ports/dpdk-port.ts';
import { sessionOf } from '../../src/state/sessions.ts';
import { looked, type RegisterColumns } from '../../src/streams/batch.ts';
import type { Lane } from '../../src/streams/lane.ts';
import { noPacket } from '../../src/streams/traits.ts';
import { drop, forward } from '../../src/streams/verdict.ts';
import { latencyMicroseconds } from '../../src/telemetry/latency.ts';
import type { MemorySample } from './contenders.ts';
import { inThreads, meet, type Seat, together } from './lane-threads.ts';
import { devices, inside, mtu, neighbours, outside, pool, routes } from './world.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    nf: { type: 'string', default: 'nat' },
    capture: { type: 'string' },
    capacity: { type: 'string' },
    'idle-ms': { type: 'string' },
    flows: { type: 'string', default: '10000' },
    burst: { type: 'string', default: '128' },
    warmup: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '2' },
    buffers: { type: 'string', default: '32767' },
    room: { type: 'string', default: '2176' },
    'sample-seconds': { type: 'string' },
    store: { type: 'string' },
    /** So many threads, each with a capture of its own: `--capture A,B`. Default: none, a lane on the main one. */
    lanes: { type: 'string' },
    'in-flight': { type: 'string' },
    'commit-replicas': { type: 'string' },
  },
});

const missing = drop('not-there');
/** After a collection, which is a pause of its own and has code optimised anew. */
const settlingSeconds = 0.25;
/** Frames that wait in a device while the lane pauses; more are lost. */
const receiveDescriptors = 1024;

const nfs: Record<string, () => NetworkFunction> = {
  forward: () =>
    networkFunction('forward', [], () => (packets) => packets.pipe(forwardTo('outside'))),
  nat: () => benchmarkNat('kernels'),
  'nat-callback': () => benchmarkNat('callback'),
  lookup: lookupOnly,
};

function benchmarkNat(translation: 'kernels' | 'callback'): NetworkFunction {
  return nat({
    inside: ['inside'],
    outside: 'outside',
    interfaces: {
      inside: [{ address: inside.address, length: inside.prefixLength }],
      outside: [{ address: outside.address, length: outside.prefixLength }],
    },
    pool: pool(),
    routes,
    neighbours: neighbours.map(({ port, address, mac }) => ({
      port,
      address,
      mac: mac.reduce((n, byte) => n * 256 + byte, 0),
    })),
    capacity: Number(values.capacity ?? Math.max(65_536, Math.ceil(Number(values.flows) * 1.25))),
    ...(values['idle-ms'] !== undefined && {
      timeouts: everyTimeout(Number(values['idle-ms']) / 1000),
      shortTimeouts: true,
    }),
    translation,
    ...(values['commit-replicas'] !== undefined && {
      commit: { replicas: Number(values['commit-replicas']) },
    }),
  });
}

/** Of the NAT's bindings, which it must find there. */
function lookupOnly(): NetworkFunction {
  const [bindings] = benchmarkNat('kernels').tables as [Table];
  return networkFunction('lookup', [bindings], (lane) => {
    const out = forward(lane.port('outside'));
    return (packets) =>
      packets.pipe(
        parse({ ports: { inside: { acceptAny: true } } }),
        lookupState(bindings, { key: 'source-endpoint', refresh: noPacket, attend: 'misses' }),
        synchronousOperator('forwardHits', () => (batch) => {
          const { state } = batch.registers[0] as RegisterColumns;
          for (let row = 0; row < batch.count; row++)
            if (batch.verdict[row] === 0)
              batch.verdict[row] = state[row] === looked.hit ? out : missing;
        }),
      );
  });
}

function everyTimeout(seconds: number) {
  return { udp: seconds, tcpTransitory: seconds, tcpEstablished: seconds, icmp: seconds };
}

/** Opens the devices with a queue for each lane; returns their MAC addresses and numbers. */
function openDevices(queues: number): Device[] {
  const eal =
    positionals.length > 0
      ? positionals
      : ['--no-pci', '--in-memory', '--no-telemetry', '--log-level=3'];
  const captures = (values.capture ?? '').split(',');
  const vdevs = [`--vdev=${devices.inside(...captures)}`, `--vdev=${devices.outside}`];
  native.startDpdk(join(buildFolder, 'librxnf_dpdk.so'), ['rxnf', ...eal, ...vdevs]);
  native.openDpdkPool(Number(values.buffers), Number(values.room));
  const open = (name: string, device: string): Device => {
    const { mac, ethdev } = native.openDpdkPort({ device, queues, mtu });
    native.startDpdkPort(ethdev);
    return { name, mac, mtu, ethdev };
  };
  return [open('inside', 'net_pcap0'), open('outside', 'net_null0')];
}

type Device = Omit<ConstructorParameters<typeof DpdkLanePort>[0], 'queue'>;

interface Run {
  readonly packets: number;
  readonly batches: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly longestPause: number;
}

/** Packets, batches, the last receive and the longest pause between two, by the lane clock. */
const tally = { packets: 0, batches: 1, last: 2, longestPause: 3 } as const;

/** Counts in an array: a number kept across calls would be allocated anew for every breath. */
function breatheSomewhat(lane: Lane, counts: Float64Array): void {
  for (let i = 0; i < 256; i++) {
    const received = lane.breathe();
    counts[tally.packets] = (counts[tally.packets] as number) + received;
    if (received > 0) counts[tally.batches] = (counts[tally.batches] as number) + 1;
    const now = lane.nowNanoseconds;
    const pause = now - (counts[tally.last] as number);
    if (pause > (counts[tally.longestPause] as number)) counts[tally.longestPause] = pause;
    counts[tally.last] = now;
  }
}

/** Of the whole process; of a lane's thread its own. */
function cpuUsage(before?: NodeJS.CpuUsage): NodeJS.CpuUsage {
  return parentPort === null ? process.cpuUsage(before) : process.threadCpuUsage(before);
}

/** Breathes for a bounded time. */
function breatheFor(lane: Lane, seconds: number): Run {
  const counts = new Float64Array(4);
  counts[tally.last] = Number.POSITIVE_INFINITY; // what came before is none of its pauses
  const cpu = cpuUsage();
  const start = performance.now();
  const end = start + seconds * 1000;
  do breatheSomewhat(lane, counts);
  while (performance.now() < end);
  const used = cpuUsage(cpu);
  return {
    packets: counts[tally.packets] as number,
    batches: counts[tally.batches] as number,
    longestPause: counts[tally.longestPause] as number,
    seconds: (performance.now() - start) / 1000,
    cpuSeconds: (used.user + used.system) / 1e6,
  };
}

/** Breathes in slices of `--sample-seconds` and looks at the memory after each. */
function breatheAndSample(lane: Lane, seconds: number, samples: MemorySample[]): Run {
  const slice = Number(values['sample-seconds'] ?? seconds);
  let sum = { packets: 0, batches: 0, seconds: 0, cpuSeconds: 0, longestPause: 0 };
  while (sum.seconds < seconds) {
    const run = breatheFor(lane, Math.min(slice, seconds - sum.seconds));
    sum = {
      packets: sum.packets + run.packets,
      batches: sum.batches + run.batches,
      seconds: sum.seconds + run.seconds,
      cpuSeconds: sum.cpuSeconds + run.cpuSeconds,
      longestPause: Math.max(sum.longestPause, run.longestPause),
    };
    if (values['sample-seconds'] === undefined) continue;
    // What a collection would free is not growth.
    globalThis.gc?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    samples.push({
      seconds: sum.seconds,
      residentBytes: rss,
      heapBytes: heapUsed,
      externalBytes: external,
      bindings: bindings === undefined ? 0 : sessionOf(lane, bindings).size(bindings),
    });
  }
  return sum;
}

function store(inFlight: number | undefined): Store {
  const choice = parseStore(values.store ?? 'memory');
  if (choice === undefined || 'why' in choice) throw new Error(`--store ${values.store}: no store`);
  return openStore(
    choice.kind === 'memory'
      ? { kind: 'memory', name: 'bench', seed: 1 }
      : { ...choice, instance: 'bench', ...(inFlight !== undefined && { inFlight }) },
  );
}

const make = nfs[values.nf];
if (!make) throw new Error(`--nf ${values.nf}: there are ${Object.keys(nfs).join(', ')}`);
const nf = make();
/** The first table of each NF that has any. */
const [bindings] = nf.tables;

if (parentPort !== null) parentPort.postMessage(measureLane(workerData as Seat<Device>));
else {
  const lanes = Number(values.lanes ?? 0);
  const devices = openDevices(Math.max(1, lanes));
  const answer =
    lanes > 0
      ? together(await inThreads(new URL(import.meta.url), lanes, devices))
      : measureLane({ lane: 0, devices });
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

function measureLane({ lane: number, devices, awaited }: Seat<Device>) {
  /** At the server; one more is received and prepared meanwhile. */
  const inFlight = values['in-flight'] === undefined ? undefined : Number(values['in-flight']);
  const lane = openLane(nf, store(inFlight), {
    pool: native.openDpdkPool(Number(values.buffers), Number(values.room)),
    ports: devices.map((device) => new DpdkLanePort({ ...device, queue: number })),
    burst: Number(values.burst),
    writer: number + 1,
    ...(inFlight !== undefined && { batches: inFlight + 1 }),
  });
  if (awaited) meet(awaited);
  breatheFor(lane, Number(values.warmup));
  globalThis.gc?.();
  breatheFor(lane, settlingSeconds);
  const heap = process.memoryUsage().heapUsed;
  const before = lane.statistics();
  const latencyBefore = lane.latency();
  const memory: MemorySample[] = [];
  const run = breatheAndSample(lane, Number(values.seconds), memory);
  const allocated = process.memoryUsage().heapUsed - heap;
  const after = lane.statistics();
  const mpps = run.packets / run.seconds / 1e6;
  return {
    mpps,
    nsPerPacket: (run.cpuSeconds * 1e9) / run.packets,
    packets: run.packets,
    packetsEver: after.received[0],
    forwarded: (after.forwarded[1] as number) - (before.forwarded[1] as number),
    dropped: Object.fromEntries(Object.entries(after.dropped).filter(([, n]) => n > 0)),
    latency: latencyMicroseconds(lane.latency().map((n, i) => n - (latencyBefore[i] as number))),
    cpuSeconds: run.cpuSeconds,
    seconds: run.seconds,
    bytesPerBatch: Math.max(0, allocated) / run.batches,
    ...(memory.length > 0 && { memory }),
    longestPauseMicroseconds: run.longestPause / 1000,
    lostToPause: Math.max(0, Math.round((run.longestPause / 1000) * mpps - receiveDescriptors)),
  };
}
