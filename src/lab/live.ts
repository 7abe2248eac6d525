/**
 * The program that shows two instances and the death of either, over live TCP connections: a pair on
 * shared memory, hosts that talk, SIGKILL in the middle of it. It is to be run where network namespaces
 * may be made, on a /run of its own (see `liveCommand`). Standard output carries JSON lines: `scene`
 * whenever an instance comes or goes, `progress` of the connections, at last `end`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BackgroundProcess } from './background.ts';
import type { TalkPlan, TalkProgress, TalkReport } from './hosts.ts';
import { commandOf } from './instance-process.ts';
import { addresses, Pair, type Which } from './pair.ts';

export type LiveEvent =
  | LiveScene
  | TalkProgress
  | { readonly event: 'end'; readonly kills: number; readonly report: TalkReport };

/** Who lives, from now on. */
export interface LiveScene {
  readonly event: 'scene';
  readonly alive: readonly [boolean, boolean];
}

export interface LivePlan {
  readonly connections: number;
  /** From when all connections talk to the first kill, from a kill to the new start, and between. */
  readonly calmMilliseconds: number;
  readonly deadMilliseconds: number;
}

const talkPort = 7000;
const talkSeconds = 10;

/** What runs a command where namespaces may be made, seen by nobody else and gone with it. */
export function sandboxed(command: readonly string[], isRoot: boolean): string[] {
  return [
    ...['unshare', ...(isRoot ? [] : ['--map-root-user']), '--net', '--mount', '--pid', '--fork'],
    ...['--kill-child', '--mount-proc', 'sh', '-c', 'mount -t tmpfs tmpfs /run && exec "$0" "$@"'],
    ...command,
  ];
}

/** The words that run this program. */
export function liveCommand(plan: LivePlan, isRoot: boolean): string[] {
  return sandboxed([...commandOf('lab/live'), JSON.stringify(plan)], isRoot);
}

if (import.meta.main) await main(JSON.parse(process.argv[2] ?? '{}') as LivePlan);

async function main(plan: LivePlan): Promise<void> {
  const pair = await Pair.open({});
  try {
    const { connections, calmMilliseconds, deadMilliseconds } = plan;
    tell({ event: 'scene', alive: [true, true] });
    const talks = await startTalks(pair, connections);
    let kills = 0;
    for (const which of [0, 1] as const) {
      await sleep(calmMilliseconds);
      await pair.kill(which);
      kills++;
      tell({ event: 'scene', alive: alive(which) });
      await sleep(deadMilliseconds);
      await pair.start(which);
      tell({ event: 'scene', alive: [true, true] });
    }
    await sleep(calmMilliseconds);
    await talks.stop('SIGTERM', 15);
    const line = talks.stdout.split('\n').find((it) => it.includes('"report"'));
    if (line === undefined) throw new Error(`the hosts gave no report: ${talks.stderr}`);
    tell({ event: 'end', kills, report: JSON.parse(line) as TalkReport });
  } finally {
    await pair.close();
  }
}

/** Starts both hosts; returns once every connection is up. */
async function startTalks(pair: Pair, connections: number): Promise<BackgroundProcess> {
  const hosts = commandOf('lab/hosts');
  const server = pair.namespaces.start('server', [...hosts, 'serve', String(talkPort)]);
  await server.until('the server', talkSeconds, () => server.stdout.includes('"ready"'));
  const plan: TalkPlan = {
    address: addresses.server,
    port: talkPort,
    connections,
    messageMilliseconds: 20,
  };
  const talks = pair.namespaces.start('client', [...hosts, 'talk', JSON.stringify(plan)]);
  const told = { lines: 0 };
  const telling = setInterval(() => passOn(talks, told), 100);
  void talks.ended.finally(() => clearInterval(telling));
  await talks.until(`${connections} connections`, talkSeconds, () =>
    talks.stdout.includes(`"open":${connections},`),
  );
  return talks;
}

/** Says again what the client says of its progress. */
function passOn(talks: BackgroundProcess, told: { lines: number }): void {
  const lines = talks.stdout.split('\n').slice(0, -1);
  for (const line of lines.slice(told.lines))
    if (line.includes('"progress"')) process.stdout.write(`${line}\n`);
  told.lines = lines.length;
}

function alive(dead: Which): [boolean, boolean] {
  return [dead !== 0, dead !== 1];
}

function tell(event: LiveEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
