/** The contract of every store (test/state/contract), held against the server that LAB_STORE names. */
import { remoteStore } from '../../src/state/remote/remote-store.ts';
import { storeContract } from '../../test/state/contract/store-contract.ts';

const url = process.env['LAB_STORE'];
if (url === undefined) throw new Error('LAB_STORE is not set: a scenario of the lab runs this');

storeContract(url, () => ({
  store: remoteStore({
    url,
    requestMilliseconds: 4000,
    connectMilliseconds: 4000,
    claimLapseMilliseconds: 2000,
  }),
  clock: 'real',
  claimsLapseMilliseconds: 2000,
  exactCapacity: false,
  close: () => undefined,
}));
