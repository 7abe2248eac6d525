/** What a lane does while its server is slow, stopped, dead, full, or refuses it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { record, table, u32 } from 'rxnf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RemoteStoreOptions, remoteStore } from '../../../src/state/remote/remote-store.ts';
import type { AnyTable } from '../../../src/state/table.ts';
import { freePort, StoreServer } from '../../support/servers.ts';
import { Bench, type Client } from '../contract/bench.ts';

const schema = record('entry', 1, { value: u32, other: u32 });
const entries = table('entry', schema, { capacity: 1_000_000 }) as AnyTable;

let server: StoreServer;
let bench: Bench;

function open(options: Partial<RemoteStoreOptions> = {}): Client {
  const url = `unix:${server.socket}`;
  bench = new Bench({
    store: remoteStore({ url, requestMilliseconds: 200, connectMilliseconds: 200, ...options }),
    clock: 'real',
    exactCapacity: false,
    close: () => undefined,
  });
  return bench.client([entries]);
}

/** What became of one packet's lookup: its state, or why it was dropped. */
async function look(client: Client, key = 1): Promise<string> {
  const before = client.lane.statistics().dropped;
  const rows = await client.batch(entries, [key]).lookup();
  const { dropped, state } = rows.row(0);
  rows.end();
  if (!dropped) return state;
  const after = client.lane.statistics().dropped;
  return Object.keys(after).find((why) => after[why] !== before[why]) ?? 'nothing';
}

async function create(client: Client, key: number): Promise<string> {
  const before = client.lane.statistics().dropped;
  const rows = await client.batch(entries, [key]).lookup();
  await rows.stage(0, 'insert', key).write();
  const { dropped, state } = rows.row(0);
  rows.end();
  if (!dropped) return state;
  const after = client.lane.statistics().dropped;
  return Object.keys(after).find((why) => after[why] !== before[why]) ?? 'nothing';
}

/** Looks up until it is answered; milliseconds of that. */
async function recovery(client: Client): Promise<number> {
  const began = performance.now();
  while (!['hit', 'miss'].includes(await look(client))) {
    if (performance.now() - began > 8000) throw new Error('it did not recover');
    await bench.turn(5);
  }
  return performance.now() - began;
}

/** What is left of a key's row after a write. */
async function stateAfter(client: Client, key: number, kind: 'insert' | 'swap' | 'remove') {
  const rows = await client.batch(entries, [key]).lookup();
  server.kill();
  await bench.until('the server to seem away', () =>
    client.reports.some((event) => event === 'store-away'),
  );
  await rows.stage(0, kind, 2).write();
  const { dropped, state } = rows.row(0);
  rows.end();
  return { dropped, state };
}

describe('a server that fails', () => {
  beforeEach(async () => {
    server = await StoreServer.start({ arguments: ['--maxmemory-policy', 'noeviction'] });
  });
  afterEach(async () => {
    await bench?.close();
    server.kill('SIGCONT');
    await server.stop();
  });

  it.each([
    ['an insert', 2, 'insert', 'miss'],
    ['a swap', 1, 'swap', 'unknown'],
    ['a removal', 1, 'remove', 'hit'],
  ] as const)('tells of %s that was never sent', async (_, key, kind, state) => {
    const client = open();
    expect(await create(client, 1)).toBe('hit');
    expect(await stateAfter(client, key, kind)).toEqual({ dropped: true, state });
  });

  it('that is killed: packets are dropped at once, and served again when it is back', async () => {
    const client = open();
    expect(await create(client, 1)).toBe('hit');
    server.kill();
    await bench.wait(20);
    await bench.until('the breaker', () => client.reports.includes('store-away'));
    const began = performance.now();
    for (let i = 0; i < 20; i++) expect(await look(client)).toBe('store-unavailable');
    expect(performance.now() - began).toBeLessThan(1000);
    server = await server.again();
    expect(await recovery(client)).toBeLessThan(3000);
    expect(await look(client)).toBe('miss'); // this one saves nothing
    expect(await create(client, 1)).toBe('hit');
    await bench.until('the report', () => client.reports.includes('store-back'));
  });

  it('that is stopped: waits are bounded, then nothing waits, and it goes on when it is continued', async () => {
    const client = open();
    expect(await create(client, 1)).toBe('hit');
    server.kill('SIGSTOP');
    const began = performance.now();
    expect(await look(client)).toBe('store-timeout');
    expect(performance.now() - began).toBeLessThan(1000);
    await bench.wait(500);
    expect(['store-timeout', 'store-unavailable']).toContain(await look(client));
    server.kill('SIGCONT');
    await recovery(client);
    expect(await look(client)).toBe('hit');
  });

  it('that is stopped with a write on its way: the write is unknown, and never lands later', async () => {
    const client = open();
    expect(await create(client, 1)).toBe('hit');
    const rows = await client.batch(entries, [1, 2]).lookup();
    server.kill('SIGSTOP');
    rows.stage(0, 'swap', 11).stage(1, 'insert', 22);
    await rows.write();
    expect(rows.rows.map(({ state, dropped }) => ({ state, dropped }))).toEqual([
      { state: 'unknown', dropped: true },
      { state: 'unknown', dropped: true },
    ]);
    rows.end();
    server.kill('SIGCONT');
    await recovery(client);
    const seen = [await look(client, 1), await look(client, 2)];
    // Whatever they have come to, it does not change any more.
    const value = async () => {
      const read = await client.batch(entries, [1]).lookup();
      const found = read.row(0).value;
      read.end();
      return found;
    };
    const settled = await value();
    await bench.wait(300);
    expect([await look(client, 1), await look(client, 2)]).toEqual(seen);
    expect(await value()).toBe(settled);
  });

  it('that is full: what is new is dropped, what is there is served and can be removed', async () => {
    const client = open();
    expect(await create(client, 1)).toBe('hit');
    const admin = server.connect();
    await admin.config('SET', 'maxmemory', '1');
    expect(await create(client, 2)).toBe('store-full');
    expect(await look(client)).toBe('hit');
    const rows = await client.batch(entries, [1]).lookup();
    await rows.stage(0, 'remove').write();
    expect(rows.row(0)).toMatchObject({ state: 'miss', dropped: false });
    rows.end();
    await admin.config('SET', 'maxmemory', '0');
    expect(await create(client, 2)).toBe('hit');
    admin.disconnect();
  });

  it('that takes back a user: every packet is dropped, and the report says why', async () => {
    const admin = server.connect();
    const rules = ['on', '>secret', '~*', '&*', '+@all'];
    await admin.call('ACL', 'SETUSER', 'nat', ...rules);
    const client = open({ username: 'nat', password: 'secret' });
    expect(await create(client, 1)).toBe('hit');
    await admin.call('ACL', 'DELUSER', 'nat');
    await bench.until('the report', () => client.reports.includes('store-away'));
    expect(await look(client)).toBe('store-unavailable');
    expect(client.events.at(-1)?.['message']).toMatch(/WRONGPASS/);
    await admin.call('ACL', 'SETUSER', 'nat', ...rules);
    await recovery(client);
    expect(await look(client)).toBe('hit');
    admin.disconnect();
  });

  it('leaves memory flat while it is away', async () => {
    const client = open();
    expect(await create(client, 1)).toBe('hit');
    server.kill();
    await bench.until('the breaker', () => client.reports.includes('store-away'));
    const rounds = async (n: number) => {
      for (let i = 0; i < n; i++) await look(client, i);
      return process.memoryUsage().rss;
    };
    const before = await rounds(2000);
    const after = await rounds(10_000);
    expect(after - before).toBeLessThan(48 * 2 ** 20);
    server = await server.again();
  });
});

