/** A store on a cluster: slots that move under traffic, nodes that come, and a primary that is lost. */
import { setTimeout as sleep } from 'node:timers/promises';
import { count, record, table, u32 } from 'rxnf';
import { afterEach, describe, expect, it } from 'vitest';
import { type RemoteStoreOptions, remoteStore } from '../../../src/state/remote/remote-store.ts';
import { RecordRows, recordRow } from '../../../src/state/store.ts';
import type { AnyTable } from '../../../src/state/table.ts';
import { type ClusterNode, StoreCluster } from '../../support/clusters.ts';
import { freePort, StoreServer, serverKinds } from '../../support/servers.ts';
import { Bench, type Client, keyOf } from '../contract/bench.ts';
import { recordHistory } from '../contract/concurrent.ts';
import { checkHistory } from '../contract/histories.ts';

const schema = record('entry', 1, { value: u32, other: u32 });
const entries = table('entry', schema, { capacity: 65_536 }) as AnyTable;
const committed = table('committed', schema, {
  capacity: 65_536,
  commit: { replicas: 1 },
}) as AnyTable;
const partitions = 16;

let cluster: StoreCluster;
let bench: Bench;

function benchOn(url: string, options: Partial<RemoteStoreOptions> = {}): Bench {
  return new Bench({
    store: remoteStore({ url, partitions, ...options }),
    clock: 'real',
    exactCapacity: false,
    close: () => undefined,
  });
}

afterEach(async () => {
  await bench.close();
  await cluster?.stop();
});

/** The slots of all partitions. */
function slotsOf(node: ClusterNode): Promise<number[]> {
  const tags = Array.from({ length: partitions }, (_, p) => p.toString(16).padStart(2, '0'));
  return Promise.all(
    tags.map(async (tag) => Number(await node.control.call('CLUSTER', 'KEYSLOT', `{${tag}}`))),
  );
}

/** How often nodes have refused for this reason. */
async function refusals(nodes: readonly ClusterNode[], word: string): Promise<number> {
  const found = await Promise.all(
    nodes.map(async ({ control }) => {
      const text = await control.info('errorstats');
      return Number(new RegExp(`errorstat_${word}:count=(\\d+)`).exec(text)?.[1] ?? 0);
    }),
  );
  return found.reduce((sum, n) => sum + n, 0);
}

async function write(client: Client, of: AnyTable, key: number, value: number) {
  const rows = await client.batch(of, [key]).lookup();
  rows.stage(0, rows.row(0).state === 'hit' ? 'swap' : 'insert', value);
  await rows.write();
  const row = rows.row(0);
  rows.end();
  return row;
}

async function read(client: Client, of: AnyTable, key: number) {
  const rows = await client.batch(of, [key]).lookup();
  const row = rows.row(0);
  rows.end();
  return row;
}

/** Why packets were dropped; without those that a bench gives back undecided. */
const reasonsOf = ({ lane }: Client) =>
  Object.entries(lane.statistics().dropped)
    .filter(([reason, packets]) => packets > 0 && reason !== 'unsettled')
    .map(([reason]) => reason);

