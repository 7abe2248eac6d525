/**
 * An instance is fenced after the primary that it wrote to has failed over: nothing of it lands on the new
 * one, nor on the old one once that may be primary again.
 */
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Admission, admit, fence } from '../../../src/state/redis-control/fencing.ts';
import { StoreCluster } from '../../support/clusters.ts';
import { StoreServer, serverKinds } from '../../support/servers.ts';

const key = '{00}port/1';
const patience = { timeout: 15_000 };
const nameOf = ({ port }: StoreServer) => `127.0.0.1:${port}`;
const accessTo = (server: StoreServer) => ({
  url: `redis://${nameOf(server)}`,
  timeoutMilliseconds: 500,
});

async function admin(server: StoreServer, ...words: string[]): Promise<unknown> {
  const redis = server.connect();
  try {
    return await redis.call(...(words as [string]));
  } finally {
    redis.disconnect();
  }
}
const promote = (server: StoreServer) => admin(server, 'REPLICAOF', 'NO', 'ONE');
const valueOn = (server: StoreServer) => admin(server, 'GET', key);

async function follow(server: StoreServer, primary: StoreServer): Promise<void> {
  await admin(server, 'REPLICAOF', '127.0.0.1', String(primary.port));
  await vi.waitFor(
    async () => expect(await admin(server, 'INFO', 'replication')).toMatch(/master_link_status:up/),
    patience,
  );
}

const refused = (server: StoreServer, admission: Admission) => {
  const redis = connectAs(server, admission);
  return expect(redis.ping().finally(() => redis.disconnect())).rejects.toThrow(
    /WRONGPASS|invalid/i,
  );
};

function connectAs(server: StoreServer, { username, password }: Admission): Redis {
  return server.connect({ username, password, retryStrategy: null });
}

describe.each(serverKinds())('fencing after a failover on %s', { timeout: 60_000 }, (kind) => {
  let one: StoreServer;
  let two: StoreServer;
  const options = { kind, arguments: ['--repl-diskless-sync-delay', '0'] };

  beforeEach(async () => {
    [one, two] = await Promise.all([StoreServer.start(options), StoreServer.start(options)]);
    await follow(two, one);
  });
  afterEach(async () => {
    one.kill('SIGCONT');
    await Promise.all([one.stop(), two.stop()]);
  });

  it('reaches the old primary when it can be reached again, and not before', async () => {
    const stale = await admit(accessTo(one), 'nat-1');
    const instance = connectAs(one, stale);
    await instance.set(key, 'mine');
    await expect.poll(() => valueOn(two), patience).toBe('mine');
    one.kill('SIGSTOP');
    // On its way to a server that does not run, and no longer is who decides.
    const late = instance.set(key, 'late').catch(() => 'refused');
    await promote(two);
    const first = await fence(accessTo(two), stale);
    expect(first.confirmed).toEqual([nameOf(two)]);
    expect(first.unconfirmed.map(({ node }) => node)).toEqual([nameOf(one)]);
    await refused(two, stale);
    await admin(two, 'SET', key, 'theirs');

    one.kill('SIGCONT');
    await late;
    await expect
      .poll(async () => (await fence(accessTo(two), stale)).unconfirmed, patience)
      .toEqual([]);
    await expect(instance.set(key, 'again')).rejects.toThrow();
    instance.disconnect();
    // It comes back behind the new one, and takes over once more.
    await follow(one, two);
    await promote(one);
    expect(await valueOn(one)).toBe('theirs');
    await refused(one, stale);
  });

  it('is told of an old primary that is away, and holds when that restarts', async () => {
    const stale = await admit(accessTo(one), 'nat-2');
    const other = await admit(accessTo(one), 'nat-3');
    one.kill('SIGKILL');
    await one.process.ended;
    await promote(two);
    const away = await fence(accessTo(two), stale);
    expect(away.unconfirmed.map(({ node }) => node)).toEqual([nameOf(one)]);
    const proven = await fence(accessTo(two), stale, [{ host: '127.0.0.1', port: one.port }]);
    expect(proven.unconfirmed).toEqual([]);
    one = await one.again(options);
    await follow(one, two);
    const back = await fence(accessTo(two), stale);
    expect(back).toEqual({ confirmed: [nameOf(one), nameOf(two)].sort(), unconfirmed: [] });
    await promote(one);
    await refused(one, stale);
    await refused(two, stale);
    const others = connectAs(two, other);
    expect(await others.ping()).toBe('PONG'); // nobody else was fenced
    others.disconnect();
  });

  it('says that a primary that is gone cannot tell which nodes there are', async () => {
    const stale = await admit(accessTo(one), 'nat-4');
    one.kill('SIGKILL');
    await one.process.ended;
    await expect(fence(accessTo(one), stale)).rejects.toMatchObject({
      code: 'ERR_STORE_UNREACHABLE',
      peer: nameOf(one),
    });
  });
});

describe.each(serverKinds())('fencing on a %s cluster', (kind) => {
  let cluster: StoreCluster;
  afterEach(() => cluster.stop());

  it('waits for a primary that was lost, and holds where its replica took over', async () => {
    cluster = await StoreCluster.start({ kind, replicas: 1 });
    const [lost, witness] = cluster.primaries;
    const access = accessTo(witness.server);
    const stale = await admit(access, 'nat-1');
    expect(stale.nodes.length).toBe(6);
    const names = cluster.nodes.map(({ server }) => nameOf(server)).sort();
    lost.server.kill('SIGKILL');
    await lost.server.process.ended;
    const promoted = cluster.replicas[0];
    await vi.waitFor(
      async () => expect(await promoted.control.info('replication')).toMatch(/role:master/),
      patience,
    );
    const report = await fence(access, stale);
    expect(report.unconfirmed.map(({ node }) => node)).toEqual([nameOf(lost.server)]);
    await refused(promoted.server, stale);
    cluster.primaries[0] = await lost.again();
    await expect.poll(async () => (await fence(access, stale)).confirmed, patience).toEqual(names);
    for (const { server } of cluster.nodes) await refused(server, stale);
  }, 60_000);
});