describe('the start', () => {
  it('names who cannot be reached, and who refuses', async () => {
    const port = await freePort();
    const away = remoteStore({ url: `redis://127.0.0.1:${port}`, connectMilliseconds: 200 });
    expect(() => away.takeWriter()).toThrow(/redis:\/\/127\.0\.0\.1:\d+.*refused/);
    server = await StoreServer.start();
    const admin = server.connect();
    try {
      await admin.config('SET', 'requirepass', 'right');
      const url = `redis://:wrong@127.0.0.1:${server.port}`;
      let code: unknown;
      try {
        remoteStore({ url, username: 'default' }).takeWriter();
      } catch (error) {
        code = (error as { code?: string }).code;
      }
      expect(code).toBe('ERR_STORE_REFUSED');
      const right = remoteStore({ url: `redis://default:right@127.0.0.1:${server.port}/3` });
      expect(right.takeWriter()).toBe(1);
      const other = remoteStore({
        url: `redis://default:right@127.0.0.1:${server.port}/3`,
        partitions: 4,
      });
      expect(() => other.takeWriter()).toThrow(/partitions: 4 here and 1 on/);
    } finally {
      admin.disconnect();
      await server.stop();
    }
  });

  it('refuses a record that another release knows otherwise, by its field', async () => {
    server = await StoreServer.start();
    try {
      const client = open();
      expect(await create(client, 1)).toBe('hit');
      const changed = record('entry', 2, { value: u32, port: u32 });
      const others = table('entry', changed, { capacity: 16 }) as AnyTable;
      expect(() => bench.client([others])).toThrow(/entry: field 2 is port/);
      const longer = record('entry', 2, { value: u32, other: u32, more: u32 });
      const newer = bench.client([table('entry', longer, { capacity: 16 }) as AnyTable]);
      expect(newer.lane.number).toBeGreaterThan(0);
      await bench.close();
    } finally {
      await server.stop();
    }
  });

  it('checks the certificate of a server that it speaks TLS to', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rxnf-tls-'));
    const file = (name: string) => join(folder, name);
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
        ...['-keyout', file('key.pem'), '-out', file('cert.pem'), '-days', '2'],
        ...['-subj', '/CN=store.test', '-addext', 'subjectAltName=DNS:store.test'],
      ],
      { stdio: 'ignore' },
    );
    const tlsPort = await freePort();
    server = await StoreServer.start({
      arguments: [
        ...['--tls-port', String(tlsPort), '--tls-cert-file', file('cert.pem')],
        ...['--tls-key-file', file('key.pem'), '--tls-ca-cert-file', file('cert.pem')],
        ...['--tls-auth-clients', 'no'],
      ],
    });
    try {
      const url = `rediss://127.0.0.1:${tlsPort}?ca=${file('cert.pem')}`;
      const client = open({ url: `${url}&name=store.test` });
      expect(await create(client, 1)).toBe('hit');
      expect(await look(client)).toBe('hit');
      expect(() => remoteStore({ url: `${url}&name=other.test` }).takeWriter()).toThrow(
        /certificate/,
      );
      expect(() => remoteStore({ url: `rediss://127.0.0.1:${tlsPort}` }).takeWriter()).toThrow(
        /certificate/,
      );
      await bench.close();
    } finally {
      await server.stop();
      rmSync(folder, { recursive: true });
    }
  });
});
