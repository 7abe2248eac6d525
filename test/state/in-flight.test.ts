import { Observable } from 'rxjs';
import { lookupState, memoryStore, type PacketBatch, record, table, u32 } from 'rxnf';
import { describe, expect, it } from 'vitest';
import { InFlight } from '../../src/state/in-flight.ts';
import { looked, type RegisterColumns, writeKind } from '../../src/streams/batch.ts';
import { parseText } from '../../src/wire/text.ts';
import { bench } from '../operators/bench.ts';

const entries = table('entry', record('entry', 1, { value: u32, zero: u32 }), { capacity: 64 });

/** Batches of one flow each row, looked up and not settled, for a test to play the writer with. */
function batchesOf(flows: readonly (readonly number[])[]): {
  batches: PacketBatch[];
  close(): void;
} {
  const batches: PacketBatch[] = [];
  const harness = bench(
    () => (packets) => {
      packets
        .pipe(lookupState(entries, { key: 'source-endpoint', attend: 'misses' }))
        .subscribe((batch) => batches.push(batch));
      return new Observable();
    },
    { tables: [entries], store: memoryStore(), burst: 4, batches: 8 },
  );
  for (const rows of flows) {
    for (const flow of rows)
      harness.send('in', parseText(`10.0.0.${flow}:7 > 198.51.100.7:53 udp`));
    harness.lane.breathe();
  }
  return { batches, close: () => harness.close() };
}

const columnsOf = (batch: PacketBatch) => batch.registers[0] as RegisterColumns;

/** Makes a row's columns what a write of `value` (0: a removal) left in them. */
function wrote(batch: PacketBatch, row: number, value: number): void {
  const columns = columnsOf(batch);
  columns.state[row] = value === 0 ? looked.miss : looked.hit;
  batch.view.setUint32(columns.record + row * columns.stride, value, true);
}

const seen = (batch: PacketBatch, row: number) =>
  columnsOf(batch).state[row] === looked.hit
    ? batch.view.getUint32(columnsOf(batch).record + row * columnsOf(batch).stride, true)
    : 0;

const attended = (batch: PacketBatch) => [
  ...columnsOf(batch).attended.subarray(0, batch.attendedCount(0)),
];

