/**
 * What every store must do, as one suite (src/state/store.ts): call it from an adapter's own test.
 *
 * @example
 * storeContract('the memory store', () => ({
 *   store: memoryStore(), clock: 'virtual', exactCapacity: true, close: () => undefined,
 * }));
 */
import { bytes, count, record, table, u32 } from 'rxnf';
import { describe, expect, it } from 'vitest';
import { type NumberPool, RecordRows, recordRow } from '../../../src/state/store.ts';
import type { AnyTable } from '../../../src/state/table.ts';
import { everyPacket, noPacket } from '../../../src/streams/traits.ts';
import { Bench, type Client, keyNumber, keyOf, type OpenStore } from './bench.ts';
import { recordHistory } from './concurrent.ts';
import { checkHistory } from './histories.ts';

const schema = record('entry', 1, { value: u32, other: u32 });
const recordSize = schema.size;
/** Idle life of the timed table's classes, milliseconds: short enough to be waited for. */
const idle = [0, 400, 800] as const;

let tables = 0;
/** A table of its own for each test: stores may outlive them. */
function entriesTable(options: { capacity?: number; idleSeconds?: number[] } = {}): AnyTable {
  return table(`entry${tables++}`, schema, { capacity: 1024, ...options }) as AnyTable;
}
const timedTable = () => entriesTable({ idleSeconds: idle.map((ms) => ms / 1000) });

