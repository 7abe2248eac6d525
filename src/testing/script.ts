/**
 * Packet scripts: what a network function does to packets, drawn as RxJS draws marbles.
 *
 * ```
 * port inside 10.0.0.0/24
 * store latency=3
 * in  --a          a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp "x"
 * out --------a    a: outside 203.0.113.1:$p > 198.51.100.7:53 udp "x"
 * then
 * in  a            a: outside 198.51.100.7:53 > 203.0.113.1:$p udp "y"
 * out ------a      a: inside 198.51.100.7:53 > 10.0.0.5:4242 ttl=63 udp "y"
 * drops none
 * ```
 *
 * - Every `in` and `out` of a phase starts at the phase's beginning; `then`, or `then 5m` after a
 *   pause, begins the next phase where the longest diagram of this one ends.
 * - In a diagram `-` is a frame in which nothing happens (1 ms, or as `frame 10ms` says), a letter a
 *   packet, `(ab)` several in one frame, ` 300s ` between spaces a skip of time; `|` is nothing.
 * - A letter is defined once a phase, behind its diagram or on a line of its own below it, as
 *   `letter: port packet`; `in` and `out` have letters of their own, and later phases know the earlier
 *   ones'. Packets are written as src/wire/text.ts says.
 * - What `out` shows is all that may come, in order for each port, each in its frame. Only the fields
 *   that are written are compared; checksums must be right unless the text says otherwise.
 * - `$name` for a port, an address, or any `field=$name` of 16 bits binds what is found first, and
 *   stands for it from then on, also in `in`. `$_` stands for anything.
 * - `from=` and `to=` follow from the IP source and the port unless written; `@NAME` is the MAC
 *   address of a port, `@10.0.0.5` that of a host.
 * - `port NAME [mac=] [mtu=] [vlan=] [NETWORK...]`, `absent ADDRESS...` (no host answers there), `arp off`
 *   (ARP is neither answered nor hidden), `store latency=MS conflicts=RATE seed=N`.
 * - `drops REASON=COUNT...` or `drops none`: all the drops that there are at the end.
 */
import { AssertionError } from 'node:assert';
import type { NetworkFunction } from '../nfs/network-function.ts';
import { delayedStore } from '../state/delayed-store.ts';
import { memoryStore } from '../state/memory-store.ts';
import type { LaneStatistics } from '../streams/lane.ts';
import { formatText } from '../wire/text.ts';
import { Harness, type HarnessOptions, type Output } from './harness.ts';
import { type Bindings, composeLine } from './script-fill.ts';
import { matchLine } from './script-match.ts';
import {
  type PacketLine,
  parseScript,
  type Script,
  ScriptError,
  type ScriptEvent,
} from './script-parse.ts';
import { isGood, type Row, report } from './script-report.ts';

export { ScriptError } from './script-parse.ts';

export type ScriptOptions = Partial<Omit<HarnessOptions, 'clock'>>;

export interface ScriptResult {
  /** What `$name` was bound to. */
  readonly bindings: Readonly<Record<string, number | string>>;
  readonly statistics: LaneStatistics;
  /** Every frame that came out, as it was matched. */
  readonly outputs: readonly Output[];
}

/**
 * Runs a packet script, and asserts at its end that no packet and no buffer was lost.
 *
 * ```ts
 * it('drops what it does not know', () => {
 *   runScript(nat(options), `
 *     in  a    a: outside 198.51.100.7:53 > 203.0.113.1:4242 udp
 *     drops no-binding=1
 *   `);
 * });
 * ```
 *
 * @throws {AssertionError} with expected and got, frame by frame
 * @throws {ScriptError} for a mistake in the script
 */
export function runScript(
  nf: NetworkFunction,
  text: string,
  options: ScriptOptions = {},
): ScriptResult {
  const script = parseScript(text);
  const seed = script.store?.seed ?? options.seed ?? 1;
  const harness = new Harness(nf, {
    ...options,
    ports: options.ports ?? portsOf(script),
    answerArp: script.answerArp,
    absent: [...(options.absent ?? []), ...script.absent],
    seed,
    ...(script.store && {
      store: delayedStore(memoryStore({ seed }), script.store),
    }),
  });
  try {
    return new Run(script, harness).run();
  } finally {
    harness.close();
  }
}

/** Those declared, else those that packets name, in the order of their appearance. */
function portsOf(script: Script) {
  if (script.ports.length > 0) return script.ports;
  return [...new Set([...script.sent, ...script.expected].map(({ packet }) => packet.port))];
}

class Run {
  private readonly script: Script;
  private readonly harness: Harness;
  private readonly bindings: Bindings = new Map();
  private readonly rows: Row[] = [];
  private readonly outputs: Output[] = [];

  constructor(script: Script, harness: Harness) {
    this.script = script;
    this.harness = harness;
  }

