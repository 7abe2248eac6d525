import {
  dropWhen,
  type Looked,
  lookupState,
  memoryStore,
  type Packet,
  record,
  type Store,
  table,
  trait,
  transform,
  u32,
  where,
  writeState,
} from 'rxnf';
import { describe, expect, it } from 'vitest';
import { delayedStore } from '../../src/state/delayed-store.ts';
import { sessionOf } from '../../src/state/sessions.ts';
import type { AnyTable } from '../../src/state/table.ts';
import { bench, full, send, udp } from './bench.ts';

const flowRecord = record('flow', 1, { packets: u32, last: u32 });
const flows = table('flow', flowRecord, { capacity: 1024 });
type FlowPacket = Packet & Looked<'flow', (typeof flowRecord)['fields']>;

/** Counts a flow's packets and gives each its number, in a list. */
function counting(numbers: number[], watched = false) {
  return (packet: FlowPacket): void => {
    if (packet.flow.found) packet.flow.update();
    else packet.flow.create(0, watched);
    packet.flow.packets++;
    numbers.push(packet.flow.packets);
  };
}

const stores: [string, () => Store][] = [
  ['a synchronous store', () => memoryStore()],
  ['a store with latency', () => delayedStore(memoryStore(), { latencyMilliseconds: 2 })],
];

const tcp = (flags: string, port = 1) => full(`10.0.0.1:${port} > 10.0.0.2:80 tcp ${flags}`);

