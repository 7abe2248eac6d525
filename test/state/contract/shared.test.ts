/** The contract, held against the shared-memory store: each client has it open by itself. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { removeStore, sharedStore } from '../../../src/state/shared-store.ts';
import { storeContract } from './store-contract.ts';

storeContract('the shared-memory store', () => {
  const path = mkdtempSync(join('/dev/shm', 'rxnf-contract-'));
  const store = sharedStore({ path });
  return {
    store,
    clock: 'virtual',
    exactCapacity: true,
    close: () => removeStore(path),
  };
});
