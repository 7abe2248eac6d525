/** Who takes part: each is a program that loops a capture on a core, or one on each of several, and prints a line of JSON. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';
import { BUFFER_ROOM, coreArguments, deviceArguments, SPARE_BUFFERS } from './eal.ts';

/** One thing that all contenders are asked to do. */
export interface Setting {
  /** Distinct inside endpoints in the capture, and frames. */
  readonly flows: number;
  readonly burst: number;
  /** Share of packets with an endpoint that was never seen before (native/preload/churn.cc). */
  readonly newFlows: number;
}

export interface Run extends Setting {
  readonly warmup: number;
  readonly seconds: number;
  /** One for each lane, and captures likewise. */
  readonly cores: readonly number[];
  readonly captures: readonly string[];
  /** EAL's arguments for memory. */
  readonly memory: readonly string[];
  /** Of rxnf: the time between two samples of its memory; absent: none are taken. */
  readonly sampleSeconds?: number;
}

export interface MemorySample {
  /** Since the measurement began. */
  readonly seconds: number;
  readonly residentBytes: number;
  /** Of JavaScript's heap, after a collection. */
  readonly heapBytes: number;
  /** Held by JavaScript outside its heap. */
  readonly externalBytes: number;
  /** Records in the NAT's table of bindings. */
  readonly bindings: number;
}

/** What a contender prints. Each may add more. */
export interface Answer {
  /** Packets by the clock on the wall: falls when others use the core. */
  readonly mpps: number;
  /** Nanoseconds of the processor for a packet: what is compared. */
  readonly nsPerPacket: number;
  readonly packets: number;
  /** Share of packets that created a mapping. */
  readonly newFlows?: number;
  readonly bytesPerBatch?: number;
  readonly longestPauseMicroseconds?: number;
  readonly lostToPause?: number;
  readonly memory?: readonly MemorySample[];
  readonly dropped?: Readonly<Record<string, number>>;
}

export interface Contender {
  readonly name: string;
  /** Translates, so that new flows mean something to it. */
  readonly translates: boolean;
  /** Files, or programs on the PATH, without which it cannot take part. */
  readonly needs: readonly string[];
  /** Lanes that share a store, in threads on a core each; absent: it polls on its main thread alone. */
  readonly lanes?: number;
  command(run: Run): string[];
}

export function missing({ needs, lanes }: Contender): string[] {
  return [
    ...needs.filter((file) => !(file.includes('/') ? [file] : onPath(file)).some(existsSync)),
    ...((lanes ?? 1) > availableParallelism() ? [`${lanes} cores`] : []),
    ...(lanes !== undefined && !('threadCpuUsage' in process) ? ['Node 22.19 or later'] : []),
  ];
}

function onPath(program: string): string[] {
  return (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, program));
}

/** Mappings that every NAT here makes room for. */
export function capacity(setting: Setting): number {
  return setting.newFlows > 0
    ? setting.flows + CHURN_CAPACITY
    : Math.max(65_536, Math.ceil(setting.flows * 1.25));
}

/**
 * With new flows, how long one idles before it may go: 4 million new flows a second, more than any
 * contender gets to, live 0.2 s at the most, and a looped capture of 100,000 frames comes around in
 * a twentieth of that.
 */
export const CHURN_IDLE_MILLISECONDS = 100;
const CHURN_CAPACITY = 1_000_000;
const IDLE_MILLISECONDS = 300_000;

function idleMilliseconds(setting: Setting): number {
  return setting.newFlows > 0 ? CHURN_IDLE_MILLISECONDS : IDLE_MILLISECONDS;
}

/** `build` is the folder of the native build, `root` the project's. */
export function contenders(root: string, build: string): Contender[] {
  const here = `${root}/bench/datapath`;
  return [
    testpmd('testpmd-io', 'io', here),
    testpmd('testpmd-5tswap', '5tswap', here),
    native('fused-nat', `${build}/bench/fused_nat`),
    native('kernels-nat', `${build}/bench/kernels_nat`),
    rxnf('rxnf-forward', 'forward', here, build),
    rxnf('rxnf-nat', 'nat', here, build),
    rxnf('rxnf-nat-callback', 'nat-callback', here, build),
    rxnf('rxnf-nat-1-lane', 'nat', here, build, 1),
    rxnf('rxnf-nat-2-lanes', 'nat', here, build, 2),
  ];
}

function testpmd(name: string, mode: string, here: string): Contender {
  return {
    name,
    translates: false,
    needs: ['dpdk-testpmd', 'stdbuf'],
    command: (run) => [
      process.execPath,
      `${here}/testpmd.ts`,
      ...flags({
        mode,
        frames: run.flows,
        burst: run.burst,
        warmup: run.warmup,
        seconds: run.seconds,
      }),
      '--',
      ...run.memory,
      ...coreArguments(run.cores, 2),
      ...deviceArguments(run.captures),
    ],
  };
}

function native(name: string, program: string): Contender {
  return {
    name,
    translates: true,
    needs: [program],
    command: (run) => [
      program,
      ...run.memory,
      ...coreArguments(run.cores),
      ...deviceArguments(run.captures),
      '--',
      ...flags({
        flows: run.flows,
        burst: run.burst,
        warmup: run.warmup,
        seconds: run.seconds,
        capacity: capacity(run),
        'idle-ms': idleMilliseconds(run),
      }),
    ],
  };
}

function rxnf(name: string, nf: string, here: string, build: string, lanes?: number): Contender {
  return {
    name,
    translates: nf !== 'forward' && lanes === undefined,
    ...(lanes !== undefined && { lanes }),
    needs: [`${here}/rxnf-lane.ts`, `${build}/rxnf.node`, `${build}/librxnf_dpdk.so`],
    command: (run) => [
      process.execPath,
      '--conditions=source',
      '--expose-gc',
      `${here}/rxnf-lane.ts`,
      ...flags({
        nf,
        capture: run.captures.join(),
        ...(lanes !== undefined && { lanes }),
        flows: run.flows,
        burst: run.burst,
        warmup: run.warmup,
        seconds: run.seconds,
        buffers: run.flows + SPARE_BUFFERS,
        room: BUFFER_ROOM,
        ...(run.sampleSeconds !== undefined && { 'sample-seconds': run.sampleSeconds }),
        // Otherwise its own defaults, which are the same.
        ...(run.newFlows > 0 && { capacity: capacity(run), 'idle-ms': idleMilliseconds(run) }),
      }),
      '--',
      ...run.memory,
      ...coreArguments(run.cores),
    ],
  };
}

/** `flags({ burst: 64 })` gives `['--burst', '64']`. */
function flags(values: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, String(value)]);
}
