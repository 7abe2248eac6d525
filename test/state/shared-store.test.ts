import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { bytes, ipv4, port, record, sharedStore, table, u16, u32 } from 'rxnf';
import { afterEach, describe, expect, it } from 'vitest';
import { native } from '../../src/native.ts';
import { fenceShared, removeStore, storedTables } from '../../src/state/shared-store.ts';
import type { AnyTable } from '../../src/state/table.ts';
import { makeLane } from '../streams/lanes.ts';

let made = 0;
const folders: string[] = [];

function folder(): string {
  const path = `/dev/shm/rxnf-test-${process.pid}-${made++}`;
  folders.push(path);
  return path;
}

afterEach(() => {
  for (const path of folders.splice(0)) removeStore(path);
});

const schema = record('entry', 1, { value: u32 });
const entries = (capacity = 100) => table('entry', schema, { capacity }) as unknown as AnyTable;

function key(n: number): Uint8Array {
  const made16 = new Uint8Array(16);
  new DataView(made16.buffer).setUint32(0, n);
  return made16;
}
function value(n: number): Uint8Array {
  const made8 = new Uint8Array(8);
  new DataView(made8.buffer).setUint32(0, n, true);
  return made8;
}

function opened(path: string, instance?: string) {
  const { lane } = makeLane();
  const session = sharedStore({ path, ...(instance && { instance }) }).open(lane);
  return { lane, session };
}

