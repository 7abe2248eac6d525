import { afterEach, describe, expect, it } from 'vitest';
import { type FlowSplitterOptions, flowSplitter } from '../../src/testing/flow-splitter.ts';
import { Harness } from '../../src/testing/harness.ts';
import { parseText } from '../../src/wire/text.ts';

const instances = [0, 1].map((i) => ({ inside: `inside-${i}`, outside: `outside-${i}` }));
const ports = ['client', 'server', ...instances.flatMap((it) => [it.inside, it.outside])];

let harness: Harness | undefined;
afterEach(() => {
  harness?.finish();
  harness?.close();
});

function open(options: Partial<FlowSplitterOptions> = {}): Harness {
  const nf = flowSplitter({ client: 'client', server: 'server', instances, ...options });
  harness = new Harness(nf, { ports, answerArp: false });
  return harness;
}

const flow = (i: number) => parseText(`10.99.0.2:${2000 + i} > 198.18.0.10:80 udp "x"`);
const answer = (i: number) => parseText(`198.18.0.10:80 > 198.18.0.1:${2000 + i} udp "x"`);

/** By flow: the instance that it is sent through. */
function pathsOf(bench: Harness, frame: typeof flow, flows: number): number[] {
  const [port, side] = frame === flow ? ['client', 'inside'] : ['server', 'outside'];
  return Array.from({ length: flows }, (_, i) => {
    bench.send(port, frame(i));
    bench.run();
    const sent = bench.outputs().map((output) => output.port);
    expect(sent).toHaveLength(1);
    return Number(sent[0]?.replace(`${side}-`, ''));
  });
}

describe('the flow splitter', () => {
  it('keeps a flow on its path until paths are drawn anew', () => {
    const bench = open();
    const before = pathsOf(bench, flow, 200);
    expect(pathsOf(bench, flow, 200)).toEqual(before);
    const through = before.filter((path) => path === 0).length;
    expect(through, 'of 200 flows').toBeGreaterThan(60);
    expect(through, 'of 200 flows').toBeLessThan(140);
  });

  it('moves flows between the instances, each direction by itself', () => {
    const bench = open();
    const before = [pathsOf(bench, flow, 200), pathsOf(bench, answer, 200)] as const;
    bench.advance(2000);
    const after = [pathsOf(bench, flow, 200), pathsOf(bench, answer, 200)] as const;
    for (const direction of [0, 1] as const) {
      const moved = before[direction].filter((path, i) => path !== after[direction][i]).length;
      expect(moved, 'of 200 flows').toBeGreaterThan(60);
    }
    const asymmetric = after[0].filter((path, i) => path !== after[1][i]).length;
    expect(asymmetric, 'of 200 flows').toBeGreaterThan(60);
  });

  it('brings what instances send to the hosts', () => {
    const bench = open();
    bench.send('outside-1', flow(0));
    bench.send('inside-0', answer(0));
    bench.run();
    expect(bench.outputs().map(({ port }) => port)).toEqual(
      expect.arrayContaining(['server', 'client']),
    );
  });

  it('shows ARP to every instance', () => {
    const bench = open();
    bench.send('client', parseText('arp who-has 10.99.0.1 tell 10.99.0.2'));
    bench.run();
    expect(bench.outputs().map(({ port }) => port)).toEqual(['inside-0', 'inside-1']);
  });

  it('sends all flows past an instance when one of its links goes down, and back', () => {
    const bench = open();
    bench.port('outside-0').set({ linkUp: false });
    bench.advance(10);
    expect(new Set(pathsOf(bench, flow, 100))).toEqual(new Set([1]));
    expect(new Set(pathsOf(bench, answer, 100))).toEqual(new Set([1]));
    bench.port('outside-0').set({ linkUp: true });
    bench.advance(10);
    expect(new Set(pathsOf(bench, flow, 100))).toEqual(new Set([0, 1]));
  });

  it('drops what no instance can take, and counts it', () => {
    const bench = open();
    for (const { inside } of instances) bench.port(inside).set({ linkUp: false });
    bench.advance(10);
    bench.send('client', flow(0));
    bench.run();
    expect(bench.outputs()).toEqual([]);
    expect(bench.statistics().dropped['no-instance']).toBe(1);
  });

  it('crosses paths where asked to: out through one, back through the other', () => {
    const bench = open({ paths: 'crossed' });
    expect(new Set(pathsOf(bench, flow, 50))).toEqual(new Set([0]));
    expect(new Set(pathsOf(bench, answer, 50))).toEqual(new Set([1]));
  });
});
