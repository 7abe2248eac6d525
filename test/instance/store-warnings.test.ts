import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { storeWarnings } from '../../src/instance/store-warnings.ts';
import { type ClusterNode, StoreCluster } from '../support/clusters.ts';
import { StoreServer } from '../support/servers.ts';

describe('what the commit class is worth', () => {
  let primary: StoreServer;
  let replica: StoreServer;
  beforeAll(async () => {
    primary = await StoreServer.start({ arguments: ['--repl-diskless-sync-delay', '0'] });
    replica = await StoreServer.start({
      arguments: ['--replicaof', '127.0.0.1', String(primary.port)],
    });
    const over = primary.connect();
    await vi.waitFor(
      async () => expect(await over.info('replication')).toMatch(/state=online/),
      8000,
    );
    over.disconnect();
  });
  afterAll(async () => {
    await replica.stop();
    await primary.stop();
  });
  const at = (url: string) => ({ kind: 'remote', url }) as const;

  it('is said where a failover can lose writes, and nothing where it cannot', async () => {
    const store = at(`redis://127.0.0.1:${primary.port}`);
    expect(await storeWarnings(store, 'primary')).toEqual([
      expect.stringMatching(/^nat\.commit: .*may take over.*use replicas\(1\)/) as string,
    ]);
    expect(await storeWarnings(store, { replicas: 1 })).toEqual([]);
    expect(await storeWarnings(store, { replicas: 2 })).toEqual([
      expect.stringMatching(/1 replica\(s\) online/) as string,
    ]);
  });

  it('is said of each primary of a cluster, whichever of its nodes is named', async () => {
    const cluster = await StoreCluster.start({ replicas: 1 });
    try {
      const [named] = cluster.replicas as [ClusterNode];
      const store = at(`redis+cluster://127.0.0.1:1,127.0.0.1:${named.server.port}`);
      expect(await storeWarnings(store, 'primary')).toHaveLength(3);
      expect(await storeWarnings(store, { replicas: 1 })).toEqual([]);
    } finally {
      await cluster.stop();
    }
  }, 30_000);

  it('is not known where the server cannot be asked, and no question without one', async () => {
    expect(await storeWarnings(at('redis://127.0.0.1:1'), 'primary')).toEqual([
      expect.stringMatching(/^nat\.commit: not known what it is worth: 127\.0\.0\.1:1/) as string,
    ]);
    expect(await storeWarnings({ kind: 'memory' }, 'primary')).toEqual([]);
  });
});
