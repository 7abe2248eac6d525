/** The store of a lane, as its plan says. */
import { memoryStore } from '../state/memory-store.ts';
import { remoteStore } from '../state/remote/remote-store.ts';
import { sharedStore } from '../state/shared-store.ts';
import type { Store } from '../state/store.ts';
import type { StorePlan } from './plan.ts';

export function openStore(plan: StorePlan): Store {
  switch (plan.kind) {
    case 'memory':
      return memoryStore(plan);
    case 'shared':
      return sharedStore(plan);
    case 'remote':
      return remoteStore(plan);
  }
}