describe.each(stores)('lookupState, transform and writeState over %s', (_, store) => {
  const run = (numbers: number[], options: { attend?: 'all' | 'misses'; watched?: boolean } = {}) =>
    bench(
      () => (packets) =>
        packets.pipe(
          lookupState(flows, { key: 'five-tuple', attend: options.attend ?? 'all' }),
          transform([flows], counting(numbers, options.watched)),
          writeState([flows]),
        ),
      { tables: [flows], store: store() },
    );

  it('miss, then hit', () => {
    const numbers: number[] = [];
    using harness = run(numbers);
    for (let n = 0; n < 3; n++) {
      send(harness, udp(1));
      harness.advance(10);
    }
    expect(numbers).toEqual([1, 2, 3]);
    harness.finish();
  });

  it('show packets of one new flow in one batch what the earlier ones staged', () => {
    const numbers: number[] = [];
    using harness = run(numbers);
    send(harness, udp(1), udp(2), udp(1), udp(1), udp(2));
    harness.advance(10);
    expect(numbers).toEqual([1, 1, 2, 3, 2]);
    send(harness, udp(1), udp(2));
    harness.advance(10);
    expect(numbers.slice(5)).toEqual([4, 3]);
    harness.finish();
  });

  it('fill a whole batch, and pass one in which nobody takes part', () => {
    const numbers: number[] = [];
    using harness = run(numbers);
    const batch = Array.from({ length: 128 }, (_, n) => udp(n));
    harness.outputs();
    send(harness, ...batch);
    harness.advance(10);
    expect(numbers).toEqual(new Array(128).fill(1));
    harness.outputs();
    send(harness, '10.0.0.1 > 10.0.0.2 proto=200');
    harness.advance(10);
    expect(numbers).toHaveLength(128);
    expect(harness.finish().forwarded[1]).toBe(129);
  });

  it('leave hits to native code where only misses are attended', () => {
    const numbers: number[] = [];
    using harness = run(numbers, { attend: 'misses' });
    for (let n = 0; n < 3; n++) {
      send(harness, udp(1));
      harness.advance(10);
    }
    expect(numbers).toEqual([1]);
    harness.finish();
  });

  it('show every hit of a watched record', () => {
    const numbers: number[] = [];
    using harness = run(numbers, { attend: 'misses', watched: true });
    for (let n = 0; n < 3; n++) {
      send(harness, udp(1));
      harness.advance(10);
    }
    expect(numbers).toEqual([1, 2, 3]);
    harness.finish();
  });

  it('keep the staged list within its column, however often one takes back what it staged', () => {
    let longest = 0;
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          lookupState(flows, { key: 'five-tuple' }),
          transform([flows], (packet) => {
            for (let n = 0; n < 1000; n++) {
              packet.flow.create();
              longest = Math.max(longest, packet.batch.stagedCount(0));
              packet.flow.remove();
            }
            packet.flow.create();
          }),
          writeState([flows]),
          dropWhen((packet) => !packet.flow.found, 'not-created'),
        ),
      { tables: [flows], store: store() },
    );
    send(harness, udp(1), udp(2), udp(3));
    harness.advance(10);
    const { dropped, forwarded } = harness.finish();
    expect(dropped['not-created']).toBe(0);
    expect(forwarded[1]).toBe(3);
    expect(longest).toBeLessThanOrEqual(160); // a burst of 128 and 32 spare rows
  });

  it('let one throw cost one packet, and nothing that it staged stands', () => {
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          lookupState(flows, { key: 'five-tuple' }),
          transform([flows], (packet) => {
            packet.flow.create();
            if (packet.source === 0x0a000001) throw new RangeError('not you');
          }),
          writeState([flows]),
          dropWhen((packet) => !packet.flow.found, 'not-created'),
        ),
      { tables: [flows], store: store() },
    );
    send(harness, udp(1), udp(2));
    harness.advance(10);
    expect(harness.events).toMatchObject([
      { event: 'callback-error', message: 'RangeError: not you' },
    ]);
    const { dropped, forwarded } = harness.finish({ allowCallbackErrors: true });
    expect(dropped).toMatchObject({ 'callback-error': 1, 'not-created': 0 });
    expect(forwarded[1]).toBe(1);
  });

  it('let a throw take back what that packet staged in a record that it shares, and nothing else', () => {
    const numbers: number[] = [];
    const count = counting(numbers);
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          lookupState(flows, { key: 'source-endpoint' }),
          transform([flows], (packet) => {
            count(packet);
            if (packet.destinationPort === 54) {
              packet.flow.update(1);
              throw new RangeError('not you');
            }
          }),
          writeState([flows]),
        ),
      { tables: [flows], store: store() },
    );
    const to = (port: number) => full(`10.0.0.1:1 > 10.0.0.2:${port} udp`);
    send(harness, to(53), to(54), to(53), to(54));
    harness.advance(10);
    send(harness, to(54), to(53));
    harness.advance(10);
    expect(numbers).toEqual([1, 2, 2, 3, 3, 3]);
    const { dropped } = harness.finish({ allowCallbackErrors: true });
    expect(dropped).toMatchObject({ 'callback-error': 3, conflict: 0 });
  });

  it('create, remove and create again come to what was said last', () => {
    const found: boolean[] = [];
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          lookupState(flows, { key: 'five-tuple' }),
          transform([flows], ({ flow, destinationPort }) => {
            found.push(flow.found);
            if (destinationPort === 53) {
              flow.create();
              flow.remove();
              flow.create();
              flow.packets = 7;
              flow.remove();
            } else {
              flow.create();
            }
          }),
          writeState([flows]),
        ),
      { tables: [flows], store: store() },
    );
    for (let n = 0; n < 2; n++) {
      send(harness, udp(1), '10.0.0.1:1 > 10.0.0.2:99 udp');
      harness.advance(10);
    }
    expect(found).toEqual([false, false, false, true]);
    harness.finish();
  });
});

