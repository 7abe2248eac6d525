import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { count, ipv4, port, record, table } from 'rxnf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compose, parts } from '../../src/cli/composition.ts';
import { main } from '../../src/cli/program.ts';
import { remoteStore } from '../../src/state/remote/remote-store.ts';
import type { AnyTable } from '../../src/state/table.ts';
import { Bench, type Client, rowsAtOnce } from '../state/contract/bench.ts';
import { StoreCluster } from '../support/clusters.ts';
import { StoreServer, serverKinds } from '../support/servers.ts';
import { testConsole } from './console.ts';

async function rxnf(...argv: string[]) {
  const { console, out, error } = testConsole();
  const container = compose();
  container.rebind(parts.console).toConstantValue(console);
  const status = await main(argv, container);
  return { status, out: out.text, error: error.text };
}

const schema = record('binding', 1, { address: ipv4, port, packets: count });
const tableOf = (name: string, idleSeconds = 300) =>
  table(name, schema, { capacity: 5000, idleSeconds }) as unknown as AnyTable;
const bindings = tableOf('binding');
const forever = tableOf('forever', 0);
const records = 700; // several pages of SCAN

function row(n: number) {
  const bytes = new Uint8Array(schema.size);
  const view = new DataView(bytes.buffer);
  bytes.set([10, 0, n >> 8, n], schema.offsets.address);
  view.setUint16(schema.offsets.port, 4242);
  view.setFloat64(schema.offsets.packets, n, true);
  return bytes;
}

