/** The contract, held against the servers that there are: Redis 7.0, and Valkey where it is installed. */
import { afterAll, beforeAll, describe } from 'vitest';
import { remoteStore } from '../../../src/state/remote/remote-store.ts';
import { StoreCluster } from '../../support/clusters.ts';
import { StoreServer, serverKinds } from '../../support/servers.ts';
import { storeContract } from './store-contract.ts';

describe.each(serverKinds())('%s', (kind) => {
  let server: StoreServer;
  beforeAll(async () => {
    server = await StoreServer.start({ kind });
  });
  afterAll(() => server.stop());

  storeContract(`a ${kind} server over a unix socket`, () => ({
    store: remoteStore({ url: `unix:${server.socket}`, claimLapseMilliseconds: 1000 }),
    clock: 'real',
    claimsLapseMilliseconds: 1000,
    exactCapacity: true,
    close: () => undefined,
  }));

  describe('in a cluster', () => {
    let cluster: StoreCluster;
    beforeAll(async () => {
      cluster = await StoreCluster.start({ kind });
    }, 30_000);
    afterAll(() => cluster.stop());

    storeContract(`a ${kind} cluster`, () => ({
      store: remoteStore({ url: cluster.url, claimLapseMilliseconds: 1000 }),
      clock: 'real',
      claimsLapseMilliseconds: 1000,
      exactCapacity: false,
      close: () => undefined,
    }));
  });

  storeContract(`a ${kind} server over TCP, in partitions`, () => ({
    store: remoteStore({
      url: `redis://127.0.0.1:${server.port}/1`,
      claimLapseMilliseconds: 1000,
      partitions: 16,
    }),
    clock: 'real',
    claimsLapseMilliseconds: 1000,
    exactCapacity: false,
    close: () => undefined,
  }));
});