  run(): ScriptResult {
    const { sent, expected, milliseconds } = this.script;
    const moments = new Set([...sent, ...expected].map((event) => event.milliseconds));
    for (const moment of [...moments].sort((a, b) => a - b)) this.moment(moment);
    this.advanceTo(milliseconds);
    this.settle(milliseconds);
    const failure = this.failure();
    if (failure !== undefined)
      throw new AssertionError({ message: failure, stackStartFn: runScript });
    return {
      bindings: Object.fromEntries(this.bindings),
      statistics: this.harness.statistics(),
      outputs: this.outputs,
    };
  }

  private get now(): number {
    return Math.round(this.harness.nowNanoseconds / 1e3) / 1e3;
  }

  private advanceTo(milliseconds: number): void {
    if (milliseconds > this.now) this.harness.advance(milliseconds - this.now);
  }

  /** Sends what is due, and compares what came before and what comes now. */
  private moment(milliseconds: number): void {
    this.advanceTo(milliseconds);
    const at = (event: ScriptEvent) => event.milliseconds === milliseconds;
    for (const { packet } of this.script.sent.filter(at)) this.send(packet, milliseconds);
    this.harness.run();
    this.compare(
      milliseconds,
      this.script.expected.filter(at).map((event) => event.packet),
    );
  }

  private send(packet: PacketLine, milliseconds: number): void {
    const row = { milliseconds, port: packet.port, sent: packet };
    try {
      this.harness.send(
        packet.port,
        composeLine(packet.text, packet.port, this.bindings, this.harness),
      );
      this.rows.push(row);
    } catch (error) {
      if (!(error instanceof RangeError)) throw located(error, packet);
      this.rows.push({ ...row, problem: `not sent: ${error.message}` });
    }
  }

  private compare(milliseconds: number, expected: readonly PacketLine[]): void {
    const came = this.harness.outputs();
    this.outputs.push(...came);
    const isNow = (output: Output) =>
      Math.round(output.nanoseconds / 1e3) === Math.round(milliseconds * 1e3);
    for (const output of came.filter((candidate) => !isNow(candidate))) this.unexpected(output);
    for (const port of this.harness.portNames) {
      const got = came.filter((output) => isNow(output) && output.port === port);
      const wanted = expected.filter((packet) => packet.port === port);
      for (let i = 0; i < Math.max(got.length, wanted.length); i++)
        this.pair(milliseconds, wanted[i], got[i]);
    }
    for (const packet of expected) {
      if (!this.harness.portNames.includes(packet.port))
        throw new ScriptError(packet.line, `no port is named ${packet.port}`);
    }
  }

  private pair(
    milliseconds: number,
    wanted: PacketLine | undefined,
    got: Output | undefined,
  ): void {
    if (!wanted) {
      this.unexpected(got as Output);
      return;
    }
    const row = { milliseconds, port: wanted.port, expected: wanted };
    if (!got) {
      this.rows.push({ ...row, problem: 'nothing came' });
      return;
    }
    try {
      const differences = matchLine(wanted.text, got.frame, this.bindings, this.harness);
      this.rows.push({ ...row, got: formatText(got.frame), differences });
    } catch (error) {
      throw located(error, wanted);
    }
  }

  private unexpected({ nanoseconds, port, frame }: Output): void {
    this.rows.push({
      milliseconds: nanoseconds / 1e6,
      port,
      got: formatText(frame),
      problem: 'not expected',
    });
  }

  private problems: string[] = [];

  /** The end: late packets, drops, conservation. */
  private settle(milliseconds: number): void {
    this.compare(milliseconds, []);
    try {
      this.harness.finish();
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error;
      this.problems.push(error.message);
    }
    this.compare(-1, []);
    const { drops } = this.script;
    if (!drops) return;
    const { dropped } = this.harness.statistics();
    for (const reason of new Set([...drops.keys(), ...Object.keys(dropped)])) {
      const wanted = drops.get(reason) ?? 0;
      const got = hiddenDrops.has(reason) && !drops.has(reason) ? 0 : (dropped[reason] ?? 0);
      if (got !== wanted) this.problems.push(`drops ${reason}=${got}, expected ${wanted}`);
    }
  }

  private failure(): string | undefined {
    if (this.rows.every(isGood) && this.problems.length === 0) return undefined;
    const { dropped } = this.harness.statistics();
    return report(this.rows, this.problems, dropped, this.bindings, this.harness.events);
  }
}

/** ARP replies to the network function end in it; the hosts that the harness acts send them. */
const hiddenDrops: ReadonlySet<string> = new Set(['arp']);

/** A mistake in a packet's text, with its line. */
function located(error: unknown, packet: PacketLine): unknown {
  if (!(error instanceof Error) || error instanceof AssertionError) return error;
  return new ScriptError(packet.line, `${packet.text}: ${error.message}`);
}