describe.each(serverKinds())('rxnf state of %s', (kind) => {
  let server: StoreServer;
  let other: StoreServer;
  let folder: string;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rxnf-state-'));
    [server, other] = await Promise.all([StoreServer.start({ kind }), StoreServer.start({ kind })]);
  });
  afterEach(async () => {
    await Promise.all([server.stop(), other.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });
  const urlOf = ({ port: number }: StoreServer) => `redis://127.0.0.1:${number}`;
  const file = (text: string) => {
    const path = join(folder, 'dump');
    writeFileSync(path, text);
    return path;
  };

  /** An instance that has filled the server, and is connected to it until `use` is done. */
  async function filled(partitions: number, use: () => Promise<void>): Promise<void> {
    const bench = new Bench({
      store: remoteStore({ url: `unix:${server.socket}`, instance: 'nat-1', partitions }),
      clock: 'real',
      exactCapacity: false,
      close: () => undefined,
    });
    try {
      const client = bench.client([bindings, forever]);
      await insert(client, bindings, [...Array(records).keys()]);
      await insert(client, forever, [1]);
      await use();
    } finally {
      await bench.close();
    }
  }

  const dumped = async (url: string) => {
    const { out, status, error } = await rxnf('state', 'dump', url);
    expect([status, error]).toEqual([0, '']);
    return out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };

  it('lists tables, how full they are, and who is connected', async () => {
    await filled(1, async () => {
      for (const url of [urlOf(server), `unix:${server.socket}`]) {
        const { status, out } = await rxnf('state', 'list', url);
        expect(status).toBe(0);
        expect(out).toMatch(/^binding\s+700\s+-\s+-$/m);
        expect(out).toMatch(/^forever\s+1\s/m);
        expect(out).toMatch(/^nat-1\S*\s+\S+\s+connected$/m);
      }
    });
  });

  it.each([
    [1, 1],
    [16, 16],
    [16, 3],
  ])('restores what it dumped from %i partitions into %i', async (from, to) => {
    let text = '';
    await filled(from, async () => {
      text = (await rxnf('state', 'dump', urlOf(server))).out;
    });
    const redis = other.connect();
    await redis.set('rxnf:partitions', to);
    const { out, error } = await rxnf('state', 'restore', urlOf(other), file(text));
    expect([error, out]).toEqual(['', `701 records restored into ${urlOf(other)}\n`]);
    const stable = (lines: Record<string, unknown>[]) =>
      lines
        .filter((line) => line['record'] !== undefined)
        .map(({ leftMilliseconds: left, ...line }) =>
          JSON.stringify({ ...line, lives: left !== 0 }),
        )
        .sort();
    const [before, after] = [await dumped(urlOf(server)), await dumped(urlOf(other))];
    expect(stable(after)).toEqual(stable(before));
    expect(stable(after).length).toBe(701);
    expect(after.filter((line) => line['leftMilliseconds'] === 0).length).toBe(1);
    for (const line of after) {
      if (line['table'] !== 'binding' || line['record'] === undefined) continue;
      expect(line['leftMilliseconds']).toBeGreaterThan(300_000);
      expect(line['leftMilliseconds']).toBeLessThanOrEqual(375_000);
    }
    // An instance finds each where it looks for it.
    const keys = async (s: StoreServer) => {
      const connection = s.connect();
      const names = (await connection.keysBuffer('{??}*/*')).map((name) => name.toString('hex'));
      connection.disconnect();
      return names.sort();
    };
    if (from === to) expect(await keys(other)).toEqual(await keys(server));
    expect((await rxnf('state', 'list', urlOf(other))).out).toMatch(/^binding\s+700\s/m);
    redis.disconnect();
  });

  it('restores over records that are there, and leaves the fields of a newer release', async () => {
    let text = '';
    await filled(1, async () => {
      text = (await rxnf('state', 'dump', urlOf(server))).out;
    });
    const redis = server.connect();
    const [name] = (await redis.keysBuffer('{00}forever/*')) as [Buffer];
    const value = (await redis.getBuffer(name)) as Buffer;
    value.fill(0, 24);
    await redis.set(name, Buffer.concat([value, Buffer.from('newer')]));
    expect((await rxnf('state', 'restore', urlOf(server), file(text))).error).toBe('');
    const now = (await redis.getBuffer(name)) as Buffer;
    expect(now.subarray(24, 24 + schema.size)).toEqual(Buffer.from(row(1)));
    expect(now.subarray(24 + schema.size).toString()).toBe('newer');
    expect((await rxnf('state', 'list', urlOf(server))).out).toMatch(/^binding\s+700\s/m);
    redis.disconnect();
  });

  it('refuses a dump that knows a record otherwise than the server, and writes nothing', async () => {
    await filled(1, async () => {
      const [own, first] = await dumped(urlOf(server));
      const description = { version: 2, fields: [['address', 'u32@0']] };
      const text = [{ ...own, description }, first].map((line) => JSON.stringify(line)).join('\n');
      const before = await dumped(urlOf(server));
      const { status, error } = await rxnf('state', 'restore', urlOf(server), file(text));
      expect([status, error]).toEqual([1, expect.stringContaining('record binding: field 1')]);
      expect((await dumped(urlOf(server))).length).toBe(before.length);
    });
  });

  it.each([
    ['{}', /line 1: is no line of a dump/],
    ['nonsense', /line 1: is no line of a dump/],
    ['{"table":"t","key":"00","record":"00"}', /line 1: is no line of a dump of a server/],
    [
      '{"table":"t","key":"00","record":"00","timer":0,"leftMilliseconds":0}',
      /line 1: table t was not described/,
    ],
    ['{"table":"t","capacity":1,"description":{}}', /line 1: is of a dump of shared memory/],
  ])('refuses to restore %j, naming the line', async (text, says) => {
    const { status, error } = await rxnf('state', 'restore', urlOf(server), file(text));
    expect([status, error]).toEqual([1, expect.stringMatching(says)]);
  });

  it('removes what is rxnf’s and nothing else, by its exact name, when nobody is connected', async () => {
    const redis = server.connect();
    await redis.mset({ mine: '1', '{00}mine': '1', '{ab}mine/0123456789abcdef': '1' });
    const name = `127.0.0.1:${server.port}/0`;
    await filled(16, async () => {
      for (const given of [[], ['--name', 'binding']]) {
        const { status, error } = await rxnf('state', 'remove', urlOf(server), ...given);
        expect([status, error]).toEqual([1, expect.stringContaining(`give --name ${name}`)]);
      }
      const { status, error } = await rxnf('state', 'remove', urlOf(server), '--name', name);
      expect([status, error]).toEqual([1, expect.stringContaining('in use by nat-1')]);
    });
    await expect
      .poll(async () => (await rxnf('state', 'remove', urlOf(server), '--name', name)).out, {
        timeout: 10_000,
      })
      .toBe(`${name}: 701 records removed\n`);
    expect((await redis.keys('*')).sort()).toEqual(
      ['mine', 'rxnf:writers', '{00}mine', '{ab}mine/0123456789abcdef'].sort(),
    );
    redis.disconnect();
  });

  it('says where no store is, and where no server is', async () => {
    const gone = 'redis://127.0.0.1:1';
    const name = `127.0.0.1:${server.port}/0`;
    const commands = [['list'], ['dump'], ['remove', '--name', name]];
    for (const [command = '', ...more] of commands) {
      const { status, error } = await rxnf('state', command, urlOf(server), ...more);
      expect([status, error]).toEqual([1, expect.stringContaining('no store is there')]);
    }
    const { status, error } = await rxnf('state', 'list', gone);
    expect([status, error]).toEqual([1, expect.stringContaining('127.0.0.1:1: ')]);
  });
});

