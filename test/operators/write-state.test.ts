/**
 * Writes over a store that takes time and loses: one number per flow, taken from a small pool,
 * reserved under the number and published under the flow, as a NAT does with its ports.
 */
import fc from 'fast-check';
import type { Observable } from 'rxjs';
import {
  alias,
  applyEdits,
  branch,
  dropWhen,
  forwardTo,
  Lane,
  type Looked,
  lookupState,
  MemoryPort,
  memoryPool,
  memoryStore,
  type Packet,
  type PacketBatch,
  type Pipeline,
  parse,
  record,
  reserveState,
  type Store,
  type Table,
  table,
  trait,
  transform,
  u32,
  where,
  writeState,
} from 'rxnf';
import type { Harness } from 'rxnf/testing';
import { describe, expect, it } from 'vitest';
import type { RecordCursor } from '../../src/state/cursor.ts';
import {
  type Competitor,
  type DelayedStoreOptions,
  delayedStore,
} from '../../src/state/delayed-store.ts';
import { inFlight } from '../../src/state/in-flight.ts';
import { openSessions, sessionOf } from '../../src/state/sessions.ts';
import { RecordRows, recordRow } from '../../src/state/store.ts';
import type { AnyTable } from '../../src/state/table.ts';
import { dissect, type Frame } from '../../src/wire/frame.ts';
import { parseText } from '../../src/wire/text.ts';
import { bench } from './bench.ts';

const flowRecord = record('flow', 1, { number: u32, packets: u32 });
const numberRecord = record('number', 1, { flow: u32, zero: u32 });
type FlowFields = (typeof flowRecord)['fields'];
type NumberFields = (typeof numberRecord)['fields'];

interface Capacity {
  readonly flows?: number;
  readonly numbers?: number;
  readonly burst?: number;
}

/** Numbers every flow; each packet leaves with its flow's number as both ports. */
class Numbering {
  readonly flows: AnyTable;
  readonly numbers: AnyTable;
  readonly harness: Harness;
  readonly pool = Array.from({ length: 500 }, (_, i) => 1000 + i);
  /** Flow addresses, once for each time that the author's function created. */
  readonly created: number[] = [];
  decisions = 0;
  sentPackets = 0;

  constructor(store: Store, { flows = 1024, numbers = 1024, burst = 4 }: Capacity = {}) {
    const flowTable = table('flow', flowRecord, { capacity: flows });
    const numberTable = table('number', numberRecord, { capacity: numbers });
    const reserved = alias(numberTable, 'reserved');
    const number = (
      packet: Packet & Looked<'flow', FlowFields> & Looked<'reserved', NumberFields>,
    ): void => {
      this.decisions++;
      if (packet.flow.found) {
        packet.flow.update();
        packet.flow.packets++;
      } else {
        const taken = this.pool.shift() as number;
        this.created.push(packet.source);
        (packet.reserved as unknown as RecordCursor).reserve(taken, 1);
        packet.reserved.create();
        packet.reserved.flow = packet.source;
        packet.flow.create();
        packet.flow.number = taken;
        packet.flow.packets = 1;
      }
      packet.setDestination(packet.destination, packet.flow.number);
    };
    this.flows = flowTable as AnyTable;
    this.numbers = numberTable as AnyTable;
    this.harness = bench(
      (lane) => (packets) =>
        packets.pipe(
          lookupState(flowTable, { key: 'source-endpoint' }),
          reserveState(reserved),
          transform([flowTable, reserved], number),
          writeState([reserved, flowTable], {
            undone: (batch, row) => {
              const { key } = batch.registers[lane.register('reserved')] as { key: number };
              const given = batch.view.getUint32(key + row * 16, true);
              expect(this.pool).not.toContain(given);
              expect(this.hasNumber(given)).toBe(false);
              this.pool.push(given);
            },
          }),
          transform([flowTable], (packet) => packet.setSource(packet.source, packet.flow.number)),
          applyEdits(),
        ),
      { tables: [flowTable, numberTable, reserved], store, burst, batches: 8 },
    );
  }

  /** Queues a packet of a flow; packets are numbered in their IPv4 identification. */
  send(flow: number): void {
    const text = `10.0.0.${flow}:7 > 198.51.100.7:53 id=${this.sentPackets++} udp`;
    this.harness.send('in', parseText(text));
  }

  outputs(): { id: number; flow: number; number: number }[] {
    return this.harness.outputs().map(({ frame }) => {
      const { ipv4, udp } = dissect(frame) as Frame;
      expect(udp?.source).toBe(udp?.destination);
      return {
        id: ipv4?.identification ?? -1,
        flow: (ipv4?.source ?? 0) & 255,
        number: udp?.source ?? -1,
      };
    });
  }

