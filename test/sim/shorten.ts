/** The shortest story of a failure: the same seed with ever less in its plan, as long as it fails alike. */
import { setImmediate } from 'node:timers/promises';
import type { Bug } from './bugs.ts';
import { simpler } from './plan.ts';
import { type Failure, simulate } from './simulation.ts';

const mostTries = 400;

export async function shorten(failure: Failure, bug?: Bug): Promise<Failure> {
  let shortest = failure;
  let tries = 0;
  for (let found = true; found && tries < mostTries; ) {
    found = false;
    for (const plan of simpler(shortest.plan)) {
      if (++tries >= mostTries) break;
      await setImmediate(); // see `simulate`
      const other = simulate(plan, bug);
      if (other?.promise !== failure.promise) continue;
      shortest = other;
      found = true;
      break;
    }
  }
  return shortest;
}