/** A process that opens the store, writes record 7, says so, and waits to be ended. */
async function otherProcess(path: string, instance: string, ...more: readonly string[]) {
  const script = new URL('./shared-writer.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--conditions=source', script, path, instance, ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

describe('the shared-memory store', () => {
  it('keeps its records when every lane has gone', () => {
    const path = folder();
    const first = opened(path);
    first.session.put(entries(), key(1), value(10), 0);
    first.lane.close();
    const second = opened(path);
    expect(second.session.read(entries(), key(1))?.getUint32(0, true)).toBe(10);
    expect(storedTables(path)).toEqual(['entry']);
    second.lane.close();
  });

  it('gives each lane a writer number that is never used again', () => {
    const path = folder();
    const store = sharedStore({ path });
    const numbers = [store.takeWriter(), store.takeWriter()];
    const { lane } = makeLane();
    store.open(lane);
    lane.close();
    numbers.push(store.takeWriter());
    expect(new Set(numbers).size).toBe(3);
    expect(numbers[2]).toBeGreaterThan(numbers[1] as number);
  });

  it('shares records with another process, and outlives its kill', async () => {
    const path = folder();
    const own = opened(path);
    const other = await otherProcess(path, 'other');
    expect(own.session.read(entries(), key(7))?.getUint32(0, true)).toBe(70);
    other.kill('SIGKILL');
    await once(other, 'exit');
    expect(own.session.read(entries(), key(7))?.getUint32(0, true)).toBe(70);
    expect(
      native.storeWriters(path).map(({ instance, alive }) => [instance, alive]),
    ).toContainEqual(['other', false]);
    const third = opened(path); // opening repairs
    expect(native.storeWriters(path).some(({ alive }) => !alive)).toBe(false);
    third.lane.close();
    own.lane.close();
  });

  it('fences an instance that is stopped: gone when fence returns', async () => {
    const path = folder();
    const other = await otherProcess(path, 'stopped');
    other.kill('SIGSTOP');
    const exited = once(other, 'exit');
    expect(fenceShared(path, 'stopped').length).toBe(1);
    await exited;
    expect(other.signalCode).toBe('SIGKILL');
    expect(fenceShared(path, 'nobody')).toEqual([]);
  });

  it.each([
    ['stopped in its writes', 'SIGSTOP'],
    ['in the middle of its writes', 'SIGCONT'],
  ] as const)(
    'leaves nothing of an instance that is fenced %s',
    async (_, signal) => {
      const path = folder();
      const own = opened(path, 'own');
      for (let n = 0; n < 3; n++) {
        const other = await otherProcess(path, `other-${n}`, 'on');
        const exited = once(other, 'exit');
        other.kill(signal);
        const fenced = fenceShared(path, `other-${n}`);
        expect(fenced.length).toBe(1);
        // From here on its record is another's: no write of it comes after.
        expect(own.session.put(entries(), key(7), value(n), 0)).toBe(true);
        await exited;
        expect(other.signalCode).toBe('SIGKILL');
        expect(own.session.read(entries(), key(7))?.getUint32(0, true)).toBe(n);
        expect(own.session.size(entries())).toBe(1);
        const next = opened(path, 'next');
        expect(next.session.read(entries(), key(7))?.getUint32(0, true)).toBe(n);
        const writers = native.storeWriters(path);
        expect(writers.every(({ alive }) => alive)).toBe(true);
        expect(writers.map(({ writer }) => writer)).not.toContain(fenced[0]);
        next.lane.close();
      }
      own.lane.close();
    },
    60_000,
  );

  it('does not let a process fence itself', () => {
    const path = folder();
    const own = opened(path, 'own');
    expect(() => fenceShared(path, 'own')).toThrow(
      expect.objectContaining({ code: 'ERR_STORE_FENCE' }) as Error,
    );
    own.lane.close();
  });

  it('refuses a schema that differs, naming the field, and takes one that has fields more', () => {
    const path = folder();
    const one = opened(path);
    const first = record('binding', 1, { address: ipv4, port });
    const of = (s: object) =>
      table('binding', s as typeof first, { capacity: 10 }) as unknown as AnyTable;
    one.session.put(of(first), key(1), new Uint8Array(8).fill(9), 0);
    const longer = record('binding', 2, { address: ipv4, port, serial: u16, state: u32 });
    const two = opened(path);
    const read = two.session.read(of(longer), key(1));
    expect(read?.getUint32(8, true)).toBe(0);
    two.session.put(of(longer), key(1), new Uint8Array(16).fill(7), 0);
    // The older release writes what it knows; the rest stays.
    one.session.put(of(first), key(1), new Uint8Array(8).fill(1), 0);
    expect(two.session.read(of(longer), key(1))?.getUint32(8, true)).toBe(0x07070707);
    const other = record('binding', 3, { address: u32, port });
    const three = opened(path);
    expect(() => three.session.read(of(other), key(1))).toThrow(
      expect.objectContaining({ code: 'ERR_SCHEMA', field: 'address' }),
    );
    for (const { lane } of [one, two, three]) lane.close();
  });

  it('says when memory is short, and leaves nothing half made', () => {
    const path = folder();
    const { lane, session } = opened(path);
    // 280 GB: refused before a page is taken.
    const wide = record('large', 1, { value: bytes(1024) });
    const large = table('large', wide, { capacity: 2 ** 28 });
    expect(() => session.size(large as unknown as AnyTable)).toThrow(
      expect.objectContaining({ code: 'ERR_STORE_FULL' }),
    );
    expect(storedTables(path)).toEqual([]);
    lane.close();
  });

  it('is bounded, and counts what it refuses', () => {
    const path = folder();
    const { lane, session } = opened(path);
    for (let n = 0; n < 120; n++) {
      expect(session.put(entries(100), key(n), value(n), 0)).toBe(n < 100);
    }
    expect(native.tableInfo(session.handle(entries(100)))).toMatchObject({
      records: 100,
      refused: 20,
    });
    lane.close();
  });

  it('reports a table that was made for another number of records, and keeps to that', () => {
    const path = folder();
    const open = (capacity: number) => {
      const { lane, events } = makeLane({ tables: [entries(capacity)] });
      return { session: sharedStore({ path }).open(lane), lane, events };
    };
    const first = open(4);
    const same = open(4);
    expect([...first.events, ...same.events]).toEqual([]);
    const larger = open(100);
    const event = { event: 'store-capacity', holder: 'entry', capacity: 4, configured: 100 };
    expect(larger.events).toEqual([expect.objectContaining(event)]);
    expect(larger.events[0]?.message).toMatch(
      /made for 4 records, not for 100: to change it, .* dump to 100,/,
    );
    for (let n = 0; n < 5; n++)
      expect(larger.session.put(entries(100), key(n), value(n), 0)).toBe(n < 4);
    for (const { lane } of [first, same, larger]) lane.close();
  });

  it('is removed by name', () => {
    const path = folder();
    opened(path).lane.close();
    removeStore(path);
    expect(existsSync(path)).toBe(false);
  });
});