describe.each(serverKinds())('rxnf state of a %s cluster', { timeout: 60_000 }, (kind) => {
  let cluster: StoreCluster;
  let folder: string;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rxnf-state-'));
    cluster = await StoreCluster.start({ kind });
  }, 60_000);
  afterEach(async () => {
    await cluster.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('lists, dumps, removes and restores what lies on all of its primaries', async () => {
    const { url } = cluster;
    const open = (instance: string) =>
      new Bench({
        store: remoteStore({ url, instance }),
        ...({ clock: 'real', exactCapacity: false, close: () => undefined } as const),
      });
    const bench = open('nat-1');
    await insert(bench.client([bindings, forever]), bindings, [...Array(records).keys()]);
    const { out } = await rxnf('state', 'list', url);
    expect(out).toMatch(/^binding\s+700\s+-\s+-$/m);
    expect(out).toMatch(/^nat-1\S*\s+\S+\s+connected$/m);
    const name = url.slice('redis+cluster://'.length);
    const early = await rxnf('state', 'remove', url, '--name', name);
    expect([early.status, early.error]).toEqual([1, expect.stringContaining('in use by nat-1')]);
    await bench.close();
    const dump = await rxnf('state', 'dump', url);
    expect([dump.status, dump.error]).toEqual([0, '']);
    const path = join(folder, 'dump');
    writeFileSync(path, dump.out);

    await expect
      .poll(async () => (await rxnf('state', 'remove', url, '--name', name)).out, {
        timeout: 10_000,
      })
      .toBe(`${name}: 700 records removed\n`);
    for (const { control } of cluster.primaries) {
      expect((await control.keys('*')).filter((key) => key !== 'rxnf:writers')).toEqual([]);
      await control.call('FUNCTION', 'FLUSH'); // as on a cluster that no instance has met
    }
    expect((await rxnf('state', 'list', url)).error).toContain('no store is there');

    const restored = await rxnf('state', 'restore', url, path);
    expect([restored.error, restored.out]).toEqual(['', `700 records restored into ${url}\n`]);
    const spread = await Promise.all(
      cluster.primaries.map(async ({ control }) => (await control.keys('*binding/*')).length),
    );
    expect(spread.every((count) => count > 0)).toBe(true);
    const after = open('nat-2');
    const reader = after.client([bindings, forever]);
    for (const n of [0, 1, 350, 699]) {
      const rows = await reader.batch(bindings, [n]).lookup();
      expect(rows.row(0).state).toBe('hit');
      rows.end();
    }
    await after.close();
    // A node that is gone takes its records with it: the rest alone is not what was asked for.
    const [, lost] = cluster.primaries;
    lost.server.kill();
    await lost.server.process.ended;
    const away = await rxnf('state', 'dump', url);
    expect([away.status, away.error]).toEqual([
      1,
      expect.stringContaining(`127.0.0.1:${lost.server.port}: `),
    ]);
  });
});

it('refuses a node of a cluster, which has a part of the records only', async () => {
  const server = await StoreServer.start({ arguments: ['--cluster-enabled', 'yes'] });
  const { status, error } = await rxnf('state', 'list', `redis://127.0.0.1:${server.port}`);
  expect([status, error]).toEqual([1, expect.stringContaining('name it as redis+cluster://')]);
  await server.stop();
});

async function insert(client: Client, of: AnyTable, numbers: readonly number[]): Promise<void> {
  for (let from = 0; from < numbers.length; from += rowsAtOnce) {
    const some = numbers.slice(from, from + rowsAtOnce);
    const rows = await client.batch(of, some).lookup();
    const { batch, columns } = rows;
    for (const [i, n] of some.entries()) {
      rows.stage(i, 'insert');
      batch.bytes.set(row(n), columns.next + i * columns.stride);
    }
    await rows.write();
    rows.end();
  }
}
