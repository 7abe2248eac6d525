import { type BatchSummary, dropRows, forwardTo, observe, trait, where } from 'rxnf';
import { describe, expect, it } from 'vitest';
import { bench, send, udp } from './bench.ts';

describe('observe', () => {
  it('shows each batch as numbers', () => {
    const seen: object[] = [];
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          dropRows([{ where: where({ all: [trait.tcp] }), reason: 'tcp' }]),
          forwardTo('in', where({ all: [trait.icmpQuery] })),
          observe((batch) => {
            const { packets, bytes, pending, forwarded, dropped, held, nowMilliseconds } = batch;
            const datagrams = batch.matching(where({ all: [trait.udp] }));
            seen.push({
              packets,
              bytes,
              pending,
              forwarded,
              dropped,
              held,
              nowMilliseconds,
              datagrams,
            });
          }),
        ),
    );
    harness.advance(7);
    send(
      harness,
      udp(1),
      udp(2, '"xyz"'),
      '10.0.0.1:1 > 10.0.0.2:2 tcp S',
      '10.0.0.1 > 10.0.0.2 icmp echo',
    );
    expect(seen).toEqual([
      {
        packets: 4,
        bytes: 42 + 45 + 54 + 42,
        pending: 2,
        forwarded: 1,
        dropped: 1,
        held: 0,
        nowMilliseconds: 7,
        datagrams: 2,
      },
    ]);
  });

  it('cannot be used after the callback', () => {
    let kept: BatchSummary | undefined;
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          observe((batch) => {
            kept = batch;
          }),
        ),
    );
    send(harness, udp(1));
    expect(() => kept?.packets).toThrow(expect.objectContaining({ code: 'ERR_STALE_BATCH' }));
  });

  it('costs no packet when it throws, and says so', () => {
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          observe(() => {
            throw new Error('full disk');
          }),
        ),
    );
    expect(send(harness, udp(1))).toEqual([udp(1)]);
    expect(harness.events).toEqual([
      { event: 'callback-error', holder: 'observe', message: 'Error: full disk' },
    ]);
  });
});
