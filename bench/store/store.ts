/**
 * How fast is state that lies elsewhere? Lookups a second of the native client beside a bare C client and
 * ioredis, at equal transport, burst and depth; the whole NAT with a lookup at the store for every packet;
 * new flows at each commit class.
 *
 * The server has one core, the client the other. Contenders take turns, and ratios are taken within a
 * round. Rates are means over a whole run. What the clients say is checked against what the server counts.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { buildContenders, churnLibrary } from '../datapath/build.ts';
import { memoryArguments, memoryNeeded } from '../datapath/eal.ts';
import { metadata } from '../datapath/metadata.ts';
import { captures } from '../datapath/traffic.ts';
import { type Bar, judgeStore } from './bars.ts';
import {
  bareClient,
  lane,
  type StoreAnswer,
  type StoreRun,
  withSharedMemory,
} from './contenders.ts';
import { type Contest, contests } from './contests.ts';
import { Others, tolerated } from './others.ts';
import { type StoreRow, storeRows } from './rows.ts';
import { BenchServer, replicatedPair, serverKinds } from './server.ts';

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

/** Mappings that a NAT has room for under new flows. */
const CHURNED = 1_010_000;
const burst = 128;
const serverCore = 0;
/** Waited in all, in a full run, for others to rest; each measurement is made so often at the most. */
const patienceSeconds = 300;
const tries = 3;

/** Prints the report. Its result is the exit code: 1 when a contender failed. */
export async function store(options: StoreOptions): Promise<number> {
  const { root, build, flows, rounds, seconds, warmup, inFlight, bursts, quick } = options;
  buildContenders(root, build);
  const about = metadata(root);
  const [kind] = serverKinds();
  if (kind === undefined) {
    console.error('no redis-server or valkey-server: install one of them');
    return 1;
  }
  const base: StoreRun = {
    root,
    core: availableParallelism() - 1,
    seconds,
    warmup,
    flows,
    burst,
    inFlight: 4,
    capture: captures(`${build}/bench`, flows).join(),
    memory: memoryArguments(memoryNeeded(flows, CHURNED)),
  };
  const server = await BenchServer.start(kind, serverCore);
  const pair = quick ? undefined : await replicatedPair(kind, serverCore);
  const full = pair && { replicated: pair.primary, churn: churnLibrary(build) };
  const pids = [server, pair?.primary, pair?.replica].flatMap((it) => it?.pid ?? []);
  try {
    await fill(base, server);
    const { rows, failures } = await withSharedMemory((shared) =>
      compete(
        contests({ base, inFlight, bursts, server, shared, ...(full && { full }) }),
        rounds,
        new Others(pids, quick ? 0 : patienceSeconds),
      ),
    );
    const bars = judgeStore(rows);
    const version = await server.version();
    print(rows, bars, `${version}, ${rounds} round(s) of ${seconds} s, ${flows} keys`);
    for (const failure of failures) console.error(`failed: ${failure}`);
    if (options.json) {
      const document = {
        metadata: { ...about, server: version, rounds, seconds, flows },
        rows,
        bars,
        failures,
      };
      writeFileSync(options.json, `${JSON.stringify(document, undefined, 2)}\n`);
    }
    return failures.length > 0 ? 1 : 0;
  } finally {
    await server.stop();
    await pair?.stop();
  }
}

/** The keys of the bare clients, and a NAT's bindings: a server's memory is the same for all. */
async function fill(base: StoreRun, server: BenchServer): Promise<void> {
  await bareClient({ ...base, seconds: 0.1 }, server, { fill: true });
  await lane({ ...base, seconds: 0.1, warmup: 3 }, { nf: 'nat', store: `unix:${server.socket}` });
}

async function compete(list: readonly Contest[], rounds: number, others: Others) {
  const answers = new Map<string, (StoreAnswer | undefined)[]>(list.map(({ name }) => [name, []]));
  const failures: string[] = [];
  for (let round = 1; round <= rounds; round++)
    for (const contest of list) {
      progress(`round ${round} of ${rounds}: ${contest.name}`);
      try {
        answers.get(contest.name)?.push(await undisturbed(contest, others));
      } catch (error) {
        answers.get(contest.name)?.push(undefined);
        failures.push(`${contest.name}: ${(error as Error).message.split('\n')[0]}`);
      }
    }
  return { rows: storeRows(list, answers), failures };
}

/** Where others took part, it is measured again, as long as there is patience to wait for them. */
async function undisturbed(contest: Contest, others: Others): Promise<StoreAnswer> {
  for (let left = tries - 1; ; left--) {
    await others.calm();
    const before = others.read();
    const answer = await checked(contest);
    const share = others.since(before);
    if (share <= tolerated || left === 0 || others.isImpatient) return { ...answer, others: share };
  }
}

/** A lookup that the server has not seen is none. */
async function checked({ server, measure }: Contest): Promise<StoreAnswer> {
  if (server === undefined) return measure();
  const before = await server.counters();
  const answer = await measure();
  const after = await server.counters();
  const keys = after.keys - before.keys;
  if (keys < 0.98 * answer.lookups)
    throw new Error(`it says ${answer.lookups} lookups, the server counts ${keys}`);
  return { ...answer, serverNanoseconds: ((after.cpuSeconds - before.cpuSeconds) * 1e9) / keys };
}

function print(rows: readonly StoreRow[], bars: readonly Bar[], how: string): void {
  console.log(`\n${how}`);
  for (const row of rows) {
    const parts = [
      `${row.name.padEnd(32)} ${(row.median / 1e6).toFixed(3).padStart(7)} M ${row.unit}`,
    ];
    if (row.ratio !== undefined) parts.push(`${row.ratio.toFixed(2)} of ${row.ratioTo}`);
    if (row.cpuNanoseconds !== undefined)
      parts.push(`client ${row.cpuNanoseconds.toFixed(0)} ns CPU`);
    if (row.serverNanoseconds !== undefined)
      parts.push(
        `server ${row.serverNanoseconds.toFixed(0)} ns${row.serverShare === undefined ? '' : `, ${(row.serverShare * 100).toFixed(0)} % of it`}`,
      );
    if (row.p50 !== undefined)
      parts.push(
        `p50 ${row.p50.toFixed(0)} p99 ${row.p99?.toFixed(0)} p99.9 ${row.p999?.toFixed(0)} us`,
      );
    console.log(parts.join('  '));
  }
  for (const { bar, measured, holds } of bars)
    console.log(`${holds ? 'holds ' : 'MISSED'} ${bar}: ${measured.toFixed(2)}`);
}

function progress(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
}