  private read(tableOf: AnyTable, key: Uint8Array): DataView | undefined {
    const rows = new RecordRows(tableOf.schema.size, 1);
    rows.bytes.set(key);
    rows.count = 1;
    let record: DataView | undefined;
    this.session(tableOf).fetch(tableOf, rows, (found) => {
      if (found[0] === 1) record = new DataView(rows.bytes.buffer, recordRow.record);
    });
    return record;
  }
  private session(tableOf: AnyTable) {
    return sessionOf(this.harness.lane, tableOf);
  }
  size(tableOf: AnyTable): number {
    return this.session(tableOf).size(tableOf);
  }
  flow(flow: number): { number: number; packets: number } | undefined {
    const key = new Uint8Array([10, 0, 0, flow, 0, 7, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    const found = this.read(this.flows, key);
    return found && { number: found.getUint32(0, true), packets: found.getUint32(4, true) };
  }
  hasNumber(number: number): boolean {
    const key = new Uint8Array(16);
    new DataView(key.buffer).setUint32(0, number, true);
    key[4] = 1;
    return this.read(this.numbers, key) !== undefined;
  }
  /** Long enough for eight rounds of everything; no write is then in flight. */
  drain(): void {
    this.harness.advance(2000);
    const { lane } = this.harness;
    expect(inFlight(lane, this.flows).count + inFlight(lane, this.numbers).count).toBe(0);
  }
  [Symbol.dispose](): void {
    this.harness.close();
  }
}

const delayed = (options: Partial<DelayedStoreOptions> = {}) =>
  delayedStore(memoryStore({ seed: 1 }), { latencyMilliseconds: 5, ...options });

const packets = (flow: number, count: number) => Array.from({ length: count }, () => flow);

/** Batches of at most 4, one a breath, all of them before the first lookup comes back. */
function sendInFlight(numbering: Numbering, batches: readonly (readonly number[])[]): void {
  for (const batch of batches) {
    for (const flow of batch) numbering.send(flow);
    numbering.harness.lane.breathe();
  }
}

describe('writeState over a store that takes time', () => {
  it('creates a flow once, whichever of the batches in flight hold it', () => {
    using numbering = new Numbering(delayed());
    sendInFlight(numbering, [[1, 2], [1], [2, 1, 1], [3], [1], [2]]);
    numbering.drain();
    expect(numbering.created.map((source) => source & 255)).toEqual([1, 2, 3]);
    expect(numbering.flow(1)).toEqual({ number: 1000, packets: 5 });
    expect(numbering.outputs().map(({ number }) => number)).toEqual(
      [1, 2, 1, 2, 1, 1, 3, 1, 2].map((flow) => 999 + flow),
    );
    numbering.harness.finish();
  });

  it('lets packets of one batch see what earlier ones of it staged', () => {
    using numbering = new Numbering(memoryStore());
    sendInFlight(numbering, [packets(1, 4)]);
    expect(numbering.created).toHaveLength(1);
    expect(numbering.flow(1)?.packets).toBe(4);
    numbering.drain();
    numbering.harness.finish();
  });

  it('keeps several batches in flight, in order', () => {
    using numbering = new Numbering(delayed({ latencyMilliseconds: 5 }));
    sendInFlight(numbering, [[1], [2], [3], [4], [5], [6]]);
    expect(numbering.harness.statistics().batchesOut).toBe(6);
    // A lookup, and two tables' writes: 15 ms for all of them, not for each.
    numbering.harness.advance(14);
    expect(numbering.outputs()).toEqual([]);
    numbering.harness.advance(2);
    expect(numbering.outputs().map(({ flow }) => flow)).toEqual([1, 2, 3, 4, 5, 6]);
    numbering.harness.finish();
  });

  it('decides again on the record of a competitor, and no trace of the loser leaves', () => {
    let rivals = 0;
    const competitor: Competitor = ({ name }, bytes, isCreate) => {
      if (name === 'flow' && isCreate)
        new DataView(bytes.buffer).setUint32(0, 60_000 + rivals++, true);
    };
    for (let seed = 1; seed <= 20; seed++) {
      const options = { conflictRate: 0.5, conflictsPerKey: 1, seed, competitor };
      using numbering = new Numbering(delayed(options));
      sendInFlight(numbering, [
        [1, 1],
        [1, 2],
      ]);
      numbering.drain();
      const out = numbering.outputs();
      for (const { flow, number } of out) expect(number).toBe(numbering.flow(flow)?.number);
      expect(out.length + (numbering.harness.finish().dropped['conflict'] as number)).toBe(4);
    }
    expect(rivals).toBeGreaterThan(10);
  });

  it('gives a packet up after eight rounds, with what it had reserved', () => {
    using numbering = new Numbering(delayed({ conflictRate: 1, conflictsPerKey: 1000 }));
    sendInFlight(numbering, [[1, 1], [2], [1]]);
    numbering.drain();
    expect(numbering.outputs()).toEqual([]);
    expect(numbering.harness.finish().dropped['conflict']).toBe(4);
    expect(numbering.pool).toHaveLength(500);
    expect(numbering.size(numbering.flows)).toBe(0);
    expect(numbering.size(numbering.numbers)).toBe(0);
  });

  it.each([
    ['a synchronous store', () => memoryStore()],
    ['a store with latency', () => delayed()],
  ])('drops what a full table refuses, and takes its reservation back: %s', (_, store) => {
    using numbering = new Numbering(store(), { flows: 8 });
    const flows = Array.from({ length: 20 }, (_, i) => [i + 1, i + 1]);
    for (let i = 0; i < flows.length; i += 5) {
      sendInFlight(numbering, flows.slice(i, i + 5));
      numbering.drain();
    }
    expect(numbering.outputs()).toHaveLength(16);
    expect(numbering.harness.finish().dropped['table-full']).toBe(24);
    expect(numbering.size(numbering.flows)).toBe(8);
    expect(numbering.size(numbering.numbers)).toBe(8);
    expect(numbering.pool).toHaveLength(500 - 8);
  });

  it.each([
    ['a synchronous store', () => memoryStore()],
    ['a store with latency', () => delayed()],
  ])('publishes nothing whose reservation is refused: %s', (_, store) => {
    using numbering = new Numbering(store(), { numbers: 8 });
    for (let flow = 1; flow <= 20; flow++) sendInFlight(numbering, [[flow, flow]]);
    numbering.drain();
    for (let flow = 1; flow <= 20; flow++) sendInFlight(numbering, [[flow]]);
    numbering.drain();
    expect(numbering.outputs()).toHaveLength(24);
    expect(numbering.harness.finish().dropped['table-full']).toBe(36);
    expect(numbering.size(numbering.flows)).toBe(8);
    expect(numbering.size(numbering.numbers)).toBe(8);
    expect(numbering.pool).toHaveLength(500 - 8);
  });

  it('takes everything back when the lane is closed in mid-flight', () => {
    for (const milliseconds of [0, 3, 6, 8, 11, 13]) {
      using numbering = new Numbering(delayed());
      sendInFlight(numbering, [[1, 2], [1], [3]]);
      numbering.harness.advance(milliseconds);
      numbering.harness.lane.close();
      const { dropped, freeBuffers } = numbering.harness.statistics();
      expect(dropped['unsubscribed']).toBe(4);
      expect(freeBuffers).toBe(8192);
    }
  });

  it('waits for no write of a stream that has ended', () => {
    for (const milliseconds of [0, 3, 6, 8]) {
      const flows = table('flow', flowRecord, { capacity: 64 });
      const pool = memoryPool(64);
      const inside = new MemoryPort({ name: 'in', pool });
      const shape = { burst: 4, batches: 4, virtualClock: true, debug: true };
      const lane = new Lane({ pool, ports: [inside], tables: [flows], ...shape });
      openSessions(lane, delayed());
      const counting: Pipeline = (stream) =>
        stream.pipe(
          parse({ ports: { in: { acceptAny: true } } }),
          lookupState(flows, { key: 'source-endpoint' }),
          transform([flows], (packet) => {
            if (packet.flow.found) packet.flow.update();
            else packet.flow.create();
            packet.flow.packets++;
          }),
          writeState([flows]),
          forwardTo('in'),
        );
      const step = (count: number) => {
        for (let i = 0; i < count; i++) {
          lane.advance(1e6);
          lane.breathe();
        }
      };
      const first = lane.run(counting);
      for (let n = 0; n < 3; n++) {
        inside.push(parseText('10.0.0.1:7 > 198.51.100.7:53 udp'));
        lane.breathe();
      }
      step(milliseconds);
      first.unsubscribe();
      lane.breathe();
      expect(lane.statistics().batchesOut).toBe(0);
      lane.run(counting);
      inside.push(parseText('10.0.0.1:7 > 198.51.100.7:53 udp'));
      step(40);
      expect(lane.statistics()).toMatchObject({ forwarded: [1], freeBuffers: 63 });
      lane.close();
    }
  });

  it('works in the arms of a branch, each holding batches for a while', () => {
    const flows = table('flow', flowRecord, { capacity: 64 });
    const count =
      (by: number): Pipeline =>
      (stream) =>
        stream.pipe(
          lookupState(flows, { key: 'source-endpoint' }),
          transform([flows], (packet) => {
            if (packet.flow.found) packet.flow.update();
            else packet.flow.create();
            packet.flow.packets += by;
            packet.setSource(packet.source, packet.flow.packets);
          }),
          writeState([flows]),
        );
    using harness = bench(
      () => (stream) =>
        stream.pipe(
          branch({
            odd: { when: (packet) => packet.destinationPort % 2 === 1, pipe: count(1) },
            even: { where: where({ all: [trait.udp] }), pipe: count(100) },
          }),
          applyEdits(),
        ),
      { tables: [flows], store: delayed(), burst: 4, batches: 8 },
    );
    const ports = [1, 2, 3, 4, 6, 5, 7, 9, 8, 1, 1, 2];
    for (const [i, port] of ports.entries()) {
      harness.send('in', parseText(`10.0.0.1:7 > 198.51.100.7:${port} udp`));
      if (i % 2 === 1) harness.lane.breathe();
    }
    harness.advance(500);
    const out = harness.outputs().map(({ frame }) => (dissect(frame) as Frame).udp);
    expect(out.map((udp) => udp?.destination)).toEqual(ports);
    // Batches of two, odd ports before even ones: what each packet saw adds up.
    const seen = out.map((udp) => udp?.source);
    expect(Math.max(...(seen as number[]))).toBe(7 + 500);
    expect(new Set(seen).size).toBe(ports.length);
    harness.finish();
  });
});

/** Three packets of one flow whose first create loses, and what a pipeline makes of them. */
function afterLosing(
  build: (flows: FlowTable) => Pipeline,
  packets = [1, 2, 3].map((port) => `10.0.0.1:7 > 198.51.100.7:${port} udp`),
): {
  ports: (number | undefined)[];
  dropped: Readonly<Record<string, number>>;
} {
  const flows = table('flow', flowRecord, { capacity: 64 });
  const store = delayed({ conflictRate: 1, conflictsPerKey: 1 });
  using harness = bench(() => (stream) => stream.pipe(build(flows), applyEdits()), {
    tables: [flows],
    store,
  });
  for (const packet of packets) harness.send('in', parseText(packet));
  harness.advance(500);
  const ports = harness.outputs().map(({ frame }) => (dissect(frame) as Frame).udp?.source);
  return { ports, dropped: harness.finish().dropped };
}

type FlowTable = Table<'flow', FlowFields>;
type FlowPacket = Packet & Looked<'flow', FlowFields>;
const lookup = (flows: FlowTable) => lookupState(flows, { key: 'source-endpoint' });

function createOnce(packet: FlowPacket): void {
  if (!packet.flow.found) packet.flow.create();
}

describe('a flow whose write lost', () => {
  it('keeps no edit that only the losing decision staged', () => {
    let decisions = 0;
    const { ports } = afterLosing(
      (flows) => (stream) =>
        stream.pipe(
          lookup(flows),
          transform([flows], (packet) => {
            if (decisions++ < 3) packet.setSource(packet.source, 99);
            createOnce(packet);
          }),
          writeState([flows]),
        ),
    );
    expect(decisions).toBe(6);
    expect(ports).toEqual([7, 7, 7]);
  });

  it('is decided again in the arm of the branch that it is in, and in no other', () => {
    const arms: string[] = [];
    const arm =
      (flows: FlowTable, name: string): Pipeline =>
      (stream) =>
        (stream as Observable<PacketBatch<Looked<'flow', FlowFields>>>).pipe(
          transform([flows], (packet) => {
            arms.push(`${name} ${packet.destinationPort}`);
            createOnce(packet);
          }),
          writeState([flows]),
        );
    const { ports } = afterLosing(
      (flows) => (stream) =>
        stream.pipe(
          lookup(flows),
          branch({
            second: { when: (packet) => packet.destinationPort === 2, pipe: arm(flows, 'second') },
            otherwise: { pipe: arm(flows, 'others') },
          }),
        ),
    );
    expect(ports).toHaveLength(3);
    expect(arms).toEqual(['second 2', 'second 2', 'others 1', 'others 3']);
  });

  it('stays dropped where it was dropped before the decision', () => {
    const { ports, dropped } = afterLosing(
      (flows) => (stream) =>
        stream.pipe(
          lookup(flows),
          dropWhen((packet) => packet.destinationPort === 2, 'unwanted'),
          transform([flows], createOnce),
          writeState([flows]),
        ),
    );
    expect(dropped['unwanted']).toBe(1);
    expect(ports).toHaveLength(2);
  });

  it('is decided again only as far as the mask of its transform goes', () => {
    const flags: number[] = [];
    const packets = ['S', 'A', 'A'].map((flag) => `10.0.0.1:7 > 198.51.100.7:80 tcp ${flag}`);
    afterLosing(
      (flows) => (stream) =>
        stream.pipe(
          lookup(flows),
          transform(
            [flows],
            (packet) => {
              flags.push(packet.tcpFlags);
              createOnce(packet);
            },
            { where: where({ all: [trait.tcpControl] }) },
          ),
          writeState([flows]),
        ),
      packets,
    );
    expect(flags).toEqual([2, 2]);
  });

  it('keeps the edits that were staged before the decision', () => {
    const { ports } = afterLosing(
      (flows) => (stream) =>
        stream.pipe(
          transform((packet) => packet.setSource(packet.source, 42)),
          lookup(flows),
          transform([flows], createOnce),
          writeState([flows]),
        ),
    );
    expect(ports).toEqual([42, 42, 42]);
  });
});

/** Sends packets of flows 1 to 5, breathes and waits, as it comes. */
const schedules = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ send: fc.integer({ min: 1, max: 5 }) }) },
    { weight: 3, arbitrary: fc.constant({ send: 0 }) },
    { weight: 1, arbitrary: fc.constant({ send: -1 }) },
  ),
  { maxLength: 120 },
);

