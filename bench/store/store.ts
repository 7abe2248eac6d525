/**
 * How fast is state that lies elsewhere? Lookups a second of the native client beside a bare C client and
 * ioredis, at equal transport, burst and depth; the whole NAT with a lookup at the store for every packet;
 * new flows at each commit class.
 *
 * The server has one core, the client the other. Contenders take turns, and ratios are taken within a
 * round. Rates are means over a whole run. What the server counts is checked against what the clients say.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { buildContenders, churnLibrary } from '../datapath/build.ts';
import { memoryArguments, memoryNeeded } from '../datapath/eal.ts';
import { metadata } from '../datapath/metadata.ts';
import { median, quantile } from '../datapath/statistics.ts';
import { capture } from '../datapath/traffic.ts';
import { type Bar, judgeStore } from './bars.ts';
import {
  bareClient,
  ioredisClient,
  lane,
  type StoreAnswer,
  type StoreRun,
  serversOwn,
  withSharedMemory,
} from './contenders.ts';
import { type StoreRow, storeRows } from './rows.ts';
import { BenchServer, presentServers } from './server.ts';

export interface StoreOptions {
  readonly root: string;
  readonly build: string;
  readonly rounds: number;
  readonly warmup: number;
  readonly seconds: number;
  readonly flows: number;
  readonly inFlight: readonly number[];
  readonly bursts: readonly number[];
  /** Everything once, the servers' own benchmark program and new flows left out. */
  readonly quick: boolean;
  readonly json?: string;
}

const newFlows = 0.1;
/** Mappings that a NAT has room for under new flows, each idle for a second. */
const CHURNED = 1_010_000;
const burst = 128;
const own4 = "server's own benchmark W=4";

/** One thing that is measured, in every round. */
export interface Contest {
  readonly name: string;
  readonly unit: 'lookups/s' | 'packets/s' | 'flows/s';
  readonly ratioTo?: string;
  measure(): Promise<StoreAnswer>;
}

/** Prints the report. Its result is the exit code: 1 when a contender failed. */
export async function store(options: StoreOptions): Promise<number> {
  const { root, build, flows } = options;
  buildContenders(root, build);
  const about = metadata(root);
  const [kind] = presentServers();
  if (kind === undefined) {
    console.error('no redis-server or valkey-server: install one of them');
    return 1;
  }
  const serverCore = 0;
  const core = availableParallelism() - 1;
  const server = await BenchServer.start(kind, serverCore);
  const replicated = options.quick ? undefined : await replicatedPair(kind, serverCore);
  const answers = new Map<string, StoreAnswer[]>();
  const failures: string[] = [];
  let contests: Contest[] = [];
  let serverNanoseconds: number[] = [];
  try {
    const base: StoreRun = {
      root,
      core,
      seconds: options.seconds,
      warmup: options.warmup,
      flows,
      burst,
      inFlight: 4,
      capture: capture(`${build}/bench`, flows),
      memory: memoryArguments(memoryNeeded(flows, CHURNED)),
    };
    await bareClient({ ...base, seconds: 0.1 }, server, 'unix', true);
    serverNanoseconds = await withSharedMemory(async (shared) => {
      contests = contestsOf(base, options, server, replicated?.primary, shared);
      const costs: number[] = [];
      for (let round = 1; round <= options.rounds; round++) {
        costs.push(await checkServer(base, server));
        for (const contest of contests) {
          progress(`round ${round} of ${options.rounds}: ${contest.name}`);
          try {
            const list = answers.get(contest.name) ?? [];
            list.push(await contest.measure());
            answers.set(contest.name, list);
          } catch (error) {
            failures.push(`${contest.name}: ${(error as Error).message.split('\n')[0]}`);
          }
        }
      }
      return costs;
    });
  } finally {
    await server.stop();
    await replicated?.stop();
  }
  const rows = storeRows(contests, answers);
  rows.push({
    name: `${kind} server, a key of a batch`,
    unit: 'ns CPU',
    median: median(serverNanoseconds),
    p90: quantile(serverNanoseconds, 0.9),
  });
  const bars = judgeStore(rows);
  print(rows, bars, `${kind}, ${options.rounds} round(s) of ${options.seconds} s, ${flows} keys`);
  for (const failure of failures) console.error(`failed: ${failure}`);
  if (options.json) {
    const { rounds, seconds } = options;
    const document = {
      metadata: { ...about, server: kind, rounds, seconds },
      rows,
      bars,
      failures,
    };
    writeFileSync(options.json, `${JSON.stringify(document, undefined, 2)}\n`);
  }
  return failures.length > 0 ? 1 : 0;
}