describe('lookupState', () => {
  it('attends hits with the traits that are asked for', () => {
    const flags: number[] = [];
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          lookupState(flows, {
            key: 'five-tuple',
            attend: 'misses',
            attendTraits: trait.tcpControl,
          }),
          transform([flows], (packet) => {
            flags.push(packet.tcpFlags);
            if (!packet.flow.found) packet.flow.create();
          }),
          writeState([flows]),
        ),
      { tables: [flows] },
    );
    for (const flag of ['S', 'A', 'A', 'F', 'A', 'R']) send(harness, tcp(flag));
    expect(flags).toEqual([2, 1, 4]);
    harness.finish();
  });

  it.each([
    [
      'source-endpoint',
      ['10.0.0.1:1 > 10.0.0.9:9 udp'],
      ['10.0.0.1:1 > 10.0.0.9:9 tcp S', '10.0.0.1:2 > 10.0.0.2:80 udp'],
    ],
    [
      'destination-endpoint',
      ['10.0.0.9:9 > 10.0.0.2:80 udp'],
      ['10.0.0.1:1 > 10.0.0.2:81 udp', '10.0.0.1:1 > 10.0.0.3:80 udp'],
    ],
    [
      'five-tuple',
      ['10.0.0.1:1 > 10.0.0.2:80 udp'],
      ['10.0.0.2:80 > 10.0.0.1:1 udp', '10.0.0.1:1 > 10.0.0.2:80 tcp S'],
    ],
    [
      'flow',
      ['10.0.0.1:1 > 10.0.0.2:80 udp', '10.0.0.2:80 > 10.0.0.1:1 udp'],
      ['10.0.0.2:1 > 10.0.0.1:80 udp'],
    ],
  ] as const)('finds by %s', (key, hits, misses) => {
    const found: boolean[] = [];
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          lookupState(flows, { key }),
          transform([flows], (packet) => {
            found.push(packet.flow.found);
            if (packet.ttl === 1) packet.flow.create();
          }),
          writeState([flows]),
        ),
      { tables: [flows] },
    );
    send(harness, '10.0.0.1:1 > 10.0.0.2:80 ttl=1 udp');
    for (const text of [...hits, ...misses]) send(harness, text);
    expect(found).toEqual([false, ...hits.map(() => true), ...misses.map(() => false)]);
    harness.finish();
  });

  it('looks up the packets of its mask only', () => {
    const attended: boolean[] = [];
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          lookupState(flows, { key: 'flow', where: where({ all: [trait.tcp] }) }),
          transform((packet) => {
            attended.push((packet as FlowPacket).flow.attended);
          }),
        ),
      { tables: [flows] },
    );
    send(harness, udp(1), tcp('S'));
    expect(attended).toEqual([false, true]);
  });

  it('prolongs lives by the packets that may, and by no others', () => {
    const idle = table('flow', flowRecord, { capacity: 8, idleSeconds: 10 });
    for (const [refreshing, alive] of [
      ['A', true],
      ['S', false],
    ] as const) {
      const found: boolean[] = [];
      using harness = bench(
        (lane) => {
          sessionOf(lane, idle as AnyTable).expire(idle as AnyTable, 2500, () => undefined);
          return (packets) =>
            packets.pipe(
              lookupState(idle, {
                key: 'flow',
                refresh: where({ none: [trait.tcpControl] }),
              }),
              transform([idle], (packet) => {
                found.push(packet.flow.found);
                if (found.length === 1) packet.flow.create();
              }),
              writeState([idle]),
            );
        },
        { tables: [idle] },
      );
      send(harness, tcp('S'));
      for (let n = 0; n < 3; n++) {
        harness.advance(9000);
        send(harness, tcp(refreshing));
      }
      expect(found.at(-1)).toBe(alive);
    }
  });
});

describe('transform', () => {
  it('without tables sees every pending packet of its mask', () => {
    const seen: number[] = [];
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          dropWhen((packet) => packet.sourcePort === 3, 'three'),
          transform((packet) => void seen.push(packet.sourcePort), {
            where: where({ all: [trait.tcp] }),
          }),
        ),
    );
    send(harness, tcp('S', 1), udp(2), tcp('S', 3), tcp('A', 4));
    expect(seen).toEqual([1, 4]);
  });

  it('shows a packet once that two of its tables attend, in the order of the batch', () => {
    const other = table('other', flowRecord, { capacity: 64 });
    const seen: number[] = [];
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          lookupState(flows, { key: 'source-endpoint', where: where({ all: [trait.udp] }) }),
          lookupState(other, {
            key: 'destination-endpoint',
            where: where({ none: [trait.dontFragment] }),
          }),
          transform([flows, other], (packet) => void seen.push(packet.sourcePort)),
        ),
      { tables: [flows, other] },
    );
    send(
      harness,
      '10.0.0.1:1 > 10.0.0.2:1 df udp',
      '10.0.0.1:2 > 10.0.0.2:1 tcp S',
      '10.0.0.1:3 > 10.0.0.2:1 udp',
      '10.0.0.1:4 > 10.0.0.2:1 df tcp S',
      '10.0.0.1:5 > 10.0.0.2:1 udp',
    );
    expect(seen).toEqual([1, 2, 3, 5]);
  });

  it('lets no field be set where nothing was staged', () => {
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          lookupState(flows, { key: 'flow' }),
          transform([flows], (packet) => {
            packet.flow.packets = 1;
          }),
        ),
      { tables: [flows] },
    );
    send(harness, udp(1));
    expect(harness.events).toMatchObject([{ message: expect.stringContaining('before create()') }]);
    harness.finish({ allowCallbackErrors: true });
  });
});