describe('in-flight slots', () => {
  it('make a batch wait for an earlier write to its keys, and give it the result', () => {
    const { batches, close } = batchesOf([[1], [2, 1], [3]]);
    const [first, second, third] = batches as [PacketBatch, PacketBatch, PacketBatch];
    const flight = new InFlight(8, 64);
    for (const batch of batches) flight.issue(batch, 0);
    flight.depart(first);
    const slot = flight.begin(first, 0, 0);
    expect(flight.bringUpToDate(third)).toBe(true);
    expect(flight.bringUpToDate(second)).toBe(false);
    wrote(first, 0, 42);
    flight.settle(slot, first, 0, 0);
    expect(flight.bringUpToDate(second)).toBe(true);
    expect([seen(second, 0), seen(second, 1)]).toEqual([0, 42]);
    close();
  });

  it('die with the last batch that looked up too early', () => {
    const { batches, close } = batchesOf([[1], [1]]);
    const [first, second] = batches as [PacketBatch, PacketBatch];
    const flight = new InFlight(8, 64);
    flight.issue(first, 0);
    flight.issue(second, 0);
    flight.depart(first);
    flight.settle(flight.begin(first, 0, 0), first, 0, 0);
    expect(flight.count).toBe(1);
    flight.depart(second);
    expect(flight.count).toBe(0);
    close();
  });

  it('hide nothing from a batch whose lookup came after them', () => {
    const { batches, close } = batchesOf([[1], [1], [1]]);
    const [first, second, third] = batches as [PacketBatch, PacketBatch, PacketBatch];
    const flight = new InFlight(8, 64);
    flight.issue(first, 0);
    flight.issue(second, 0); // keeps the slot alive
    flight.depart(first);
    wrote(first, 0, 1);
    flight.settle(flight.begin(first, 0, 0), first, 0, 0);
    flight.issue(third, 0);
    wrote(third, 0, 2); // what another instance has made of it since
    expect(flight.bringUpToDate(third)).toBe(true);
    expect(seen(third, 0)).toBe(2);
    close();
  });

  it('leave alone what a batch has decided already', () => {
    const { batches, close } = batchesOf([[1], [1, 1]]);
    const [first, second] = batches as [PacketBatch, PacketBatch];
    const flight = new InFlight(8, 64);
    flight.issue(first, 0);
    flight.issue(second, 0);
    flight.depart(first);
    const slot = flight.begin(first, 0, 0);
    columnsOf(second).write[0] = writeKind.insert;
    expect(flight.bringUpToDate(second)).toBe(true);
    wrote(first, 0, 5);
    flight.settle(slot, first, 0, 0);
    expect(flight.bringUpToDate(second)).toBe(true);
    expect(seen(second, 0)).toBe(0);
    close();
  });

  it('count two writers of one key, and are settled by the last', () => {
    const { batches, close } = batchesOf([[1], [1], [1]]);
    const [first, second, third] = batches as [PacketBatch, PacketBatch, PacketBatch];
    const flight = new InFlight(8, 64);
    for (const batch of batches) flight.issue(batch, 0);
    flight.depart(first);
    flight.depart(second);
    const slot = flight.begin(first, 0, 0);
    expect(flight.begin(second, 0, 0)).toBe(slot);
    wrote(first, 0, 1);
    flight.settle(slot, first, 0, 0);
    expect(flight.bringUpToDate(third)).toBe(false);
    wrote(second, 0, 2);
    flight.settle(slot, second, 0, 0);
    expect(flight.bringUpToDate(third)).toBe(true);
    expect(seen(third, 0)).toBe(2);
    close();
  });

  it('show a removal to the author, in order and under one leader', () => {
    const { batches, close } = batchesOf([[1], [1, 2, 1]]);
    const [first, second] = batches as [PacketBatch, PacketBatch];
    const flight = new InFlight(8, 64);
    flight.issue(first, 0);
    flight.issue(second, 0);
    for (const row of [0, 1, 2]) wrote(second, row, 9); // as hits that nobody attends
    second.header[4] = 0;
    flight.depart(first);
    const slot = flight.begin(first, 0, 0);
    wrote(first, 0, 0);
    flight.settle(slot, first, 0, 0);
    expect(flight.bringUpToDate(second)).toBe(true);
    expect(attended(second)).toEqual([0, 2]);
    expect([...columnsOf(second).leader.subarray(0, 3)]).toEqual([0, 1, 0]);
    expect([seen(second, 0), seen(second, 1), seen(second, 2)]).toEqual([0, 9, 0]);
    close();
  });

  it('are forgotten when their writer was reclaimed, and nobody waits', () => {
    const { batches, close } = batchesOf([[1], [1]]);
    const [first, second] = batches as [PacketBatch, PacketBatch];
    const flight = new InFlight(8, 64);
    flight.issue(first, 0);
    flight.issue(second, 0);
    flight.depart(first);
    const slot = flight.begin(first, 0, 0);
    expect(flight.bringUpToDate(second)).toBe(false);
    flight.abandon(slot);
    expect(flight.bringUpToDate(second)).toBe(true);
    expect(flight.count).toBe(0);
    close();
  });

  it('leave a batch what it has read when nobody knows what a write came to', () => {
    const { batches, close } = batchesOf([[1], [1]]);
    const [first, second] = batches as [PacketBatch, PacketBatch];
    const flight = new InFlight(8, 64);
    flight.issue(first, 0);
    flight.issue(second, 0);
    wrote(second, 0, 7);
    flight.depart(first);
    const slot = flight.begin(first, 0, 0);
    columnsOf(first).state[0] = looked.unknown;
    flight.settle(slot, first, 0, 0);
    expect(flight.bringUpToDate(second)).toBe(true);
    expect(seen(second, 0)).toBe(7);
    expect(flight.count).toBe(0);
    close();
  });

  it('make room by forgetting the oldest that is settled', () => {
    const { batches, close } = batchesOf([[1, 2, 3], [1]]);
    const [first, second] = batches as [PacketBatch, PacketBatch];
    const flight = new InFlight(8, 2);
    flight.issue(second, 0);
    flight.settle(flight.begin(first, 0, 0), first, 0, 0);
    const kept = flight.begin(first, 0, 1);
    flight.begin(first, 0, 2);
    expect(flight.count).toBe(2);
    expect(() => flight.begin(first, 0, 0)).toThrow(/more writes in flight/);
    flight.settle(kept, first, 0, 1);
    expect(() => flight.begin(first, 0, 0)).not.toThrow();
    close();
  });
});
