/** Who takes part in the benchmark of stores: each a process of its own, on the core that the server leaves. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Latency } from '../../src/telemetry/latency.ts';
import { BUFFER_ROOM, SPARE_BUFFERS } from '../datapath/eal.ts';
import type { BenchServer } from './server.ts';

export interface StoreRun {
  readonly root: string;
  readonly core: number;
  readonly seconds: number;
  readonly warmup: number;
  readonly flows: number;
  readonly burst: number;
  readonly inFlight: number;
  readonly capture: string;
  /** EAL's arguments for memory. */
  readonly memory: readonly string[];
}

/** What one run came to. */
export interface StoreAnswer {
  /** Lookups, packets or new flows a second. */
  readonly perSecond: number;
  /** Lookups in all, those of a warm-up too: what the server must have counted. */
  readonly lookups: number;
  /** Of the client's processor for a lookup, where it rests while it waits. */
  readonly cpuNanoseconds?: number;
  /** Of the server's processor for a key. */
  readonly serverNanoseconds?: number;
  readonly latency?: Latency;
  /** Processors that other processes of the machine had meanwhile. */
  readonly others?: number;
}

const startSeconds = 60;

export async function run(core: number, command: readonly string[], seconds: number) {
  const { stdout } = await promisify(execFile)('taskset', ['-c', String(core), ...command], {
    timeout: (startSeconds + seconds) * 1000,
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 24,
  }).catch((error: Error & { stderr?: string }) => {
    const words = (error.stderr ?? '').split('\n').find((line) => /error/i.test(line));
    throw new Error(words ?? error.message, { cause: error });
  });
  return stdout;
}

const lastLine = (text: string) => text.trim().split('\n').at(-1) ?? '';

interface ClientLine {
  readonly lookups: number;
  readonly hits: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

function ofClient(text: string, rests: boolean): StoreAnswer {
  const { lookups, hits, seconds, cpuSeconds } = JSON.parse(lastLine(text)) as ClientLine;
  if (hits !== lookups) throw new Error(`${lookups - hits} of ${lookups} keys were not there`);
  return {
    perSecond: lookups / seconds,
    lookups,
    ...(rests && { cpuNanoseconds: (cpuSeconds * 1e9) / lookups }),
  };
}

function clientArguments(run: StoreRun, server: BenchServer, transport: 'unix' | 'tcp'): string[] {
  return [
    ...(transport === 'unix' ? ['--socket', server.socket] : ['--port', String(server.port)]),
    ...['--keys', String(run.flows), '--batch', String(run.burst)],
    ...['--in-flight', String(run.inFlight), '--seconds', String(run.seconds)],
  ];
}

export interface BareChoice {
  readonly transport?: 'unix' | 'tcp';
  /** Sleeps until there is a reply; else it polls, as a lane does. */
  readonly rest?: boolean;
  /** Makes the keys first. */
  readonly fill?: boolean;
}

export async function bareClient(
  of: StoreRun,
  server: BenchServer,
  { transport = 'unix', rest = false, fill = false }: BareChoice = {},
): Promise<StoreAnswer> {
  const command = [
    ...[`${of.root}/build/bench/resp_client`, ...clientArguments(of, server, transport)],
    ...(rest ? ['--rest'] : []),
    ...(fill ? ['--fill'] : []),
  ];
  return ofClient(await run(of.core, command, of.seconds), rest);
}

/** Both rest while they wait. */
export async function programClient(
  client: 'native' | 'ioredis',
  of: StoreRun,
  server: BenchServer,
): Promise<StoreAnswer> {
  const command = [
    ...[process.execPath, '--conditions=source', `${of.root}/bench/store/${client}-client.ts`],
    ...clientArguments(of, server, 'unix'),
  ];
  return ofClient(await run(of.core, command, of.seconds), true);
}

/** The server's own benchmark program at the same command. */
export async function serversOwn(of: StoreRun, server: BenchServer): Promise<StoreAnswer> {
  // It is told how many calls, not for how long: as many as 5 million lookups a second would be.
  const calls = Math.ceil((of.seconds * 5e6) / of.burst);
  const command = [
    ...[`${server.kind}-benchmark`, '-s', server.socket, '-c', '1', '-P', String(of.inFlight)],
    ...['-n', String(calls), '-r', String(of.flows), '--csv', 'MGET'],
    ...Array.from({ length: of.burst }, () => '{00}benches/0000__rand_int__'),
  ];
  const csv = lastLine(await run(of.core, command, of.seconds * 4));
  // "test","rps",...: the test's name has commas of its own, but no quote.
  const callsPerSecond = Number(/^"[^"]*","([\d.]+)"/.exec(csv)?.[1]);
  return { perSecond: callsPerSecond * of.burst, lookups: calls * of.burst };
}

interface LaneLine {
  readonly packets: number;
  readonly packetsEver: number;
  readonly forwarded: number;
  readonly seconds: number;
  readonly latency?: Latency;
  readonly dropped: Readonly<Record<string, number>>;
}

export interface LaneChoice {
  readonly nf: 'lookup' | 'nat';
  /** As in a configuration. */
  readonly store: string;
  readonly replicas?: number;
  /** Share of new flows, with the library that makes them. */
  readonly newFlows?: {
    readonly share: number;
    readonly library: string;
    readonly idleMilliseconds: number;
  };
}

export async function lane(of: StoreRun, choice: LaneChoice): Promise<StoreAnswer> {
  const { newFlows } = choice;
  const command = [
    ...(newFlows ? ['env', `LD_PRELOAD=${newFlows.library}`, `CHURN=${newFlows.share}`] : []),
    ...[process.execPath, '--expose-gc', '--conditions=source'],
    ...[`${of.root}/bench/datapath/rxnf-lane.ts`, '--nf', choice.nf, '--store', choice.store],
    ...['--capture', of.capture, '--flows', String(of.flows), '--burst', String(of.burst)],
    ...['--in-flight', String(of.inFlight), '--warmup', String(of.warmup)],
    ...['--seconds', String(of.seconds), '--buffers', String(of.flows + SPARE_BUFFERS)],
    ...['--room', String(BUFFER_ROOM)],
    ...(choice.replicas ? ['--commit-replicas', String(choice.replicas)] : []),
    ...(newFlows ? ['--capacity', '1010000', '--idle-ms', String(newFlows.idleMilliseconds)] : []),
    ...['--', '--no-pci', '--no-telemetry', '--log-level=3', ...of.memory],
  ];
  const line = JSON.parse(
    lastLine(await run(of.core, command, of.seconds + of.warmup)),
  ) as LaneLine;
  const { packets, packetsEver, forwarded, seconds, latency, dropped } = line;
  if (forwarded < packets * 0.99)
    throw new Error(`${forwarded} of ${packets} were forwarded: ${JSON.stringify(dropped)}`);
  return {
    perSecond: forwarded / seconds,
    lookups: packetsEver,
    ...(latency && { latency }),
  };
}

/** A folder of shared memory for the time of `use`. */
export async function withSharedMemory<T>(use: (store: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join('/dev/shm', 'rxnf-bench-'));
  try {
    return await use(`shared:${folder}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