describe.each(serverKinds())('A %s cluster', (kind) => {
  it('is linearizable while its slots move, and adds and numbers stay exact', async () => {
    cluster = await StoreCluster.start({ kind });
    bench = benchOn(cluster.url);
    const counters = record('counter', 1, { total: count, mark: u32 });
    const totals = table('counter', counters, { capacity: 64 }) as AnyTable;
    const uses = table('use', record('use', 1, { value: u32 }), { capacity: 4096 }) as AnyTable;
    const pool = {
      name: 'numbers',
      first: 0,
      count: 500,
      use: { table: uses, key: (number: number, out: Uint8Array) => out.set(keyOf(number)) },
    };
    const clients = [1, 2, 3].map(() => bench.client([entries, totals, uses]));
    const leases = clients.map(({ session }) => session.lease(pool));
    const slots = await slotsOf(cluster.primaries[0]);

    let working = true;
    let moves = 0;
    const moving = (async () => {
      for (let n = 0; working; n++) {
        const to = cluster.primaries[(n + 1 + Math.floor(n / slots.length)) % 3];
        await cluster.moveSlot(slots[n % slots.length], to, { lot: 1, pause: 2 });
        moves++;
      }
    })();

    const rows = new RecordRows(counters.size, 1);
    rows.count = 1;
    rows.bytes.set(keyOf(1));
    rows.view.setFloat64(recordRow.record, 1, true);
    let [asked, known, unknown] = [0, 0, 0];
    const held = leases.map(() => [] as number[]);
    const out = new Uint32Array(16);
    const others = setInterval(() => {
      for (const { session } of clients) {
        if (asked > known + unknown + 40) continue;
        asked++;
        session.add(totals, rows, ([added]) => {
          if (added === 1) known++;
          else unknown++;
        });
      }
      leases.forEach((lease, k) => {
        const mine = held[k] as number[];
        if (mine.length < 40) mine.push(...out.subarray(0, lease.take(out)));
        else for (const number of mine.splice(0, 20)) lease.give(number);
      });
      const all = held.flat();
      expect(new Set(all).size).toBe(all.length);
    }, 2);
    const work = { rounds: 1000, keys: 12, seed: 5 };
    const history = await recordHistory(bench, clients, entries, work).finally(() => {
      clearInterval(others);
      working = false;
      return moving;
    });
    await bench.until('all additions', () => known + unknown === asked);

    expect(moves).toBeGreaterThan(slots.length);
    for (const word of ['MOVED', 'ASK', 'TRYAGAIN'])
      expect(await refusals(cluster.nodes, word), word).toBeGreaterThan(0);
    expect(checkHistory(history)).toBeUndefined();
    let total: number | undefined;
    clients[0].session.fetch(totals, rows, () => {
      total = rows.view.getFloat64(recordRow.record, true);
    });
    await bench.until('the total', () => total !== undefined);
    expect(total).toBeGreaterThanOrEqual(known);
    expect(total).toBeLessThanOrEqual(known + unknown);
    expect(clients.flatMap(reasonsOf)).toEqual([]);
  }, 60_000);

  it('answers for every key, there or not, while a slot stands half moved', async () => {
    cluster = await StoreCluster.start({ kind });
    bench = benchOn(cluster.url, { partitions: 1 });
    const client = bench.client([entries, committed]);
    const there = Array.from({ length: 20 }, (_, n) => n + 1);
    const absent = there.map((key) => key + 100);
    for (const key of there) await write(client, entries, key, key * 3);
    const [slot] = (await slotsOf(cluster.primaries[0])) as [number];
    const from = await cluster.ownerOf(slot);
    const to = cluster.primaries.find((node) => node !== from) as ClusterNode;
    await to.control.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id);
    await from.control.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id);
    const names = (await from.control.keysBuffer('{00}entry/*')).slice(0, there.length / 2);
    const migrate = ['MIGRATE', '127.0.0.1', to.server.port, '', 0, 5000, 'KEYS'] as const;
    await from.control.call(...migrate, ...names);

    const lookUp = async (keys: readonly number[]) => {
      const rows = await client.batch(entries, keys).lookup();
      const found = rows.rows.map(({ state, value }) => (state === 'hit' ? value : state));
      rows.end();
      return found;
    };
    const values = there.map((key) => key * 3);
    const misses = absent.map(() => 'miss');
    expect(await lookUp(there)).toEqual(values);
    expect(await lookUp(absent.slice(0, 1))).toEqual(['miss']);
    expect(await lookUp(absent)).toEqual(misses);
    expect(await lookUp([...there.slice(5, 17), ...absent.slice(0, 12)])).toEqual([
      ...values.slice(5, 17),
      ...misses.slice(0, 12),
    ]);
    expect(reasonsOf(client)).toEqual([]);
    for (const word of ['TRYAGAIN', 'ASK'])
      expect(await refusals(cluster.nodes, word), word).toBeGreaterThan(0);
    // Several at once, in order.
    const batches = [there, absent, there].map((keys) => client.batch(entries, keys));
    const done = batches.map((rows) => rows.startLookup());
    await bench.until('all of them', () => done.every((isDone) => isDone()));
    expect(batches.map((rows) => rows.rows.map(({ state }) => state))).toEqual([
      there.map(() => 'hit'),
      misses,
      there.map(() => 'hit'),
    ]);
    for (const rows of batches) rows.end();
    await cluster.moveSlot(slot, to);
    expect(await lookUp(there)).toEqual(values);
    expect(await write(client, entries, 200, 1)).toMatchObject({ state: 'hit', dropped: false });
  }, 60_000);

  it.each([
    ['records', false],
    ['what is kept beside them', true],
  ])(
    'claims each ended record once while its slot stands half moved: first %s',
    async (_, isBeside) => {
      cluster = await StoreCluster.start({ kind });
      bench = benchOn(cluster.url, { partitions: 1 });
      const ending = table('ending', schema, { capacity: 64, idleSeconds: 0.1 }) as AnyTable;
      const client = bench.client([ending]);
      for (let key = 1; key <= 6; key++) await write(client, ending, key, key);
      await bench.wait(300);
      const [slot] = (await slotsOf(cluster.primaries[0])) as [number];
      const from = await cluster.ownerOf(slot);
      const to = cluster.primaries.find((node) => node !== from) as ClusterNode;
      const [due, claimed, size] = ['{00}ending!', '{00}ending?', '{00}ending='] as const;
      const claim = async ({ control }: ClusterNode, most: number, asking = false) => {
        const pipeline = control.pipeline();
        if (asking) pipeline.call('ASKING');
        pipeline.call('FCALL', 'rxnf1_claim', 3, due, claimed, size, most, 60_000, 1);
        const [error, members] = (await pipeline.exec())?.at(-1) ?? [];
        if (error) throw error;
        return (members as unknown[]).length;
      };

      // A claim is refused while one of its keys is missing; this makes the last of them.
      expect(await claim(from, 1)).toBe(1);
      await to.control.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id);
      await from.control.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id);
      const records = (await from.control.keysBuffer('{00}ending/*')).slice(0, 2);
      const names = isBeside ? [...records, due, claimed, size] : records;
      const { port } = to.server;
      await from.control.call('MIGRATE', '127.0.0.1', port, '', 0, 5000, 'KEYS', ...names);
      const side = isBeside ? to : from;
      const [here, elsewhere] = isBeside ? [2, 3] : [3, 2];
      expect(await claim(side, 64, isBeside)).toBe(here);
      await cluster.moveSlot(slot, to);
      expect(Number(await to.control.get(size))).toBe(elsewhere);
      expect(await claim(to, 64)).toBe(elsewhere);
      expect(Number(await to.control.get(size))).toBe(0);
      expect(await to.control.exists(due)).toBe(0);
    },
    60_000,
  );

  it('is followed to a node that joined later, which gets the functions', async () => {
    cluster = await StoreCluster.start({ kind });
    bench = benchOn(`redis+cluster://127.0.0.1:${cluster.primaries[0]?.server.port}`);
    const client = bench.client([entries]);
    for (let key = 0; key < 64; key++) await write(client, entries, key, key);
    const joined = await cluster.add();
    const functions = () => joined.control.call('FUNCTION', 'LIST') as Promise<unknown[]>;
    const before = (await functions()).length;
    for (const slot of await slotsOf(joined)) await cluster.moveSlot(slot, joined);
    for (let key = 0; key < 64; key++) {
      expect(await write(client, entries, key, key + 100)).toMatchObject({ dropped: false });
      expect(await read(client, entries, key)).toMatchObject({ state: 'hit', value: key + 100 });
    }
    expect(before).toBe(0);
    expect((await functions()).length).toBe(1);
    expect(reasonsOf(client)).toEqual([]);
  }, 60_000);

  it('loses nothing that replicas(1) let through when a primary dies and comes back', async () => {
    cluster = await StoreCluster.start({ kind, replicas: 1 });
    bench = benchOn(cluster.url, { requestMilliseconds: 400 });
    const client = bench.client([committed]);
    const through = new Map<number, number>();
    const put = async (key: number, value: number) => {
      const row = await write(client, committed, key, value);
      if (!row.dropped) through.set(key, value);
      return row;
    };
    for (let key = 0; key < 100; key++) await put(key, key);
    expect(through.size).toBe(100);
    const slot = (await slotsOf(cluster.primaries[0] as ClusterNode))[0] as number;
    const lost = await cluster.ownerOf(slot);
    for (let key = 100; key < 400; key++) {
      await put(key, key);
      if (key === 200) lost.server.kill();
    }
    let heir: ClusterNode | undefined;
    void cluster.ownerOf(slot).then((node) => {
      heir = node;
    });
    await bench.until('its replica to take over', () => heir !== undefined);
    // The new primary has nobody who could have what it is told, until the old one follows it.
    const back = await lost.again();
    const end = performance.now() + 20_000;
    for (let key = 0; key < 400; ) {
      if ((await put(key, key + 1000)).dropped) await bench.wait(20);
      else key++;
      if (performance.now() > end) throw new Error('it has not come back');
    }
    for (const [key, value] of through)
      expect(await read(client, committed, key)).toMatchObject({ state: 'hit', value });
    const reports = () => client.reports.filter((event) => event.startsWith('store-'));
    expect(reports()).toContain('store-away');
    await bench.until('the end of the outage', () => reports().at(-1) === 'store-back');
    for (const reason of reasonsOf(client))
      expect(['store-unavailable', 'store-timeout', 'commit-unknown']).toContain(reason);
    back.control.disconnect();
    await back.server.stop();
  }, 60_000);

  it('keeps what replicas(1) let through, though the rest of a lost primary is lost', async () => {
    cluster = await StoreCluster.start({ kind, replicas: 1 });
    bench = benchOn(cluster.url, { requestMilliseconds: 400 });
    const client = bench.client([committed]);
    const slot = (await slotsOf(cluster.primaries[0]))[0] as number;
    const lost = await cluster.ownerOf(slot);
    // Its replica hears nothing any more, and does not know.
    const replica = await replicaOf(lost);
    replica.server.kill('SIGSTOP');
    let refused = 0;
    const through = new Map<number, number>();
    for (let key = 0; key < 60; key++) {
      const row = await write(client, committed, key, key);
      if (row.dropped) refused++;
      else through.set(key, key);
    }
    expect(refused).toBeGreaterThan(3);
    lost.server.kill();
    replica.server.kill('SIGCONT');
    const end = performance.now() + 20_000;
    for (const [key, value] of through) {
      let row = await read(client, committed, key);
      while (row.dropped && performance.now() < end) {
        await sleep(20);
        row = await read(client, committed, key);
      }
      expect(row).toMatchObject({ state: 'hit', value });
    }
  }, 60_000);

  async function replicaOf(primary: ClusterNode): Promise<ClusterNode> {
    const lines = String(await primary.control.call('CLUSTER', 'REPLICAS', primary.id));
    const found = cluster.replicas.find(({ id }) => lines.includes(id));
    if (!found) throw new Error('it has no replica');
    return found;
  }
});

describe('A cluster that is none', () => {
  it('is refused, and says of whom it was asked', async () => {
    const single = await StoreServer.start();
    const ports = [await freePort(), single.port];
    const options = { connectMilliseconds: 100, requestMilliseconds: 100 };
    bench = benchOn(`redis+cluster://127.0.0.1:${ports[0]},127.0.0.1:${ports[1]}`, options);
    try {
      expect(() => bench.client([entries])).toThrow(
        `none of 127.0.0.1:${ports[0]}, 127.0.0.1:${ports[1]} knows of a cluster`,
      );
    } finally {
      await single.stop();
    }
  });
});
