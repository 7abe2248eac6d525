import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Instance, type InstanceEvent } from '../../src/instance/instance.ts';
import type { FunctionReference, PortPlan } from '../../src/instance/plan.ts';
import { packetAt, readCapture, writeCapture } from '../../src/wire/capture.ts';
import { parseText } from '../../src/wire/text.ts';
import { reference } from './functions.ts';

const directory = mkdtempSync(join(tmpdir(), 'rxnf-instance-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** 1000 packets of 50 flows, told apart by their ports. */
const frames = Array.from({ length: 1000 }, (_, i) =>
  parseText(`10.0.0.${1 + (i % 50)}:${1000 + i} > 198.18.0.${1 + (i % 7)}:53 udp "x"`),
);
/** To whom the text form addresses frames. */
const addressed = Uint8Array.of(2, 0, 0, 0, 0, 2);
const input = join(directory, 'in.pcap');
writeFileSync(input, writeCapture(frames));

function startOn(fn: FunctionReference, lanes: number, inside: Partial<PortPlan> = {}) {
  const events: InstanceEvent[] = [];
  const output = join(directory, `out-${fn.factory}-${lanes}.pcap`);
  const ports: PortPlan[] = [
    { kind: 'capture', name: 'inside', mac: addressed, input, ...inside } as PortPlan,
    { kind: 'capture', name: 'outside', output },
  ];
  const started = Instance.start({
    function: fn,
    ports,
    pool: { kind: 'memory', buffers: 8192, room: 2176 },
    lanes,
    burst: 32,
    busyPoll: false,
    store: { kind: 'memory', name: `test-${fn.factory}-${lanes}`, seed: 1 },
    onEvent: (event) => events.push(event),
  });
  return { started, events, output };
}

function sourcesIn(file: string): string[] {
  const capture = readCapture(readFileSync(file));
  return Array.from({ length: capture.count }, (_, i) =>
    Buffer.from(packetAt(capture, i).subarray(26, 38)).toString('hex'),
  );
}

describe('an instance', () => {
  it('forwards every packet of a capture in order, and ends when it has', async () => {
    const { started, output, events } = startOn(reference('crossOver'), 1);
    const { summary, failedLanes } = await (await started).ended;
    expect(failedLanes).toEqual([]);
    expect(events).toEqual([]);
    expect(summary).toMatchObject({ received: 1000, forwarded: 1000, held: 0, conserved: true });
    expect(summary.droppedByReason).toEqual({});
    expect(summary.ports['inside']).toMatchObject({ receivedPackets: 1000, exhausted: true });
    expect(summary.ports['outside']?.transmittedPackets).toBe(1000);
    expect(summary.latencyMicroseconds?.p50).toBeGreaterThan(0);
    const expected = frames.map((frame) => Buffer.from(frame.subarray(26, 38)).toString('hex'));
    expect(sourcesIn(output)).toEqual(expected);
  });

  it('shares a capture between two lanes, whole conversations each', async () => {
    const { started, output } = startOn(reference('crossOver'), 2);
    const { summary } = await (await started).ended;
    expect(summary).toMatchObject({ received: 1000, forwarded: 1000, conserved: true });
    const [first, second] = [sourcesIn(output), sourcesIn(output.replace('.pcap', '.1.pcap'))];
    expect(first.length + second.length).toBe(1000);
    expect(Math.min(first.length, second.length)).toBeGreaterThan(100);
    const addresses = (packets: string[]) => new Set(packets.map((it) => it.slice(0, 16)));
    const both = [...addresses(first)].filter((pair) => addresses(second).has(pair));
    expect(both, 'pairs of addresses on both lanes').toEqual([]);
  });

  it('stops when it is told to, accounting for every packet', async () => {
    const { started } = startOn(reference('crossOver'), 2, { loop: true } as Partial<PortPlan>);
    const instance = await started;
    await expect.poll(() => instance.summary.received, { timeout: 5000 }).toBeGreaterThan(10_000);
    instance.stop();
    const { summary, failedLanes } = await instance.ended;
    expect(failedLanes).toEqual([]);
    expect(summary.forwarded).toBe(summary.received);
    expect(summary.conserved).toBe(true);
  });

  it('paces a capture by rate', async () => {
    const pacing = { kind: 'rate', packetsPerSecond: 2000 };
    const { started } = startOn(reference('crossOver'), 2, { pacing } as Partial<PortPlan>);
    const instance = await started;
    const began = performance.now();
    const { summary } = await instance.ended;
    const seconds = (performance.now() - began) / 1000;
    expect(summary.received).toBe(1000);
    expect(seconds, '1000 packets at 2000 a second').toBeGreaterThan(0.45);
  });

  it('goes on with the lanes that are left when one fails, and says so', async () => {
    // Only the lane that gets packets breaks: one conversation belongs to one lane.
    const one = join(directory, 'one.pcap');
    writeFileSync(one, writeCapture(frames.filter((_, i) => i % 350 === 0)));
    const { started, events } = startOn(reference('breaksAfter', { batches: 3 }), 2, {
      input: one,
      loop: true,
    } as Partial<PortPlan>);
    const instance = await started;
    await expect.poll(() => events, { timeout: 5000 }).toHaveLength(1);
    expect(events[0]).toMatchObject({ event: 'lane-failed', lanesLeft: 1 });
    expect(String((events[0] as { reason?: string }).reason)).toContain('torn in the middle');
    instance.stop();
    const { failedLanes } = await instance.ended;
    expect(failedLanes).toHaveLength(1);
  });

  it('ends when its last lane fails', async () => {
    const { started, events } = startOn(reference('breaksAfter', { batches: 3 }), 1);
    const { failedLanes } = await (await started).ended;
    expect(failedLanes).toEqual([0]);
    expect(events).toMatchObject([{ event: 'lane-failed', lane: 0, lanesLeft: 0 }]);
  });

  it.each([
    ['a function that refuses its options', reference('unbuildable'), 'refuses its options'],
    ['a function that is not there', reference('missing'), 'exports no function missing'],
  ])('does not start with %s, and says why', async (_title, fn, why) => {
    await expect(startOn(fn, 2).started).rejects.toThrow(why);
  });

  it('does not start with a capture that is not there', async () => {
    const { started } = startOn(reference('crossOver'), 1, { input: '/no/such.pcap' });
    await expect(started).rejects.toThrow(/lane 0 did not start: .*\/no\/such\.pcap/);
  });
});
