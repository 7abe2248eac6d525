/** Exactly once on a network that loses requests and replies. */
import { count, record, table, u32 } from 'rxnf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { remoteStore } from '../../../src/state/remote/remote-store.ts';
import { RecordRows, recordRow } from '../../../src/state/store.ts';
import type { AnyTable } from '../../../src/state/table.ts';
import { CuttingProxy } from '../../support/cutting-proxy.ts';
import { StoreServer, serverKinds } from '../../support/servers.ts';
import { Bench, keyOf } from '../contract/bench.ts';
import { recordHistory } from '../contract/concurrent.ts';
import { checkHistory } from '../contract/histories.ts';

describe.each(serverKinds())('%s behind a network that loses connections', (kind) => {
  let server: StoreServer;
  let proxy: CuttingProxy;
  let bench: Bench;

  beforeEach(async () => {
    server = await StoreServer.start({ kind });
    proxy = await CuttingProxy.start({
      path: server.socket,
      seed: 11,
      requestLost: 0.05,
      replyLost: 0.05,
    });
    bench = new Bench({
      store: remoteStore({ url: `redis://127.0.0.1:${proxy.port}` }),
      clock: 'real',
      exactCapacity: false,
      close: () => undefined,
    });
  });
  afterEach(async () => {
    await bench.close();
    await proxy.stop();
    await server.stop();
  });

  it('is linearizable, each write once or never', async () => {
    const entries = table('entry', record('entry', 1, { value: u32, other: u32 }), {
      capacity: 1024,
    }) as AnyTable;
    const clients = [1, 2, 3].map(() => bench.client([entries]));
    proxy.active = true;
    const work = { rounds: 300, keys: 4, seed: 7 };
    const history = await recordHistory(bench, clients, entries, work);
    expect(proxy.cuts).toBeGreaterThan(20);
    expect(checkHistory(history)).toBeUndefined();
  });

  it('adds once, however often it is asked', async () => {
    const counters = record('counter', 1, { total: count, mark: u32 });
    const totals = table('counter', counters, { capacity: 64 }) as AnyTable;
    const clients = [1, 2].map(() => bench.client([totals]));
    proxy.active = true;
    const rows = new RecordRows(counters.size, 1);
    rows.count = 1;
    rows.bytes.set(keyOf(1));
    rows.view.setFloat64(recordRow.record, 1, true);
    let [known, unknown, done] = [0, 0, 0];
    const enough = 800;
    let asked = 0;
    // A slow machine sends more of them in one request, of which fewer are then cut. While the server
    // seems away an addition comes back at once, not done.
    while (known < enough || proxy.cuts <= 10) {
      for (const { session } of clients) {
        asked++;
        session.add(totals, rows, ([added]) => {
          done++;
          if (added === 1) known++;
          else unknown++;
        });
      }
      await bench.turn();
      await bench.until('room', () => done > asked - 40);
    }
    await bench.until('all additions', () => done === asked);
    proxy.active = false;
    let total: number | undefined;
    await bench.wait(100);
    clients[0].session.fetch(totals, rows, () => {
      total = rows.view.getFloat64(recordRow.record, true);
    });
    await bench.until('the total', () => total !== undefined);
    expect(proxy.cuts).toBeGreaterThan(10);
    expect(total).toBeGreaterThanOrEqual(known);
    expect(total).toBeLessThanOrEqual(known + unknown);
  });

  it('hands out no number twice, and loses none', async () => {
    const entries = table('use', record('use', 1, { value: u32 }), { capacity: 4096 }) as AnyTable;
    const pool = {
      name: 'numbers',
      first: 0,
      count: 500,
      use: { table: entries, key: (number: number, out: Uint8Array) => out.set(keyOf(number)) },
    };
    const leases = [1, 2].map(() => bench.client([entries]).session.lease(pool));
    proxy.active = true;
    const held = leases.map(() => [] as number[]);
    const out = new Uint32Array(16);
    for (let i = 0; i < 600; i++) {
      leases.forEach((lease, k) => {
        const mine = held[k] as number[];
        if (i % 3 !== 0) mine.push(...out.subarray(0, lease.take(out)));
        else for (const number of mine.splice(0, 20)) lease.give(number);
      });
      const all = held.flat();
      expect(new Set(all).size).toBe(all.length);
      await bench.turn(2);
    }
    expect(proxy.cuts).toBeGreaterThan(10);
    proxy.active = false;
    held.forEach((numbers, k) => {
      for (const number of numbers.splice(0)) leases[k]?.give(number);
    });
    // Everything comes back, so that one of them can have all that the other has not at hand.
    const got = new Set<number>();
    await bench.until('all numbers', () => {
      for (const lease of leases) for (const n of out.subarray(0, lease.take(out))) got.add(n);
      return got.size === pool.count;
    });
  });
});
