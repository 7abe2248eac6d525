/** Simulated runs as part of every check: some without a fault of ours, and one for each planted mistake. */
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { bugs } from './bugs.ts';
import { planOf } from './plan.ts';
import { shorten } from './shorten.ts';
import { type Failure, simulate } from './simulation.ts';

const runs = 120;

describe('simulated runs', () => {
  it.each(Array.from({ length: runs / 20 }, (_, i) => 1 + i * 20))(
    'keep every promise (20 seeds from %i)',
    (first) => {
      for (let seed = first; seed < first + 20; seed++)
        expect(simulate(planOf(seed))).toBeUndefined();
    },
  );

  it('let most packets through', async () => {
    const tally = { given: 0, left: 0, answers: 0, instances: 0 };
    for (let seed = 1; seed <= 20; seed++) {
      await setImmediate();
      simulate(planOf(seed), undefined, tally);
    }
    expect(tally.given).toBeGreaterThan(20 * 10);
    expect(tally.left).toBeGreaterThan(0.8 * tally.given);
    expect(tally.answers).toBeGreaterThan(0.2 * tally.given);
  });

  // Seeds that have failed before.
  it.each([510, 2117])('keep every promise (seed %i)', (seed) => {
    expect(simulate(planOf(seed))).toBeUndefined();
  });

  it.each([90, 127])('keep every promise (seed %i at servers)', (seed) => {
    expect(simulate(planOf(seed, 'servers'))).toBeUndefined();
  });

  it('are the same twice', () => {
    const bug = bugs['early-timer'];
    expect(simulate(planOf(3, 'answers'), bug)).toEqual(simulate(planOf(3, 'answers'), bug));
  });
});

const kindOf = (name: string) => bugs[name].kind ?? 'answers';

describe('a planted mistake', () => {
  it.each([
    ['skip-in-flight', 2, 9],
    ['blind-write', 1, 3],
    ['release-before-ack', 1, 3],
    ['release-on-unreplicated-read', 2, 2],
    ['no-version-check', 1, 4],
    ['early-timer', 3, 11],
    ['lease-returned-live', 1, 10],
    ['edit-before-decide', 1, 3],
    ['forgotten-answers', 8, 4],
    ['unproved-change', 52, 10],
    ['timeout-as-proof', 2, 4],
    ['forgotten-calls', 79, 4],
    ['stale-slot-map', 1, 3],
    ['uncounted-calls', 23, 3],
    ['late-copies', 59, 4],
  ])('is found: %s, seed %i, promise %i', (name, seed, promise) => {
    expect(simulate(planOf(seed, kindOf(name)), bugs[name])).toMatchObject({ promise });
    expect(simulate(planOf(seed, kindOf(name)))).toBeUndefined();
  });

  it('is told with the shortest story', async () => {
    const bug = bugs['early-timer'];
    const failure = simulate(planOf(3, 'answers'), bug) as Failure;
    const shortest = await shorten(failure, bug);
    expect(shortest.promise).toBe(failure.promise);
    expect(shortest.plan.packets).toBeLessThan(failure.plan.packets);
  });
});