function play(numbering: Numbering, schedule: readonly { send: number }[]): number[] {
  const sent: number[] = [];
  for (const { send } of schedule) {
    if (send > 0) {
      numbering.send(send);
      sent.push(send);
    } else if (send === 0) {
      numbering.harness.lane.breathe();
    } else {
      numbering.harness.lane.advance(1e6);
      numbering.harness.lane.breathe();
    }
  }
  numbering.drain();
  numbering.drain();
  return sent;
}

describe('writeState, whatever the schedule', () => {
  const latency = fc.constantFrom(0, 1, 5);
  const seed = fc.nat(1000);

  it('counts every packet once, keeps order, and leaks no number, with conflicts', () => {
    fc.assert(
      fc.property(schedules, latency, fc.constantFrom(0, 0.1, 0.5), seed, (...drawn) => {
        const [schedule, latencyMilliseconds, conflictRate, conflictSeed] = drawn;
        const options = { latencyMilliseconds, conflictRate, seed: conflictSeed };
        using numbering = new Numbering(delayed(options));
        const sent = play(numbering, schedule);
        const out = numbering.outputs();
        const { dropped } = numbering.harness.finish();
        expect(out.length + (dropped['conflict'] as number)).toBe(sent.length);
        expect(out.map(({ id }) => id)).toEqual(out.map(({ id }) => id).sort((a, b) => a - b));
        const used = new Set<number>();
        for (let flow = 1; flow <= 5; flow++) {
          const own = out.filter((packet) => packet.flow === flow);
          const record = numbering.flow(flow);
          expect(record?.packets ?? 0).toBe(own.length);
          for (const { number } of own) expect(number).toBe(record?.number);
          if (record) {
            expect(numbering.hasNumber(record.number)).toBe(true);
            expect(used).not.toContain(record.number);
            used.add(record.number);
          }
        }
        expect(numbering.size(numbering.numbers)).toBe(used.size);
        expect(numbering.pool).toHaveLength(500 - used.size);
        if (conflictRate === 0) expect(numbering.created).toHaveLength(used.size);
      }),
      { numRuns: 150 },
    );
  });

  it('follows a competitor whose records stay', () => {
    fc.assert(
      fc.property(schedules, latency, seed, (schedule, latencyMilliseconds, conflictSeed) => {
        let rivals = 0;
        const competitor: Competitor = ({ name }, bytes, isCreate) => {
          if (name !== 'flow' || !isCreate) return;
          new DataView(bytes.buffer).setUint32(0, 60_000 + rivals++, true);
        };
        const options = { latencyMilliseconds, conflictRate: 0.3, seed: conflictSeed, competitor };
        using numbering = new Numbering(delayed(options));
        const sent = play(numbering, schedule);
        const out = numbering.outputs();
        const { dropped } = numbering.harness.finish();
        expect(out.length + (dropped['conflict'] as number)).toBe(sent.length);
        expect(out.map(({ id }) => id)).toEqual(out.map(({ id }) => id).sort((a, b) => a - b));
        for (const { flow, number } of out) expect(number).toBe(numbering.flow(flow)?.number);
      }),
      { numRuns: 100 },
    );
  });
});
