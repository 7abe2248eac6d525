import fc from 'fast-check';
import { count, memoryStore, record, table, u32 } from 'rxnf';
import { describe, expect, it } from 'vitest';
import { native } from '../../src/native.ts';
import {
  type NumberPool,
  RecordRows,
  recordRow,
  type TableSession,
} from '../../src/state/store.ts';
import type { AnyTable } from '../../src/state/table.ts';
import { makeLane } from '../streams/lanes.ts';

const schema = record('entry', 1, { value: u32 });

function made(
  options: { capacity?: number; idleSeconds?: number | number[]; store?: string } = {},
) {
  const { capacity = 100, idleSeconds = 0, store } = options;
  const lane = makeLane();
  const session = memoryStore(store === undefined ? {} : { name: store }).open(lane.lane);
  return {
    ...lane,
    session,
    entries: table('entry', schema, { capacity, idleSeconds }) as AnyTable,
  };
}

function key(n: number): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(0, n);
  return bytes;
}

function value(n: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, n, true);
  return bytes;
}

const read = (session: TableSession, entries: AnyTable, n: number) =>
  session.read(entries, key(n))?.getUint32(0, true);

describe('the memory store', () => {
  it('puts, reads, replaces and removes', () => {
    const { lane, session, entries } = made();
    expect(read(session, entries, 1)).toBeUndefined();
    expect(session.put(entries, key(1), value(10), 0)).toBe(true);
    expect(session.put(entries, key(1), value(11), 0)).toBe(true);
    expect(read(session, entries, 1)).toBe(11);
    expect(session.size(entries)).toBe(1);
    expect(session.remove(entries, key(1))).toBe(true);
    expect(session.remove(entries, key(1))).toBe(false);
    expect(session.size(entries)).toBe(0);
    lane.close();
  });

  it('adds to counters, each time once, and creates those that are absent', () => {
    const { lane, session } = made();
    const counters = record('counters', 1, { label: u32, packets: count, bytes: count });
    const totals = table('totals', counters, { capacity: 10 }) as unknown as AnyTable;
    const rows = new RecordRows(counters.size, 2);
    rows.count = 2;
    for (const n of [0, 1]) {
      rows.bytes.set(key(n), n * rows.stride);
      const at = n * rows.stride + recordRow.record;
      rows.view.setUint32(at, 77, true);
      rows.view.setFloat64(at + 8, n + 1, true);
      rows.view.setFloat64(at + 16, 1000, true);
    }
    for (let i = 0; i < 3; i++)
      session.add(totals, rows, (added) => expect([...added]).toEqual([1, 1]));
    const read = session.read(totals, key(1)) as DataView;
    expect([read.getUint32(0, true), read.getFloat64(8, true), read.getFloat64(16, true)]).toEqual([
      77, 6, 3000,
    ]);
    lane.close();
  });

  it('takes as many records as its table has room for', () => {
    const { lane, session, entries } = made({ capacity: 3 });
    expect([1, 2, 3, 4].map((n) => session.put(entries, key(n), value(n), 0))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(session.put(entries, key(2), value(20), 0)).toBe(true);
    session.remove(entries, key(1));
    expect(session.put(entries, key(4), value(4), 0)).toBe(true);
    lane.close();
  });

  it('is one for all that name it, and gone with the last of them', () => {
    const one = made({ store: 'shared-by-test' });
    const two = made({ store: 'shared-by-test' });
    const other = made();
    one.session.put(one.entries, key(1), value(1), 0);
    expect(read(two.session, two.entries, 1)).toBe(1);
    expect(read(other.session, other.entries, 1)).toBeUndefined();
    one.lane.close();
    expect(read(two.session, two.entries, 1)).toBe(1);
    two.lane.close();
    const three = made({ store: 'shared-by-test' });
    expect(read(three.session, three.entries, 1)).toBeUndefined();
    three.lane.close();
    other.lane.close();
  });

  it('refuses a table that is open with another shape', () => {
    const one = made({ store: 'shape-by-test', capacity: 10 });
    const two = made({ store: 'shape-by-test', capacity: 20 });
    one.session.put(one.entries, key(1), value(1), 0);
    expect(() => two.session.size(two.entries)).toThrow(
      expect.objectContaining({ code: 'ERR_TABLE_CONFIG' }),
    );
    one.lane.close();
    two.lane.close();
  });

  it('lets an idle record live for T at least and 1.5 T at most', () => {
    const schedule = fc.record({
      seconds: fc.integer({ min: 1, max: 20 }),
      start: fc.integer({ min: 0, max: 5000 }),
      records: fc.integer({ min: 1, max: 40 }),
    });
    fc.assert(
      fc.property(schedule, ({ seconds, start, records }) => {
        const { lane, session, entries, wait } = made({ idleSeconds: seconds, capacity: 2000 });
        const idle = seconds * 1000;
        lane.advance(start * 1e6);
        lane.breathe();
        const created = new Map<number, number>();
        session.expire(entries, idle / 4, ({ count, stride, view }) => {
          for (let at = 0; at < count * stride; at += stride) {
            const n = view.getUint32(at);
            expect(view.getUint32(at + recordRow.record, true)).toBe(n);
            const life = lane.nowMilliseconds - (created.get(n) as number);
            expect(life).toBeGreaterThanOrEqual(idle);
            expect(life).toBeLessThanOrEqual(idle * 1.5 + 100); // a sweep goes in steps of 50 ms
            created.delete(n);
            const claims = new Uint32Array([view.getUint32(at + recordRow.claim, true)]);
            session.confirm(entries, claims, 1);
          }
        });
        for (let n = 0; n < records; n++) {
          session.put(entries, key(n), value(n), 0);
          created.set(n, lane.nowMilliseconds);
          wait(Math.ceil(idle / 100));
        }
        wait(idle * 1.5 + 200);
        expect(created.size).toBe(0);
        expect(session.size(entries)).toBe(0);
        lane.close();
      }),
      { numRuns: 25 },
    );
  });

  it('goes through a large table in time, also one that grows meanwhile', () => {
    const { lane, session, entries } = made({ idleSeconds: 4, capacity: 4096 });
    /** With few breaths: a step of the sweep must make up for those that were missed. */
    const wait = (milliseconds: number) => {
      for (let past = 0; past < milliseconds; past += 50) {
        lane.advance(50e6);
        lane.breathe();
      }
    };
    const created = new Map<number, number>();
    session.expire(entries, 1000, ({ count, stride, view }) => {
      const claims = new Uint32Array(count);
      for (let i = 0; i < count; i++) {
        const life = lane.nowMilliseconds - (created.get(view.getUint32(i * stride)) as number);
        expect(life).toBeGreaterThanOrEqual(5000);
        expect(life).toBeLessThanOrEqual(6100); // 1.25 T, a pass, and two breaths of 50 ms
        created.delete(view.getUint32(i * stride));
        claims[i] = view.getUint32(i * stride + recordRow.claim, true);
      }
      session.confirm(entries, claims, count);
    });
    const putUpTo = (end: number, begin: number) => {
      for (let n = begin; n < end; n++) {
        session.put(entries, key(n), value(n), 0);
        created.set(n, lane.nowMilliseconds);
      }
    };
    putUpTo(500, 0);
    wait(5300); // in the middle of a pass
    putUpTo(4096, 500);
    wait(700);
    expect(created.size).toBe(3596);
    wait(5500);
    expect(created.size).toBe(0);
    lane.close();
  });

  it('never expires what has no idle life, and each timer class by its own', () => {
    const { lane, session, entries, wait } = made({ idleSeconds: [0, 1, 4] });
    const gone: number[] = [];
    session.expire(entries, 250, ({ count, stride, bytes }) => {
      for (let i = 0; i < count; i++) gone.push(bytes[i * stride + recordRow.timer] as number);
    });
    for (const timer of [0, 1, 2]) session.put(entries, key(timer), value(0), timer);
    wait(1600);
    expect(gone).toEqual([1]);
    wait(5000);
    expect(gone).toEqual([1, 2]);
    expect(session.size(entries)).toBe(1);
    lane.close();
  });
});

const used = table('used', schema, { capacity: 100 }) as AnyTable;

const numbersFrom = (first: number, count: number): NumberPool => ({
  name: 'numbers',
  first,
  count,
  use: { table: used, key: (number, out) => out.set(key(number)) },
});

describe('a pool of numbers', () => {
  it('hands each number out to one only, until it is given back', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -8, max: 8 }), { maxLength: 60 }), (steps) => {
        const { lane, session } = made();
        const lease = session.lease(numbersFrom(1000, 20));
        const out = new Set<number>();
        for (const step of steps) {
          if (step >= 0) {
            const numbers = new Uint32Array(step);
            const taken = lease.take(numbers);
            expect(taken).toBe(Math.min(step, 20 - out.size));
            for (const n of numbers.subarray(0, taken)) {
              expect(n >= 1000 && n < 1020 && !out.has(n)).toBe(true);
              out.add(n);
            }
          } else {
            for (const n of [...out].slice(0, -step)) {
              lease.give(n);
              out.delete(n);
            }
          }
        }
        lane.close();
      }),
    );
  });

  it('throws when a number comes back that is not out', () => {
    const { lane, session } = made();
    const lease = session.lease(numbersFrom(5, 3));
    const numbers = new Uint32Array(3);
    expect(lease.take(numbers)).toBe(3);
    expect(lease.take(numbers)).toBe(0);
    lease.give(6);
    expect(() => lease.give(6)).toThrow(/number 6 was returned but is not out/);
    for (const n of [4, 8, -1]) expect(() => lease.give(n)).toThrow(/is not out/);
    lane.close();
  });

  it('gives the number that has been free for the longest', () => {
    const { lane, session } = made();
    const lease = session.lease(numbersFrom(0, 4));
    const numbers = new Uint32Array(4);
    lease.take(numbers);
    for (const n of [2, 0, 3, 1]) lease.give(n);
    lease.take(numbers);
    expect([...numbers]).toEqual([2, 0, 3, 1]);
    lane.close();
  });

  it('is one for two leases of one name, and has one range', () => {
    const { lane, session } = made();
    const one = new Uint32Array(2);
    const two = new Uint32Array(2);
    expect(session.lease(numbersFrom(0, 3)).take(one)).toBe(2);
    expect(session.lease(numbersFrom(0, 3)).take(two)).toBe(1);
    expect(() => session.lease(numbersFrom(0, 4))).toThrow(
      expect.objectContaining({ code: 'ERR_NUMBER_POOL' }),
    );
    lane.close();
  });

  it('refuses to be empty or too large', () => {
    for (const size of [0, 2 ** 24 + 1]) {
      expect(() => native.openNumbers(`size ${size}`, 0, size)).toThrow(/empty/);
    }
  });
});
