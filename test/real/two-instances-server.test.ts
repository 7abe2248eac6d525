/**
 * Two instances of one NAT on a Redis server: the instances are killed, the server is killed and
 * restarted, it fails over to its replica, alone and in a cluster; no connection breaks, and no port is handed out twice.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Namespaces } from '../../src/lab/namespaces.ts';
import { type ClusterNode, StoreCluster } from '../support/clusters.ts';
import { freePort, StoreServer } from '../support/servers.ts';
import { lacking } from './lab.ts';
import {
  type BusyPair,
  download,
  endTalks,
  faultsOf,
  killInTurns,
  openBusyPair,
  session,
  startTalks,
  stream,
} from './pair-traffic.ts';

const missing = lacking();

/** As in two-instances.test.ts: what TCP waits before it sends again, and once more. */
const killBoundMilliseconds = 1600;
const deadMilliseconds = 1500;
/**
 * While the server is away every packet is dropped. TCP sends again 0.2, 0.6, 1.4, 3.0 and 6.2 s after
 * the first loss (RFC 6298, from Linux's 200 ms): an outage that ends before one of these is over then.
 */
const restartBoundMilliseconds = 3200;
const failoverBoundMilliseconds = 6600;

describe.skipIf(missing.length > 0)('two instances on a server', () => {
  let busy: BusyPair | undefined;
  let cluster: StoreCluster | undefined;
  const servers: StoreServer[] = [];
  const folders: string[] = [];

  afterEach(async () => {
    await busy?.pair.close();
    busy = undefined;
    await cluster?.stop();
    cluster = undefined;
    for (const server of servers.splice(0)) await server.stop();
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  it('may be killed at any time: downloads, streams, sessions and connections go on', {
    timeout: 90_000,
  }, async () => {
    const server = await StoreServer.start();
    servers.push(server);
    busy = await openBusyPair({ store: `unix:${server.socket}` });
    const { pair } = busy;
    const talks = startTalks(pair, { connections: 40, openingMilliseconds: 250 });
    const clients = [
      download(busy),
      stream(busy, 'up', 14),
      stream(busy, 'down', 14),
      session(busy, 14),
    ];
    await killInTurns(pair, 4, deadMilliseconds);
    const faults = (await Promise.all(clients)).flat();
    const report = await endTalks(talks);
    expect(report.connections).toHaveLength(40);
    expect([...faults, ...faultsOf(report, killBoundMilliseconds)]).toEqual([]);
  });

  it('go on when the server is killed and has written down every write (appendfsync always)', {
    timeout: 60_000,
  }, async () => {
    const durable = { arguments: ['--appendonly', 'yes', '--appendfsync', 'always'] };
    let server = await StoreServer.start(durable);
    busy = await openBusyPair({ store: `unix:${server.socket}` });
    const { pair } = busy;
    const talks = startTalks(pair, { connections: 40, openingMilliseconds: 150 });
    const clients = [stream(busy, 'up', 10), session(busy, 10)];
    for (let i = 0; i < 2; i++) {
      await sleep(2500);
      server.kill();
      await server.process.ended;
      await sleep(300);
      server = await server.again(durable);
    }
    servers.push(server);
    const faults = (await Promise.all(clients)).flat();
    const report = await endTalks(talks);
    expect(report.connections).toHaveLength(40);
    expect([...faults, ...faultsOf(report, restartBoundMilliseconds)]).toEqual([]);
  });

  it('go on when the primary is lost and sentinels put its replica in its place (replicas: 1)', {
    timeout: 90_000,
  }, async () => {
    let primary: StoreServer | undefined;
    const store = async (namespaces: Namespaces) => {
      const start = (command: readonly string[]) => namespaces.start('nat', command);
      primary = await StoreServer.start({ start });
      const replica = await StoreServer.start({
        start,
        arguments: ['--replicaof', '127.0.0.1', String(primary.port)],
      });
      servers.push(primary, replica);
      const over = primary.connect();
      await over.set('first', 1);
      await expect.poll(() => over.wait(1, 100), { timeout: 10_000 }).toBe(1);
      over.disconnect();
      const sentinels = [];
      for (let i = 0; i < 3; i++) {
        const port = await startSentinel(namespaces, primary.port);
        sentinels.push(`127.0.0.1:${port}`);
      }
      return `redis+sentinel://${sentinels.join(',')}/nat`;
    };
    busy = await openBusyPair({ store, nat: { commit: { replicas: 1 } } });
    const { pair } = busy;
    // Their connections are open before the failover: afterwards there is no replica to commit new ones.
    const talks = startTalks(pair, { connections: 30 });
    await sleep(2500);
    (primary as StoreServer).kill();
    await sleep(8000);
    const report = await endTalks(talks);
    expect(report.connections).toHaveLength(30);
    expect(faultsOf(report, failoverBoundMilliseconds)).toEqual([]);
    // With a replica again there are new connections, none with a port of one of before.
    const back = await (primary as StoreServer).again({
      start: (command) => pair.namespaces.start('nat', command),
    });
    servers.push(back);
    const admin = back.connect();
    await expect.poll(() => admin.info('replication'), { timeout: 20_000 }).toMatch(/status:up/);
    admin.disconnect();
    await sleep(1000);
    const later = startTalks(pair, { connections: 20 });
    await sleep(2500);
    const second = await endTalks(later);
    expect(faultsOf(second, restartBoundMilliseconds)).toEqual([]);
  });

  it('go on when the primary of a cluster is lost and its replica takes over (replicas: 1)', {
    timeout: 90_000,
  }, async () => {
    const store = async (namespaces: Namespaces) => {
      const start = (command: readonly string[]) => namespaces.start('nat', command);
      cluster = await StoreCluster.start({ start, replicas: 1 });
      return cluster.url;
    };
    busy = await openBusyPair({ store, nat: { commit: { replicas: 1 } } });
    const { pair } = busy;
    // Opened before the node is lost: until another follows the heir, its slots commit no new ones.
    const talks = startTalks(pair, { connections: 30 });
    await sleep(2500);
    const [lost] = (cluster as StoreCluster).primaries as [ClusterNode];
    lost.server.kill();
    await sleep(8000);
    const report = await endTalks(talks);
    expect(report.connections).toHaveLength(30);
    expect(faultsOf(report, failoverBoundMilliseconds)).toEqual([]);
    const back = await lost.again();
    servers.push(back.server);
    await expect
      .poll(() => back.control.info('replication'), { timeout: 20_000 })
      .toMatch(/status:up/);
    back.control.disconnect();
    await sleep(1000);
    const later = startTalks(pair, { connections: 20 });
    await sleep(2500);
    expect(faultsOf(await endTalks(later), restartBoundMilliseconds)).toEqual([]);
  });

  async function startSentinel(namespaces: Namespaces, watched: number): Promise<number> {
    const folder = mkdtempSync(join(tmpdir(), 'rxnf-sentinel-'));
    folders.push(folder);
    const port = await freePort();
    const file = join(folder, 'sentinel.conf');
    writeFileSync(
      file,
      [
        `port ${port}`,
        'bind 127.0.0.1',
        `dir ${folder}`,
        `sentinel monitor nat 127.0.0.1 ${watched} 2`,
        'sentinel down-after-milliseconds nat 500',
        'sentinel failover-timeout nat 3000',
        '',
      ].join('\n'),
    );
    const sentinel = namespaces.start('nat', ['redis-server', file, '--sentinel']);
    await sentinel.until('the sentinel', 10, () => sentinel.stdout.includes('+monitor'));
    return port;
  }
});
