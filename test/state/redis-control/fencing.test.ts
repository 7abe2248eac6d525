import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { checkDurability } from '../../../src/state/redis-control/durability.ts';
import { admit, fence } from '../../../src/state/redis-control/fencing.ts';
import { discover, promotable } from '../../../src/state/redis-control/topology.ts';
import { StoreServer, serverKinds } from '../../support/servers.ts';

describe.each(serverKinds())('fencing on %s', (kind) => {
  let primary: StoreServer;
  let replicas: StoreServer[] = [];
  const access = () => ({
    url: `redis://127.0.0.1:${primary.port}`,
    timeoutMilliseconds: 500,
  });

  const replica = (...more: string[]) =>
    StoreServer.start({
      kind,
      arguments: ['--replicaof', '127.0.0.1', String(primary.port), ...more],
    });

  beforeAll(async () => {
    primary = await StoreServer.start({ kind, arguments: ['--repl-diskless-sync-delay', '0'] });
    replicas = await Promise.all([replica(), replica(), replica('--replica-priority', '0')]);
    await vi.waitFor(async () => {
      const [shard] = (await discover(access())).shards;
      expect(shard?.replicas.filter((node) => node.online).length).toBe(3);
    }, 10_000);
  });
  afterAll(() => Promise.all([...replicas, primary].map((server) => server.stop())));

  it('knows the nodes, and which may become primary, whichever is asked', async () => {
    for (const { port } of [primary, replicas[0] as StoreServer]) {
      const topology = await discover({ url: `redis://127.0.0.1:${port}` });
      expect(topology.shards[0]?.primary.port).toBe(primary.port);
      const ports = promotable(topology).map((node) => node.port);
      expect(ports.sort()).toEqual(
        [primary.port, ...replicas.slice(0, 2).map((r) => r.port)].sort(),
      );
    }
    const bySocket = await discover({ url: `unix:${primary.socket}` });
    expect(bySocket.shards[0]?.replicas.length).toBe(3);
  });

  it('says what a commit class is worth here', async () => {
    expect((await checkDurability(access(), 3)).guaranteed).toBe(true);
    const two = await checkDurability(access(), 2);
    expect(two.guaranteed).toBe(false);
    expect(two.findings.join()).toMatch(/never take over, yet WAIT counts/);
    expect((await checkDurability(access(), 1)).findings.join()).toMatch(/use replicas\(2\)/);
    expect((await checkDurability(access(), 0)).findings.join()).toMatch(/a failover loses/);
    expect((await checkDurability(access(), 4)).findings.join()).toMatch(
      /no write can be committed/,
    );
  });

  it('admits an instance on every node, each life under another name', async () => {
    const first = await admit(access(), 'nat-1');
    const second = await admit(access(), 'nat-1');
    expect(second.username).not.toBe(first.username);
    for (const node of [primary, ...replicas.slice(0, 2)]) {
      const own = node.connect(first);
      expect(await own.ping()).toBe('PONG');
      own.disconnect();
    }
    const instance = primary.connect(first);
    await instance.set('{00}binding/x', '1');
    await expect(instance.set('elsewhere', '1')).rejects.toThrow(/NOPERM/);
    await expect(instance.call('ACL', 'LIST')).rejects.toThrow(/NOPERM/);
    await expect(instance.flushall()).rejects.toThrow(/NOPERM/);
    instance.disconnect();
  });

  it('leaves a fenced instance nothing: neither what was under way nor what comes later', async () => {
    const own = await admit(access(), 'nat-2');
    const instance = primary.connect({ ...own, retryStrategy: null });
    await instance.set('{00}port/1', 'mine');
    const others = await admit(access(), 'nat-3');
    // Written and not yet executed: the server is stopped while the bytes wait in its socket.
    primary.kill('SIGSTOP');
    const late = instance.set('{00}port/1', 'late').then(
      () => 'landed',
      () => 'refused',
    );
    const fencing = fence(access(), own);
    primary.kill('SIGCONT');
    const report = await fencing;
    expect(report.unconfirmed).toEqual([]);
    expect(report.confirmed.length).toBe(3);
    const survivor = primary.connect(others);
    const landed = await late;
    if (landed === 'refused') expect(await survivor.get('{00}port/1')).toBe('mine');
    await survivor.set('{00}port/1', 'theirs');
    await expect(instance.set('{00}port/1', 'again')).rejects.toThrow();
    const back = primary.connect({ ...own, retryStrategy: null });
    await expect(back.ping()).rejects.toThrow();
    expect(await survivor.get('{00}port/1')).toBe('theirs');
    for (const node of [instance, survivor, back]) node.disconnect();
  });

  it('is not done while a node that may be promoted does not confirm', async () => {
    const own = await admit(access(), 'nat-4');
    const away = replicas[1] as StoreServer;
    away.kill('SIGSTOP');
    const report = await fence(access(), own);
    expect(report.unconfirmed.map(({ node }) => node)).toEqual([`127.0.0.1:${away.port}`]);
    const proven = await fence(access(), own, [{ host: '127.0.0.1', port: away.port }]);
    expect(proven.unconfirmed).toEqual([]);
    away.kill('SIGCONT');
    await expect
      .poll(async () => (await fence(access(), own)).unconfirmed, { timeout: 15_000 })
      .toEqual([]);
    const users = await away.connect().call('ACL', 'USERS');
    expect(users).not.toContain(own.username);
  });

  it('holds after a node has been restarted', async () => {
    const own = await admit(access(), 'nat-5');
    expect((await fence(access(), own)).unconfirmed).toEqual([]);
    const [node] = replicas as [StoreServer];
    node.kill();
    await node.process.ended;
    replicas[0] = await node.again({
      kind,
      arguments: ['--replicaof', '127.0.0.1', String(primary.port)],
    });
    const back = (replicas[0] as StoreServer).connect({ ...own, retryStrategy: null });
    await expect(back.ping()).rejects.toThrow(/WRONGPASS|invalid/i);
    back.disconnect();
  });
});
