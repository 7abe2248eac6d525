/** The contract, held against the stores that need nothing but this process. */
import { memoryStore } from 'rxnf';
import { delayedStore } from '../../../src/state/delayed-store.ts';
import { Random } from '../../sim/random.ts';
import { SimSession } from '../../sim/session.ts';
import { StoreCluster } from '../../sim/store-cluster.ts';
import { StoreFunctions } from '../../sim/store-functions.ts';
import { World } from '../../sim/world.ts';
import type { OpenStore } from './bench.ts';
import { storeContract } from './store-contract.ts';

const inMemory = { clock: 'virtual', exactCapacity: true, close: () => undefined } as const;

storeContract('the memory store', () => ({ store: memoryStore(), ...inMemory }));

storeContract('the delayed store', () => ({
  store: delayedStore(memoryStore(), { latencyMilliseconds: 2 }),
  ...inMemory,
}));

/** The model that simulations run against, with its faults. */
function simulated(replicas: 0 | 1, faults: { lostRequests: number; lostReplies: number }) {
  return (): OpenStore => {
    const world = new World();
    const random = new Random(5);
    let writer = 0;
    const cluster = new StoreCluster(world, random.fork(), {
      functions: () => new StoreFunctions(),
      skewMilliseconds: 0,
      ...(replicas > 0 && { lag: { least: 0.1, most: 3 } }),
    });
    const link = { delay: { least: 0.05, most: 1 }, patience: 2000, ...faults };
    return {
      ...inMemory,
      store: {
        takeWriter: () => ++writer,
        open: (lane) =>
          new SimSession(lane, { cluster, random: random.fork(), faults: link, replicas, writer }),
      },
      pass: (milliseconds) => world.runUntil(world.now + milliseconds),
      claimsLapseMilliseconds: 3000,
    };
  };
}

storeContract('the simulated store', simulated(0, { lostRequests: 0, lostReplies: 0 }));
storeContract(
  'the simulated store, replicated, over bad links',
  simulated(1, { lostRequests: 0.03, lostReplies: 0.05 }),
);
