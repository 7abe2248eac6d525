import { dropRows, samplePackets, trait, where } from 'rxnf';
import { describe, expect, it } from 'vitest';
import { bench, send, udp } from './bench.ts';

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => udp(from + i));

describe('samplePackets', () => {
  it.each([1, 2, 3, 7, 100])('shows the first and then one in %i, across batches', (every) => {
    const seen: number[] = [];
    using harness = bench(
      () => (packets) =>
        packets.pipe(samplePackets(every, (packet) => seen.push(packet.source & 0xffff))),
      { burst: 16 },
    );
    for (const [from, to] of [
      [0, 5],
      [5, 60],
      [60, 250],
    ] as const) {
      expect(send(harness, ...numbers(from, to))).toHaveLength(to - from);
    }
    expect(seen).toEqual(Array.from({ length: 250 }, (_, i) => i).filter((i) => i % every === 0));
    harness.finish();
  });

  it('passes over what has its verdict', () => {
    let shown = 0;
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          dropRows([{ where: where({ all: [trait.udp] }), reason: 'udp' }]),
          samplePackets(1, () => shown++),
        ),
    );
    send(harness, udp(1), '10.0.0.1:1 > 10.0.0.2:2 tcp S');
    expect(shown).toBe(1);
  });

  it('costs no packet when it throws', () => {
    using harness = bench(
      () => (packets) => packets.pipe(samplePackets(1, (packet) => packet.u32(packet.length))),
    );
    expect(send(harness, udp(1))).toEqual([udp(1)]);
    expect(harness.events).toMatchObject([{ event: 'callback-error', holder: 'samplePackets' }]);
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses one in %d', (every) => {
    expect(() => samplePackets(every, () => undefined)).toThrow(RangeError);
  });
});
