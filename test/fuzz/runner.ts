/** Runs one target on mutated inputs until the time or the count is up, or an input fails. */
import { mutate, seededRandom } from './mutate.ts';
import type { FuzzTarget } from './target.ts';

/** Far above any run, also on a busy machine that pauses. */
const SLOW_MILLISECONDS = 2000;

export interface FuzzLimits {
  readonly seed: number;
  /** Absent: no limit but the other. */
  readonly seconds?: number;
  readonly runs?: number;
  /** Called with a run's seed before it, so that a run that hangs can be told. */
  readonly onRun?: (seed: number) => void;
}

export interface FuzzFailure {
  /** With this seed the first run fails. */
  readonly seed: number;
  readonly input: Uint8Array;
  readonly error: unknown;
}

export interface FuzzResult {
  readonly runs: number;
  readonly failure: FuzzFailure | undefined;
}

/** Run `i` uses the seed plus `i`, so that any run can be repeated alone. */
export async function runTarget(target: FuzzTarget, limits: FuzzLimits): Promise<FuzzResult> {
  const end = performance.now() + (limits.seconds ?? Number.POSITIVE_INFINITY) * 1000;
  const most = limits.runs ?? Number.POSITIVE_INFINITY;
  let runs = 0;
  while (runs < most && performance.now() < end) {
    const seed = (limits.seed + runs) >>> 0;
    limits.onRun?.(seed);
    const input = mutate(seededRandom(seed), target.corpus);
    runs += 1;
    const error = await faultOf(target, input.slice());
    if (error !== undefined) return { runs, failure: { seed, input, error } };
  }
  return { runs, failure: undefined };
}

/** What the run threw, or that it took too long. */
async function faultOf(target: FuzzTarget, input: Uint8Array): Promise<unknown> {
  const start = performance.now();
  try {
    // Most targets are synchronous: awaiting each would cost more than the run.
    const running = target.run(input);
    if (running) await running;
  } catch (error) {
    return error ?? new Error('the target threw nothing');
  }
  const milliseconds = performance.now() - start;
  return milliseconds > SLOW_MILLISECONDS
    ? new Error(`one run took ${milliseconds.toFixed(0)} ms`)
    : undefined;
}
