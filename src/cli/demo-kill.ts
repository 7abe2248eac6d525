/**
 * The last act of the demonstration: two instances on one shared-memory store, one killed in mid-traffic.
 * Over live TCP connections where network namespaces can be had, as root or not; else over the replay,
 * where what died with it is told flow by flow.
 */
import { execFileSync } from 'node:child_process';
import { BackgroundProcess } from '../lab/background.ts';
import type { TalkReport } from '../lab/hosts.ts';
import { type LiveEvent, liveCommand, sandboxed } from '../lab/live.ts';
import type { NetworkFunction } from '../nfs/network-function.ts';
import type { Store } from '../state/store.ts';
import { type FlowReport, type ReplayResult, replayClients } from '../testing/replay.ts';
import type { Capture } from '../wire/capture.ts';
import type { Console } from './console.ts';
import { formatCount } from './live-table.ts';

const plan = { connections: 50, calmMilliseconds: 1200, deadMilliseconds: 1500 };
const liveSeconds = 60;
const shownFlows = 8;

export class DemoKill {
  private readonly console: Console;

  constructor(console: Console) {
    this.console = console;
  }

  /** @returns false where a connection broke, or a packet was lost that had not died with its instance */
  async run(nf: NetworkFunction, store: () => Store, capture: Capture, hasDpdk: boolean) {
    let lacking = hasDpdk ? lackingForLive() : 'DPDK is not here';
    if (lacking === undefined) {
      const shown = await this.live();
      if (typeof shown === 'boolean') return shown;
      lacking = shown.lacking;
    }
    this.console.print(
      `\nTwo instances, one killed, over the replay (live connections: ${lacking}).\n`,
    );
    const killAtFrame = Math.floor(capture.count / 2);
    const result = replayClients(nf, capture, { store: store(), debug: false, killAtFrame });
    this.console.print(replayReport(result));
    return result.missing <= result.lost && result.malformed.length === 0;
  }

  /** Shows the connections five times a second on a terminal, and at every scene elsewhere. */
  private async live(): Promise<boolean | { readonly lacking: string }> {
    const { console } = this;
    console.print(
      `\nTwo instances, two processes, on one store in shared memory, and ${plan.connections} TCP connections\nthat are moved between them at random. Now each is killed (SIGKILL), and started again:\n`,
    );
    const program = new BackgroundProcess(liveCommand(plan, isRoot()));
    let told = 0;
    let end: (LiveEvent & { event: 'end' }) | undefined;
    const hear = () => {
      const lines = program.stdout.split('\n').slice(0, -1);
      for (const line of lines.slice(told)) {
        const event = JSON.parse(line) as LiveEvent;
        if (event.event === 'scene') console.print(`  ${sceneText(event.alive)}`);
        else if (event.event === 'progress') console.draw(`  ${progressText(event)}`, console.out);
        else end = event;
      }
      told = lines.length;
      return end !== undefined || !program.running;
    };
    await program.until('the end of the show', liveSeconds, hear).catch(() => undefined);
    console.settle();
    await program.stop();
    if (end === undefined) return { lacking: program.stderr.trim().split('\n').at(-1) ?? '' };
    console.print(`\n${talkReport(end.report, end.kills)}`);
    return end.report.connections.every(({ broken }) => broken === undefined);
  }
}

const isRoot = () => process.getuid?.() === 0;

/** What keeps live connections from being shown. */
function lackingForLive(): string | undefined {
  try {
    execFileSync('ip', ['-V'], { stdio: 'ignore' });
  } catch {
    return 'iproute2 is not here';
  }
  const [file = '', ...parameters] = sandboxed(['ip', 'link', 'set', 'lo', 'up'], isRoot());
  try {
    execFileSync(file, parameters, { stdio: 'ignore', timeout: 5000 });
    return undefined;
  } catch {
    return 'no network namespaces for this user';
  }
}

function sceneText([first, second]: readonly [boolean, boolean]): string {
  if (first && second) return 'both instances are up';
  return `instance ${first ? 1 : 0} is dead; the other has all the traffic`;
}

function progressText(event: Extract<LiveEvent, { event: 'progress' }>): string {
  const { open, broken, echoed, waiting } = event;
  const again = waiting > 0 ? `, ${waiting} sending again` : '';
  return `${open} connections up, ${broken} broken, ${formatCount(echoed)} echoes${again}`;
}

function talkReport({ connections }: TalkReport, kills: number): string {
  const broken = connections.filter((it) => it.broken !== undefined);
  const echoes = connections.reduce((sum, it) => sum + it.echoed, 0);
  const sent = connections.reduce((sum, it) => sum + it.sent, 0);
  const longest = Math.max(...connections.map((it) => it.longestMilliseconds));
  const ports = new Set(connections.map((it) => it.externalPort)).size;
  const outcome =
    broken.length === 0
      ? 'none broke'
      : `${broken.length} broke: ${[...new Set(broken.map((it) => it.broken))].join(', ')}`;
  return [
    `${kills} kills, ${connections.length} connections: ${outcome}.`,
    `${formatCount(echoes)} of ${formatCount(sent)} messages came back; the longest took ${Math.round(longest)} ms, with TCP's own retransmission.`,
    `${ports} external ports for ${connections.length} connections.`,
  ].join('\n');
}

const protocols: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp' };

/** What the dead instance took with it, and nothing else. */
export function replayReport({
  flowReports,
  lost,
  missing,
  changedTranslations,
}: ReplayResult): string {
  const hurt = flowReports.filter((flow) => missingOf(flow) > 0);
  const lines = hurt.slice(0, shownFlows).map((flow) => {
    const { protocol, client, server, outward, inward } = flow;
    return `  ${protocols[protocol] ?? protocol} ${client} - ${server}: ${outward.missing} out, ${inward.missing} back`;
  });
  if (hurt.length > shownFlows) lines.push(`  and ${hurt.length - shownFlows} more`);
  return [
    `${flowReports.length} flows; ${lost} packets died with the instance that they were in, ${missing} of them missed by ${hurt.length} flows, as on any bad link:`,
    ...lines,
    changedTranslations === 0
      ? 'Every flow went on under the translation that it had.'
      : `${changedTranslations} packets left under another translation than before.`,
  ].join('\n');
}

const missingOf = ({ outward, inward }: FlowReport) => outward.missing + inward.missing;
