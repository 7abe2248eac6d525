/**
 * Real traffic through a pair of instances while they die: what each client lived through, in words
 * that a test compares with nothing.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BackgroundProcess } from '../../src/lab/background.ts';
import type { TalkPlan, TalkReport } from '../../src/lab/hosts.ts';
import { commandOf } from '../../src/lab/instance-process.ts';
import { addresses, Pair, type PairOptions, type Which } from '../../src/lab/pair.ts';
import { startIperf, startShell, startWeb } from './services.ts';

const { server } = addresses;
const talkPort = 7000;

/** A pair, and servers for its client. */
export interface BusyPair {
  readonly pair: Pair;
  /** SHA-256 of the web file `large` (40 MB). */
  readonly digest: string;
  /** The words of an ssh that may log in to the server. */
  readonly shell: readonly string[];
}

export async function openBusyPair(options: PairOptions): Promise<BusyPair> {
  const pair = await Pair.open(options);
  try {
    const place = { namespaces: pair.namespaces, role: 'server', directory: pair.directory };
    const [digests, shell] = await Promise.all([
      startWeb(place, [{ name: 'large', sizeBytes: 40 << 20 }]),
      startShell(place),
      startIperf(place, 5202),
      serveTalks(pair),
    ]);
    return { pair, digest: digests.get('large') as string, shell };
  } catch (error) {
    await pair.close();
    throw error;
  }
}

async function serveTalks(pair: Pair): Promise<void> {
  const talks = pair.namespaces.start('server', [
    ...commandOf('lab/hosts'),
    ...['serve', String(talkPort)],
  ]);
  await talks.until('the server of talks', 10, () => talks.stdout.includes('"ready"'));
}

/**
 * Kills one instance after the other with SIGKILL, each in the middle of traffic, and starts it again
 * while the other carries everything.
 *
 * @param deadMilliseconds from the kill to the new start, which takes a second more
 */
export async function killInTurns(
  pair: Pair,
  kills: number,
  deadMilliseconds: number,
): Promise<void> {
  for (let i = 0; i < kills; i++) {
    const which = (i % 2) as Which;
    await sleep(700);
    await pair.kill(which);
    await sleep(deadMilliseconds);
    await pair.start(which);
  }
  await sleep(700);
}

/** Downloads for about 20 s; what is wrong with what came. */
export async function download({ pair, digest }: BusyPair): Promise<string[]> {
  const file = join(pair.directory, 'downloaded');
  const { status, stderr } = await pair.namespaces.run(
    'client',
    ['curl', '-sS', '--limit-rate', '2M', '--max-time', '60', '-o', file, `http://${server}/large`],
    { limitSeconds: 65 },
  );
  if (status !== 0) return [`curl: ${stderr.trim()}`];
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex') === digest ? [] : ['curl: another file than the server has'];
}

/** Streams for `seconds` in one direction; what went wrong: an end, or two seconds without a byte. */
export async function stream(
  { pair }: BusyPair,
  direction: 'up' | 'down',
  seconds: number,
): Promise<string[]> {
  const port = direction === 'up' ? '5201' : '5202';
  const { stdout } = await pair.namespaces.run(
    'client',
    [
      ...['iperf3', '-c', server, '-p', port, '-t', String(seconds), '-b', '10M', '-J'],
      ...(direction === 'down' ? ['-R'] : []),
    ],
    { limitSeconds: seconds + 30 },
  );
  const result = JSON.parse(stdout) as {
    error?: string;
    intervals?: { sum: { bytes: number } }[];
  };
  const name = `iperf3 ${direction}`;
  if (result.error !== undefined) return [`${name}: ${result.error}`];
  const bytes = result.intervals?.map((it) => it.sum.bytes) ?? [];
  const silent = bytes.some((count, i) => i > 0 && count === 0 && bytes[i - 1] === 0);
  return silent || bytes.length < seconds
    ? [`${name}: bytes by second ${bytes.map((count) => Math.round(count)).join(' ')}`]
    : [];
}

/** A shell session that says a number ten times a second; what is wrong with what it said. */
export async function session({ pair, shell }: BusyPair, seconds: number): Promise<string[]> {
  const count = seconds * 10;
  const script = `for i in $(seq ${count}); do echo $i; sleep 0.1; done`;
  const { status, stdout, stderr } = await pair.namespaces.run(
    'client',
    [...shell, server, script],
    { limitSeconds: seconds + 30 },
  );
  const expected = Array.from({ length: count }, (_, i) => `${i + 1}\n`).join('');
  if (status !== 0) return [`ssh: exit ${status}: ${stderr.trim()}`];
  return stdout === expected ? [] : [`ssh: lines are missing after "${stdout.slice(-20).trim()}"`];
}

/** Long connections, opened one after the other; ended by `endTalks`. */
export function startTalks(
  pair: Pair,
  plan: Omit<TalkPlan, 'address' | 'port'>,
): BackgroundProcess {
  const whole: TalkPlan = { ...plan, address: server, port: talkPort };
  return pair.namespaces.start('client', [
    ...commandOf('lab/hosts'),
    'talk',
    JSON.stringify(whole),
  ]);
}

export async function endTalks(talks: BackgroundProcess): Promise<TalkReport> {
  await talks.stop('SIGTERM', 15);
  const line = talks.stdout.split('\n').find((it) => it.includes('"report"'));
  if (line === undefined) throw new Error(`no report of the talks: ${talks.stderr}`);
  return JSON.parse(line) as TalkReport;
}

/**
 * What is wrong with long connections: broken, an echo missing, silent for longer than the bound, an
 * external port that two of them have.
 */
export function faultsOf({ connections }: TalkReport, boundMilliseconds: number): string[] {
  const faults: string[] = [];
  const owners = new Map<number, number | undefined>();
  for (const it of connections) {
    const name = `connection from port ${it.localPort}`;
    if (it.broken !== undefined) faults.push(`${name}: ${it.broken}`);
    if (it.externalPort === undefined) faults.push(`${name}: never came up`);
    if (it.sent !== it.echoed) faults.push(`${name}: ${it.sent} sent, ${it.echoed} back`);
    if (it.longestMilliseconds > boundMilliseconds)
      faults.push(`${name}: silent for ${it.longestMilliseconds} ms`);
    const { externalPort } = it;
    if (externalPort === undefined) continue;
    if (owners.has(externalPort))
      faults.push(`${name}: external port ${externalPort} is that of ${owners.get(externalPort)}`);
    owners.set(externalPort, it.localPort);
  }
  return faults;
}
