/**
 * A client in a thread or a process of its own: opens a named store, says that it is ready, works on a few
 * keys once it is told to, and tells what it was told. Times are of the machine's monotonic clock, which all
 * of them share.
 */
import { readSync } from 'node:fs';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { memoryStore, record, table, u32 } from 'rxnf';
import { remoteStore } from '../../../src/state/remote/remote-store.ts';
import { sharedStore } from '../../../src/state/shared-store.ts';
import type { AnyTable } from '../../../src/state/table.ts';
import { Bench } from './bench.ts';
import { recordHistory } from './concurrent.ts';

export interface ClientOptions {
  readonly store:
    | { readonly memory: string }
    | { readonly shared: string }
    | { readonly url: string };
  /** Counted from 0; names its writes where the store does not. */
  readonly client: number;
  readonly rounds: number;
  readonly keys: number;
}

/** A thread's; a process reads a line. */
export interface ThreadOptions extends ClientOptions {
  /** Becomes 1 when all are ready. */
  readonly go: Int32Array;
}

const options: ClientOptions = isMainThread
  ? JSON.parse(process.argv[2] as string)
  : (workerData as ClientOptions);

const { client, rounds, keys } = options;
const entries = table('entry', record('entry', 1, { value: u32, other: u32 }), {
  capacity: 1024,
}) as AnyTable;
const store =
  'memory' in options.store
    ? memoryStore({ name: options.store.memory, seed: 1 })
    : 'url' in options.store
      ? remoteStore({ url: options.store.url })
      : sharedStore({ path: options.store.shared });
let taken = 2000 + client;
const takeWriter = () => store.takeWriter?.() ?? taken++;
const bench = new Bench({
  store: { open: (lane) => store.open(lane), takeWriter },
  clock: 'url' in options.store ? 'real' : 'virtual',
  exactCapacity: true,
  close: () => undefined,
});
const own = bench.client([entries]);
waitForAll();
const steps = await recordHistory(bench, [own], entries, {
  rounds,
  keys,
  seed: 1,
  firstClient: client,
});
if (isMainThread) process.stdout.write(JSON.stringify(steps));
else parentPort?.postMessage(steps);

function waitForAll(): void {
  if (isMainThread) {
    process.stdout.write('ready\n');
    readSync(0, Buffer.alloc(1));
    return;
  }
  parentPort?.postMessage('ready');
  Atomics.wait((workerData as ThreadOptions).go, 0, 0);
}
