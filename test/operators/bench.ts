/** A pipeline on a bench: two ports that take any frame, everything pending sent out of `out`. */
import {
  batchOperator,
  forwardTo,
  type Lane,
  networkFunction,
  type PacketBatch,
  type Pipeline,
  parse,
  type Table,
} from 'rxnf';
import { Harness, type HarnessOptions } from 'rxnf/testing';
import { formatText, parseText } from '../../src/wire/text.ts';

export interface BenchOptions extends Partial<HarnessOptions> {
  // biome-ignore lint/suspicious/noExplicitAny: tables of any record
  readonly tables?: readonly Table<string, any>[];
}

export const anyStation = { ports: { in: { acceptAny: true }, out: { acceptAny: true } } };

/** `parse`, then what a test makes, then `forwardTo('out')`. */
export function bench(build: (lane: Lane) => Pipeline, options: BenchOptions = {}): Harness {
  const { tables = [], ...rest } = options;
  const nf = networkFunction('bench', tables, (lane) => {
    const made = build(lane);
    return (packets) => made(packets.pipe(parse(anyStation))).pipe(forwardTo('out'));
  });
  return new Harness(nf, { ports: ['in', 'out'], answerArp: false, ...rest });
}

/** Packets by their text, all pushed before the first breath: they share batches as far as they go. */
export function send(harness: Harness, ...packets: readonly string[]): string[] {
  for (const packet of packets) harness.send('in', parseText(packet));
  harness.run();
  return sent(harness);
}

/** What has been sent out of any port, as text, in order. */
export function sent(harness: Harness): string[] {
  return harness.outputs().map(({ frame }) => formatText(frame));
}

/** As `sent` gives it back: the same packet with everything that a short line leaves out. */
export function full(text: string): string {
  return formatText(parseText(text));
}

/** The nth of as many different UDP packets as one likes. */
export function udp(n: number, rest = ''): string {
  const host = `10.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
  return full(`${host}:1000 > 198.51.100.7:53 udp ${rest}`);
}

/** An operator that keeps each batch until a number of polls have passed, as a slow store does. */
export function slow(polls: number): Pipeline {
  return batchOperator('slow', (lane, emit) => {
    const waiting: { batch: PacketBatch; lease: number; left: number }[] = [];
    lane.polled({
      poll() {
        for (const entry of waiting) entry.left--;
        while (waiting[0] && waiting[0].left <= 0) {
          const { batch, lease } = waiting.shift() as (typeof waiting)[number];
          if (batch.leased && batch.lease === lease) emit(batch);
        }
      },
    });
    return {
      process: (batch) => void waiting.push({ batch, lease: batch.lease, left: polls }),
      dispose: () => void waiting.splice(0),
    };
  });
}
