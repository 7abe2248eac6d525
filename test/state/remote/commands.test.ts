/** Commands that are not of the data path: many at once, each with the reply that is its own. */
import { record, table, u32 } from 'rxnf';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { remoteStore } from '../../../src/state/remote/remote-store.ts';
import { RecordRows, recordRow } from '../../../src/state/store.ts';
import type { AnyTable } from '../../../src/state/table.ts';
import { StoreServer } from '../../support/servers.ts';
import { Bench, keyOf } from '../contract/bench.ts';

const schema = record('entry', 1, { value: u32, other: u32 });
const entries = table('entry', schema, { capacity: 1000 }) as AnyTable;
let server: StoreServer;
let bench: Bench;

beforeEach(async () => {
  server = await StoreServer.start();
  bench = new Bench({
    store: remoteStore({ url: `unix:${server.socket}` }),
    clock: 'real',
    exactCapacity: true,
    close: () => undefined,
  });
});
afterEach(async () => {
  await bench.close();
  await server.stop();
});

it('answers each with its own reply, whatever the callbacks of others ask meanwhile', async () => {
  const client = bench.client([entries]);
  const keys = Array.from({ length: 10 }, (_, i) => i + 1);
  const rows = await client.batch(entries, keys).lookup();
  for (const [row, key] of keys.entries()) rows.stage(row, 'insert', key * 1000);
  await rows.write();
  rows.end();
  const wrong: string[] = [];
  let left = keys.length * (50 + 49);
  const ask = (key: number, rounds: number): void => {
    const wanted = new RecordRows(schema.size, 1);
    wanted.count = 1;
    wanted.bytes.set(keyOf(key));
    const asked = client.session.fetch(entries, wanted, ([found]) => {
      left--;
      const value = wanted.view.getUint32(recordRow.record, true);
      if (found !== 1 || value !== key * 1000) wrong.push(`key ${key}: ${value}`);
      if (rounds <= 1) return;
      ask(key, rounds - 1);
      ask((key % keys.length) + 1, 1);
    });
    expect(asked).toBe(true);
  };
  for (const key of keys) ask(key, 50);
  await bench.until('every answer', () => left === 0);
  expect(wrong).toEqual([]);
});

it('wakes a lane that rests, and lets it rest while there is no answer', async () => {
  const client = bench.client([entries]);
  const rows = client.batch(entries, [1]);
  await bench.wait(50); // for what the lane asks when it begins
  const isDone = rows.startLookup();
  const began = performance.now();
  while (!isDone()) {
    expect(client.lane.awaitStore(900_000)).toBe(true);
    client.lane.breathe();
  }
  expect(performance.now() - began).toBeLessThan(500);
  rows.end();
  const idle = performance.now();
  client.lane.awaitStore(20_000);
  expect(performance.now() - idle).toBeGreaterThan(10);
});