export function storeContract(name: string, open: () => OpenStore | Promise<OpenStore>): void {
  /** Runs a test on a fresh bench. */
  const on = (test: (bench: Bench) => Promise<void>) => async () => {
    const bench = new Bench(await open());
    try {
      await test(bench);
    } finally {
      await bench.close();
    }
  };

  async function put(client: Client, entries: AnyTable, values: Record<number, number>, timer = 0) {
    const keys = Object.keys(values).map(Number);
    const rows = await client.batch(entries, keys).lookup();
    for (const [row, key] of keys.entries()) rows.stage(row, 'insert', values[key], timer);
    await rows.write();
    const written = rows.rows;
    rows.end();
    expect(written.map(({ state, lost }) => ({ state, lost }))).toEqual(
      keys.map(() => ({ state: 'hit', lost: false })),
    );
    return written;
  }

  async function get(client: Client, entries: AnyTable, keys: readonly number[]) {
    const rows = await client.batch(entries, keys).lookup();
    const read = rows.rows;
    rows.end();
    return read;
  }

  const values = async (client: Client, entries: AnyTable, keys: readonly number[]) =>
    (await get(client, entries, keys)).map(({ state, value }) => (state === 'hit' ? value : state));

  describe(`${name}: reading and writing`, () => {
    it(
      'finds what was created, for every client, and misses the rest',
      on(async (bench) => {
        const entries = entriesTable();
        const [one, two] = [bench.client([entries]), bench.client([entries])];
        const [written] = await put(one, entries, { 1: 10, 2: 20 });
        for (const client of [one, two])
          expect(await values(client, entries, [2, 3, 1, 1])).toEqual([20, 'miss', 10, 10]);
        const [read, missed] = await get(two, entries, [1, 3]);
        expect(read.version).toBe(written.version);
        expect(read.version).toBeGreaterThan(0n);
        expect(missed.version).toBe(0n);
      }),
    );

    it(
      'gives every write a version of its own',
      on(async (bench) => {
        const entries = entriesTable();
        const clients = [bench.client([entries]), bench.client([entries])];
        const versions = new Set<bigint>();
        for (const [i, client] of clients.entries()) {
          const written = await put(client, entries, { [10 + i]: 1, [20 + i]: 1, [30 + i]: 1 });
          for (const { version } of written) versions.add(version);
        }
        expect(versions.size).toBe(6);
      }),
    );

    it(
      'lets one of two creates win, and shows the other the winner',
      on(async (bench) => {
        const entries = entriesTable();
        const [one, two] = [bench.client([entries]), bench.client([entries])];
        const races = [one, two].map((client) => client.batch(entries, [1, 2, 3]));
        for (const rows of races) await rows.lookup();
        races.forEach((rows, i) => {
          for (const row of [0, 1, 2]) rows.stage(row, 'insert', 100 * (i + 1) + row);
        });
        const done = races.map((rows) => rows.startWrite());
        await bench.until('both', () => done.every((finished) => finished()));
        for (const row of [0, 1, 2]) {
          const [a, b] = races.map((rows) => rows.row(row));
          expect([a.lost, b.lost].sort()).toEqual([false, true]);
          expect(a).toMatchObject({ state: 'hit', value: b.value, version: b.version });
          expect(b.state).toBe('hit');
        }
        const won = races[0].rows.map(({ value }) => value);
        for (const rows of races) rows.end();
        expect(await values(one, entries, [1, 2, 3])).toEqual(won);
      }),
    );

    it(
      'swaps the version that was read, and refuses any other',
      on(async (bench) => {
        const entries = entriesTable();
        const [one, two] = [bench.client([entries]), bench.client([entries])];
        await put(one, entries, { 1: 10 });
        const early = await one.batch(entries, [1]).lookup();
        const late = await two.batch(entries, [1]).lookup();
        await early.stage(0, 'swap', 11).write();
        expect(early.row(0)).toMatchObject({ state: 'hit', value: 11, lost: false });
        expect(early.row(0).version).not.toBe(late.row(0).version);
        await late.stage(0, 'swap', 12).write();
        expect(late.row(0)).toMatchObject({
          state: 'hit',
          value: 11,
          lost: true,
          version: early.row(0).version,
        });
        // Decided again on the winner, as an author's function is.
        await late.stage(0, 'swap', 12).write();
        expect(late.row(0)).toMatchObject({ state: 'hit', value: 12, lost: false });
        early.end();
        late.end();
        expect(await values(one, entries, [1])).toEqual([12]);
      }),
    );

    it(
      'refuses to swap what has gone, and to create what is there',
      on(async (bench) => {
        const entries = entriesTable();
        const client = bench.client([entries]);
        await put(client, entries, { 1: 10, 2: 20 });
        const rows = await client.batch(entries, [1]).lookup();
        const other = await client.batch(entries, [1, 2]).lookup();
        await other.stage(0, 'remove').write();
        expect(other.row(0)).toMatchObject({ state: 'miss', lost: false });
        await rows.stage(0, 'swap', 11).write();
        expect(rows.row(0)).toMatchObject({ state: 'miss', lost: true });
        await other.stage(1, 'insert', 21).write();
        expect(other.row(1)).toMatchObject({ state: 'hit', lost: true, value: 20 });
        rows.end();
        other.end();
        expect(await values(client, entries, [1, 2])).toEqual(['miss', 20]);
      }),
    );

    it(
      'removes the version that was read, and takes what has gone for removed',
      on(async (bench) => {
        const entries = entriesTable();
        const client = bench.client([entries]);
        await put(client, entries, { 1: 10, 2: 20 });
        const stale = await client.batch(entries, [1, 2]).lookup();
        const fresh = await client.batch(entries, [1, 2]).lookup();
        await fresh.stage(0, 'swap', 11).stage(1, 'remove').write();
        await stale.stage(0, 'remove').stage(1, 'remove').write();
        expect(stale.row(0)).toMatchObject({ state: 'hit', value: 11, lost: true });
        expect(stale.row(1)).toMatchObject({ state: 'miss', lost: false });
        stale.end();
        fresh.end();
        expect(await values(client, entries, [1, 2])).toEqual([11, 'miss']);
      }),
    );

    it(
      'gives rows of one key one leader, and all of them what its write came to',
      on(async (bench) => {
        const entries = entriesTable();
        const client = bench.client([entries]);
        const rows = await client.batch(entries, [7, 8, 7, 7]).lookup();
        expect(rows.attended).toEqual([0, 1, 2, 3]);
        expect([...rows.columns.leader.subarray(0, 4)]).toEqual([0, 1, 0, 0]);
        await rows.stage(0, 'insert', 70).write();
        expect(rows.rows.map(({ state, value }) => (state === 'hit' ? value : state))).toEqual([
          70,
          'miss',
          70,
          70,
        ]);
        expect(rows.row(3).version).toBe(rows.row(0).version);
        rows.end();
      }),
    );

    it(
      'attends misses and watched records where it is not asked for all',
      on(async (bench) => {
        const entries = entriesTable();
        const client = bench.client([entries]);
        await put(client, entries, { 1: 10 });
        await put(client, entries, { 2: 20 }, 0x80);
        const rows = await client.batch(entries, [1, 2, 3]).lookup({ attendAll: false });
        expect(rows.attended).toEqual([1, 2]);
        expect(rows.row(1).timer).toBe(0x80);
        rows.end();
        const none = await client.batch(entries, [1, 2, 3]).lookup({ where: noPacket });
        expect(none.rows.map(({ state }) => state)).toEqual(['none', 'none', 'none']);
        expect(none.attended).toEqual([]);
        none.end();
      }),
    );

    it(
      'finishes batches in the order of their starting',
      on(async (bench) => {
        const entries = entriesTable();
        const client = bench.client([entries]);
        const batches = [[1, 2, 3, 4, 5, 6], [7], [8, 9], [10]].map((keys) =>
          client.batch(entries, keys),
        );
        const order: number[] = [];
        const lookup = client.lookupOf(entries, {});
        batches.forEach(({ batch }, i) => {
          if (lookup.start(batch, () => void order.push(i))) order.push(i);
        });
        await bench.until('all', () => order.length === batches.length);
        expect(order).toEqual([0, 1, 2, 3]);
        for (const rows of batches) rows.end();
      }),
    );

    it(
      'drops what it has no room for, and holds what it has',
      on(async (bench) => {
        if (!bench.opened.exactCapacity) return;
        const entries = entriesTable({ capacity: 4 });
        const client = bench.client([entries]);
        await put(client, entries, { 1: 10, 2: 20, 3: 30 });
        const rows = await client.batch(entries, [4, 5, 1, 5]).lookup();
        await rows.stage(0, 'insert', 40).stage(1, 'insert', 50).stage(2, 'swap', 11).write();
        expect(rows.rows.map(({ dropped }) => dropped)).toEqual([false, true, false, true]);
        expect(rows.row(1)).toMatchObject({ state: 'miss', lost: false });
        rows.end();
        expect(await values(client, entries, [1, 2, 3, 4, 5])).toEqual([11, 20, 30, 40, 'miss']);
        const gone = await client.batch(entries, [2]).lookup();
        await gone.stage(0, 'remove').write();
        gone.end();
        await put(client, entries, { 5: 50 });
      }),
    );

    it(
      'keeps records of 64 KiB whole',
      on(async (bench) => {
        const big = record('big', 1, { data: bytes(65_536) });
        const pages = table(`page${tables++}`, big, { capacity: 8 }) as AnyTable;
        const client = bench.client([pages]);
        const rows = await client.batch(pages, [1]).lookup();
        rows.stage(0, 'insert');
        const { batch, columns } = rows;
        for (let i = 0; i < 65_536; i++) batch.bytes[columns.next + i] = (i * 31 + (i >> 8)) & 255;
        await rows.write();
        rows.end();
        const read = await client.batch(pages, [1, 2]).lookup();
        const record0 = read.batch.bytes.subarray(
          read.columns.record,
          read.columns.record + 65_536,
        );
        expect(read.row(0).state).toBe('hit');
        expect(record0.findIndex((byte, i) => byte !== ((i * 31 + (i >> 8)) & 255))).toBe(-1);
        read.end();
      }),
    );
  });

  describe(`${name}: apart from the data path`, () => {
    it(
      'reads by key, shows all, and knows how many there are',
      on(async (bench) => {
        const entries = entriesTable();
        const client = bench.client([entries]);
        await put(client, entries, { 1: 10, 2: 20, 3: 30 });
        const rows = rowsOf([3, 4, 1]);
        let found: number[] | undefined;
        expect(
          client.session.fetch(entries, rows, (got) => {
            found = [...got];
          }),
        ).toBe(true);
        await bench.until('the records', () => found !== undefined);
        expect(found).toEqual([1, 0, 1]);
        expect([valueIn(rows, 0), valueIn(rows, 2)]).toEqual([30, 10]);
        const seen = new Map<number, number>();
        client.session.scan(entries, 100, (shown) => {
          for (let i = 0; i < shown.count; i++)
            seen.set(keyNumber(shown.view, i * shown.stride), valueIn(shown, i));
        });
        await bench.until('a scan', () => seen.size === 3);
        expect(seen).toEqual(
          new Map([
            [1, 10],
            [2, 20],
            [3, 30],
          ]),
        );
        await bench.until('the size', () => client.session.size(entries) === 3);
      }),
    );

    it(
      'removes records that are still the ones given, and says which it was that did',
      on(async (bench) => {
        const entries = entriesTable();
        const [one, two] = [bench.client([entries]), bench.client([entries])];
        await put(one, entries, { 1: 10, 2: 20, 3: 30 });
        const rows = rowsOf([1, 2, 4], [10, 99, 0]);
        const discard = async (client: Client) => {
          let removed: number[] | undefined;
          expect(
            client.session.discard(entries, rows, (got) => {
              removed = [...got];
            }),
          ).toBe(true);
          await bench.until('the removal', () => removed !== undefined);
          return removed;
        };
        expect(await discard(one)).toEqual([1, 0, 0]);
        expect(await discard(two)).toEqual([0, 0, 0]);
        expect(await values(two, entries, [1, 2, 3])).toEqual(['miss', 20, 30]);
      }),
    );

    it(
      'adds to counts, and creates what is absent',
      on(async (bench) => {
        const counters = record('counter', 1, { total: count, mark: u32 });
        const totals = table(`counter${tables++}`, counters, { capacity: 64 }) as AnyTable;
        const clients = [bench.client([totals]), bench.client([totals])];
        const rows = new RecordRows(counters.size, 2);
        rows.count = 2;
        for (const [i, key] of [1, 2].entries()) {
          rows.bytes.set(keyOf(key), i * rows.stride);
          rows.view.setFloat64(i * rows.stride + recordRow.record, 5 + i, true);
        }
        let done = 0;
        for (const client of [...clients, ...clients]) {
          expect(
            client.session.add(totals, rows, (added) => {
              expect([...added]).toEqual([1, 1]);
              done++;
            }),
          ).toBe(true);
        }
        await bench.until('four additions', () => done === 4);
        const read = new RecordRows(counters.size, 2);
        read.count = 2;
        for (const [i, key] of [1, 2].entries()) read.bytes.set(keyOf(key), i * read.stride);
        let found = false;
        clients[0].session.fetch(totals, read, () => {
          found = true;
        });
        await bench.until('the counts', () => found);
        const total = (i: number) => read.view.getFloat64(i * read.stride + recordRow.record, true);
        expect([total(0), total(1)]).toEqual([20, 24]);
      }),
    );
  });

  describe(`${name}: timers`, () => {
    it(
      'lets an idle record live for T at least and 1.5 T at most, each class by its own',
      on(async (bench) => {
        const entries = timedTable();
        const [one, two] = [bench.client([entries]), bench.client([entries])];
        const expired = new Map<number, number>();
        for (const client of [one, two]) {
          client.session.expire(entries, 60, (rows) => {
            for (let i = 0; i < rows.count; i++) {
              const at = i * rows.stride;
              expired.set(keyNumber(rows.view, at), bench.now);
              expect(rows.bytes[at + recordRow.timer] & 3).toBe(keyNumber(rows.view, at) % 10);
              expect(valueIn(rows, i)).toBe(keyNumber(rows.view, at));
            }
            confirmAll(client, entries, rows);
          });
        }
        const created = new Map<number, readonly [number, number]>();
        for (const key of [1, 2, 10, 11, 12]) {
          const before = bench.now;
          await put(one, entries, { [key]: key }, key % 10);
          created.set(key, [before, bench.now]);
          await bench.wait(30);
        }
        await bench.wait(800 * 1.5 + 150);
        for (const [key, [before, after]] of created) {
          const life = idle[key % 10];
          const end = expired.get(key);
          if (life === 0) {
            expect(end).toBeUndefined();
            continue;
          }
          expect((end as number) - before).toBeGreaterThanOrEqual(life);
          expect((end as number) - after).toBeLessThanOrEqual(life * 1.5 + 200);
        }
        expect(await values(two, entries, [1, 10])).toEqual(['miss', 10]);
      }),
    );

    it(
      'prolongs a life with each refreshing lookup, and with no other',
      on(async (bench) => {
        const entries = timedTable();
        const client = bench.client([entries]);
        const expired: number[] = [];
        client.session.expire(entries, 60, (rows) => {
          for (let i = 0; i < rows.count; i++) expired.push(keyNumber(rows.view, i * rows.stride));
          confirmAll(client, entries, rows);
        });
        await put(client, entries, { 1: 10, 2: 20 }, 1);
        for (let i = 0; i < 8; i++) {
          await bench.wait(idle[1] * 0.4);
          const kept = await client.batch(entries, [1]).lookup({ refresh: everyPacket });
          kept.end();
          const merelyRead = await client.batch(entries, [2]).lookup();
          merelyRead.end();
        }
        expect(expired).toEqual([2]);
        expect(await values(client, entries, [1, 2])).toEqual([10, 'miss']);
      }),
    );

    it(
      'hands each expired record to one claimer, and again unless it is confirmed',
      on(async (bench) => {
        const entries = timedTable();
        const clients = [bench.client([entries]), bench.client([entries])];
        const claims: number[] = [];
        let confirming = false;
        for (const client of clients) {
          client.session.expire(entries, 60, (rows) => {
            for (let i = 0; i < rows.count; i++) claims.push(keyNumber(rows.view, i * rows.stride));
            if (confirming) confirmAll(client, entries, rows);
          });
        }
        await put(clients[0], entries, { 1: 10, 2: 20, 3: 30 }, 1);
        await bench.wait(idle[1] * 1.5 + 200);
        expect([...claims].sort()).toEqual([1, 2, 3]);
        expect(await values(clients[1], entries, [1, 2, 3])).toEqual(['miss', 'miss', 'miss']);
        // The key may be used again meanwhile.
        await put(clients[1], entries, { 1: 11 }, 0);
        const { claimsLapseMilliseconds: lapse } = bench.opened;
        if (lapse === undefined) return;
        confirming = true;
        claims.length = 0;
        await bench.wait(lapse + 500);
        expect([...claims].sort()).toEqual([1, 2, 3]);
        claims.length = 0;
        await bench.wait(lapse + 500);
        expect(claims).toEqual([]);
        expect(await values(clients[0], entries, [1, 2, 3])).toEqual([11, 'miss', 'miss']);
      }),
    );
  });

  describe(`${name}: numbers`, () => {
    const poolOf = (entries: AnyTable, size: number): NumberPool => ({
      name: `numbers${tables++}`,
      first: 1000,
      count: size,
      use: { table: entries, key: (number, out) => out.set(keyOf(number)) },
    });

    /** As many numbers as are asked for, which there must be; or everything that a lease gives. */
    async function drain(bench: Bench, lease: ReturnType<Client['session']['lease']>, asked = 0) {
      const taken: number[] = [];
      const out = new Uint32Array(7);
      const [most, patience] = asked > 0 ? [asked, 2000] : [1000, 20];
      for (let vain = 0; vain < patience && taken.length < most; ) {
        const got = lease.take(out.subarray(0, Math.min(7, most - taken.length)));
        taken.push(...out.subarray(0, got));
        if (got > 0) vain = 0;
        else {
          vain++;
          await bench.turn(2);
        }
      }
      return taken;
    }

    it(
      'go to one holder each, and after they are given back to another',
      on(async (bench) => {
        const entries = entriesTable();
        const pool = poolOf(entries, 60);
        const [one, two] = [bench.client([entries]), bench.client([entries])];
        const [first, second] = [one.session.lease(pool), two.session.lease(pool)];
        const held = await drain(bench, first, 20);
        const rest = await drain(bench, second);
        expect(held.length).toBe(20);
        expect(new Set([...held, ...rest]).size).toBe(held.length + rest.length);
        for (const number of [...held, ...rest]) {
          expect(number).toBeGreaterThanOrEqual(1000);
          expect(number).toBeLessThan(1060);
        }
        for (const number of held) second.give(number);
        await bench.wait(50);
        const again = await drain(bench, second, 1);
        expect(again.length).toBe(1);
        again.push(...(await drain(bench, second)));
        for (const number of again) expect(rest).not.toContain(number);
        expect(new Set(again).size).toBe(again.length);
      }),
    );

    it(
      'that are given back twice are refused, and given to nobody twice',
      on(async (bench) => {
        const entries = entriesTable();
        const pool = poolOf(entries, 10);
        const client = bench.client([entries]);
        const lease = client.session.lease(pool);
        const held = await drain(bench, lease, 10);
        expect(held.length).toBe(10);
        expect(await drain(bench, lease)).toEqual([]);
        lease.give(held[3]);
        const refused = () => client.reports.includes('number-not-out');
        try {
          lease.give(held[3]);
          await bench.until('the refusal', refused);
        } catch (error) {
          expect(String(error)).toMatch(/is not out/);
        }
        expect(await drain(bench, lease, 1)).toEqual([held[3]]);
        expect(await drain(bench, lease)).toEqual([]);
      }),
    );
  });

  describe(`${name}: many at once`, () => {
    it(
      'is linearizable, key by key',
      on(async (bench) => {
        const entries = entriesTable();
        const clients = [1, 2, 3].map(() => bench.client([entries]));
        const history = await recordHistory(bench, clients, entries, {
          rounds: 150,
          keys: 4,
          seed: 7,
        });
        expect(history.length).toBeGreaterThan(500);
        expect(checkHistory(history)).toBeUndefined();
      }),
    );
  });
}

function rowsOf(keys: readonly number[], contents: readonly number[] = []): RecordRows {
  const rows = new RecordRows(recordSize, keys.length);
  rows.count = keys.length;
  for (const [i, key] of keys.entries()) {
    rows.bytes.set(keyOf(key), i * rows.stride);
    rows.view.setUint32(i * rows.stride + recordRow.record, contents[i] ?? 0, true);
  }
  return rows;
}

function valueIn(rows: RecordRows, i: number): number {
  return rows.view.getUint32(i * rows.stride + recordRow.record, true);
}

function confirmAll(client: Client, entries: AnyTable, rows: RecordRows): void {
  const claims = new Uint32Array(rows.count);
  for (let i = 0; i < rows.count; i++)
    claims[i] = rows.view.getUint32(i * rows.stride + recordRow.claim, true);
  client.session.confirm(entries, claims, rows.count);
}