function contestsOf(
  base: StoreRun,
  options: StoreOptions,
  server: BenchServer,
  replicated: BenchServer | undefined,
  shared: string,
): Contest[] {
  const unix = `unix:${server.socket}`;
  const tcp = `redis://127.0.0.1:${server.port}`;
  const list: Contest[] = [];
  const add = (
    name: string,
    unit: Contest['unit'],
    measure: () => Promise<StoreAnswer>,
    ratioTo?: string,
  ) => list.push({ name, unit, measure, ...(ratioTo !== undefined && { ratioTo }) });
  if (!options.quick) {
    add(own4, 'lookups/s', () => serversOwn(base, server));
  }
  const own = options.quick ? undefined : own4;
  add('ioredis W=4', 'lookups/s', () => ioredisClient(base, server));
  // The NAT first: it makes the bindings that the lookups find.
  for (const w of options.inFlight) {
    const at: StoreRun = { ...base, inFlight: w };
    add(`bare C W=${w}`, 'lookups/s', () => bareClient(at, server), w === 4 ? own : undefined);
    add(
      `rxnf NAT, unix W=${w}`,
      'packets/s',
      () => lane(at, { nf: 'nat', store: unix }),
      `bare C W=${w}`,
    );
    add(
      `rxnf lookup W=${w}`,
      'lookups/s',
      () => lane(at, { nf: 'lookup', store: unix }),
      `bare C W=${w}`,
    );
    if (w === 4)
      add(
        `rxnf lookup W=${w}, resting`,
        'lookups/s',
        () => lane(at, { nf: 'lookup', store: unix, rest: true }),
        'ioredis W=4',
      );
    add(`rxnf NAT, tcp W=${w}`, 'packets/s', () => lane(at, { nf: 'nat', store: tcp }));
  }
  for (const size of options.bursts)
    add(`rxnf NAT, unix W=4 burst ${size}`, 'packets/s', () =>
      lane({ ...base, burst: size }, { nf: 'nat', store: unix }),
    );
  add('rxnf NAT, memory', 'packets/s', () => lane(base, { nf: 'nat', store: 'memory' }));
  add(
    'rxnf NAT, shared memory',
    'packets/s',
    () => lane(base, { nf: 'nat', store: shared }),
    'rxnf NAT, memory',
  );
  if (options.quick || !existsSync(churnLibrary(options.build))) return list;
  const library = churnLibrary(options.build);
  const flowsOf = (answer: StoreAnswer) => ({ ...answer, perSecond: answer.perSecond * newFlows });
  // A million mappings are to be enough for all that live at once.
  const fresh = (name: string, at: string, idleMilliseconds: number, replicas?: number) =>
    add(name, 'flows/s', async () =>
      flowsOf(
        await lane(
          { ...base, inFlight: 8 },
          {
            nf: 'nat',
            store: at,
            newFlows: { share: newFlows, library, idleMilliseconds },
            ...(replicas && { replicas }),
          },
        ),
      ),
    );
  fresh('new flows, primary', unix, 1000);
  if (replicated) fresh('new flows, replicas: 1', `unix:${replicated.socket}`, 1000, 1);
  fresh('new flows, shared memory', shared, 100);
  return list;
}

/** What a key costs the server; that it counts as many as the client says. */
async function checkServer(base: StoreRun, server: BenchServer): Promise<number> {
  const before = await server.counters();
  const answer = await bareClient(base, server);
  const after = await server.counters();
  const keys = after.keys - before.keys;
  const said = answer.perSecond * base.seconds;
  if (Math.abs(keys - said) > said * 0.02 + 4 * base.burst)
    throw new Error(`the client says ${Math.round(said)} lookups, the server counts ${keys}`);
  return ((after.cpuSeconds - before.cpuSeconds) * 1e9) / keys;
}

async function replicatedPair(kind: 'redis' | 'valkey', core: number) {
  const primary = await BenchServer.start(kind, core);
  const replica = await BenchServer.start(kind, core, [
    '--replicaof',
    '127.0.0.1',
    String(primary.port),
  ]);
  await primary.followed(1);
  return {
    primary,
    async stop() {
      await replica.stop();
      await primary.stop();
    },
  };
}

function print(rows: readonly StoreRow[], bars: readonly Bar[], how: string): void {
  console.log(`\n${how}`);
  for (const { name, unit, median, ratio, ratioTo, p50, p99, p999 } of rows) {
    const value = unit.endsWith('/s') ? `${(median / 1e6).toFixed(3)} M` : median.toFixed(1);
    const compared = ratio === undefined ? '' : `  ${ratio.toFixed(2)} of ${ratioTo}`;
    const times =
      p50 === undefined
        ? ''
        : `  p50 ${p50.toFixed(0)} p99 ${p99?.toFixed(0)} p99.9 ${p999?.toFixed(0)} us`;
    console.log(`${name.padEnd(36)} ${value.padStart(10)} ${unit}${compared}${times}`);
  }
  for (const { bar, measured, holds } of bars)
    console.log(`${holds ? 'holds ' : 'MISSED'} ${bar}: ${measured.toFixed(2)}`);
}

function progress(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
}
