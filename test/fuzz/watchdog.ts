/**
 * Tells of a run that never ends, which blocks the thread it is on: a thread of its own watches
 * the run's seed change, and ends the process with that seed when it has not for 10 seconds.
 */
import { writeSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

const LIMIT_MILLISECONDS = 10_000;
const STANDARD_ERROR = 2;

/** Returns what to call before each run. */
export function startWatchdog(): (seed: number) => void {
  const state = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(new URL(import.meta.url), { workerData: state });
  worker.unref();
  return (seed) => {
    state[0] = seed;
    Atomics.add(state, 1, 1);
  };
}

function watch(state: Int32Array): void {
  for (;;) {
    const run = Atomics.load(state, 1);
    if (Atomics.wait(state, 1, run, LIMIT_MILLISECONDS) !== 'timed-out') continue;
    if (run === 0 || Atomics.load(state, 1) !== run) continue;
    // The main thread, which prints for its workers, is the one that hangs.
    const seed = (state[0] as number) >>> 0;
    writeSync(STANDARD_ERROR, `a run hangs: repeat it with --seed ${seed}\n`);
    process.kill(process.pid, 'SIGKILL');
  }
}

if (!isMainThread) watch(workerData as Int32Array);
