/** Output commit: what `replicas(n)` promises, with real replicas that lag, stop and take over. */
import { record, table, u32 } from 'rxnf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { remoteStore } from '../../../src/state/remote/remote-store.ts';
import { recordRow } from '../../../src/state/store.ts';
import type { AnyTable } from '../../../src/state/table.ts';
import { StoreServer, serverKinds } from '../../support/servers.ts';
import { Bench, type Client } from '../contract/bench.ts';

const schema = record('entry', 1, { value: u32, other: u32 });
const committed = table('committed', schema, {
  capacity: 100_000,
  commit: { replicas: 1 },
}) as AnyTable;
const plain = table('plain', schema, { capacity: 100_000 }) as AnyTable;

describe.each(serverKinds())('replicas(1) on %s', (kind) => {
  let primary: StoreServer;
  let replica: StoreServer;
  let bench: Bench;

  async function follow(): Promise<void> {
    const [admin, over] = [replica.connect(), primary.connect()];
    await admin.call('REPLICAOF', '127.0.0.1', primary.port);
    await expect.poll(() => over.info('replication'), { timeout: 8000 }).toMatch(/state=online/);
    await over.set('first', 1);
    await expect.poll(() => over.wait(1, 100), { timeout: 8000 }).toBe(1);
    admin.disconnect();
    over.disconnect();
  }

  beforeEach(async () => {
    primary = await StoreServer.start({ kind, arguments: ['--repl-diskless-sync-delay', '0'] });
    replica = await StoreServer.start({ kind });
    await follow();
    bench = new Bench({
      store: remoteStore({
        url: `unix:${primary.socket}`,
        requestMilliseconds: 400,
        claimLapseMilliseconds: 1000,
      }),
      clock: 'real',
      exactCapacity: false,
      close: () => undefined,
    });
  });
  afterEach(async () => {
    await bench.close();
    replica.kill('SIGCONT');
    await replica.stop();
    await primary.stop();
  });

  async function write(client: Client, entries: AnyTable, key: number, value: number) {
    const rows = await client.batch(entries, [key]).lookup();
    rows.stage(0, rows.row(0).state === 'hit' ? 'swap' : 'insert', value);
    await rows.write();
    const row = rows.row(0);
    rows.end();
    return row;
  }

  async function read(client: Client, entries: AnyTable, key: number) {
    const rows = await client.batch(entries, [key]).lookup();
    const row = rows.row(0);
    rows.end();
    return row;
  }

  it('lets a write through when the replica has it, and marks it for readers', async () => {
    const client = bench.client([committed]);
    expect(await write(client, committed, 1, 10)).toMatchObject({ state: 'hit', dropped: false });
    await bench.wait(50);
    const on = replica.connect();
    const keys = await on.keysBuffer('*committed/*');
    expect(keys.length).toBe(1);
    const value = await on.getBuffer(keys[0] as Buffer);
    on.disconnect();
    expect(value?.readUInt32LE(24)).toBe(10);
    expect((value?.[17] ?? 0) & 1).toBe(1);
    // A marked record is read without the replica.
    replica.kill('SIGSTOP');
    expect(await read(client, committed, 1)).toMatchObject({ state: 'hit', dropped: false });
  });

  it('drops what depends on a write that no replica has, a reader as the writer', async () => {
    const clients = [bench.client([committed]), bench.client([committed])];
    replica.kill('SIGSTOP');
    const [one, two] = clients as [Client, Client];
    expect(await write(one, committed, 1, 10)).toMatchObject({ state: 'unknown', dropped: true });
    expect(await read(two, committed, 1)).toMatchObject({ dropped: true });
    // A loser depends on the winner that it saw.
    const rows = await two.batch(committed, [2]).lookup();
    expect(await write(one, committed, 2, 20)).toMatchObject({ dropped: true });
    rows.stage(0, 'insert', 21);
    await rows.write();
    expect(rows.row(0)).toMatchObject({ state: 'unknown', dropped: true });
    rows.end();
    // Who meets it once the replica is there again commits it.
    replica.kill('SIGCONT');
    const began = performance.now();
    let again = await read(two, committed, 1);
    while (again.dropped && performance.now() - began < 8000) again = await read(two, committed, 1);
    expect(again).toMatchObject({ state: 'hit', value: 10, dropped: false });
    const { dropped } = two.lane.statistics();
    expect(dropped['commit-unknown']).toBeGreaterThan(1);
  });

  it('holds up no table that asks for the primary only', async () => {
    const client = bench.client([committed, plain]);
    expect(await write(client, plain, 1, 10)).toMatchObject({ state: 'hit', dropped: false });
    replica.kill('SIGSTOP');
    const slow = client.batch(committed, [5]);
    await slow.lookup();
    slow.stage(0, 'insert', 50);
    const done = slow.startWrite();
    for (let i = 0; i < 20; i++)
      expect(await write(client, plain, 2, i)).toMatchObject({ dropped: false });
    expect(done()).toBe(false);
    await bench.until('the slow one', done);
    expect(slow.row(0).dropped).toBe(true);
    slow.end();
  });

  it('hands over no ended record before the replica knows of its end', async () => {
    const timed = table('timed', schema, {
      capacity: 1000,
      idleSeconds: [0.5],
      commit: { replicas: 1 },
    }) as AnyTable;
    const client = bench.client([timed]);
    expect(await write(client, timed, 1, 10)).toMatchObject({ state: 'hit', dropped: false });
    const ended: number[] = [];
    client.session.expire(timed, 100, ({ count, stride, view }) => {
      for (let i = 0; i < count; i++)
        ended.push(view.getUint32(i * stride + recordRow.record, true));
    });
    replica.kill('SIGSTOP');
    const on = primary.connect();
    await expect
      .poll(
        async () => {
          await bench.wait(50);
          return await on.keys('*timed/*');
        },
        { timeout: 8000 },
      )
      .toEqual([]);
    on.disconnect();
    await bench.wait(500);
    expect(ended).toEqual([]);
    replica.kill('SIGCONT');
    await bench.until('the record that ended', () => ended.length > 0);
    expect(ended[0]).toBe(10);
  });

  it('loses nothing that it let through when the replica takes over', async () => {
    const client = bench.client([committed]);
    const through: number[] = [];
    let killed = false;
    for (let key = 1; key <= 400; key++) {
      const { state, dropped } = await write(client, committed, key, key * 3);
      if (state === 'hit' && !dropped) through.push(key);
      if (key === 250) {
        primary.kill();
        killed = true;
      }
      if (killed && key > 260) break;
    }
    expect(through.length).toBeGreaterThanOrEqual(249);
    const admin = replica.connect();
    await admin.call('REPLICAOF', 'NO', 'ONE');
    admin.disconnect();
    const after = new Bench({
      store: remoteStore({ url: `unix:${replica.socket}` }),
      clock: 'real',
      exactCapacity: false,
      close: () => undefined,
    });
    const survivor = after.client([table('committed', schema, { capacity: 100_000 }) as AnyTable]);
    const entries = survivor.lane.tables[0] as AnyTable;
    for (const key of through)
      expect(await read(survivor, entries, key)).toMatchObject({ state: 'hit', value: key * 3 });
    await after.close();
  });
});
