import { describe, expect, it } from 'vitest';
import { mutate, seededRandom } from './mutate.ts';
import { runTarget } from './runner.ts';
import { targets } from './wire.fuzz.ts';

describe('the fuzz targets of the wire formats', () => {
  it.each(targets.map((target) => [target.name, target] as const))(
    '%s finds no fault in two thousand runs',
    async (_name, target) => {
      const { runs, failure } = await runTarget(target, { seed: 1, runs: 2000 });
      expect(failure).toBeUndefined();
      expect(runs).toBe(2000);
    },
  );
});

describe('the fuzz runner', () => {
  const corpus = [Uint8Array.of(1, 2, 3, 4), Uint8Array.of(5, 6, 7, 8, 9, 10)];
  const faulty = {
    name: 'faulty',
    corpus,
    run(bytes: Uint8Array) {
      if (bytes[1] === 0xff) throw new Error('planted');
    },
  };

  it('finds a planted fault, and again with the seed that it gives', async () => {
    const { failure } = await runTarget(faulty, { seed: 1, runs: 10_000 });
    expect(failure?.error).toEqual(new Error('planted'));
    expect(failure?.input[1]).toBe(0xff);
    const again = await runTarget(faulty, { seed: failure?.seed as number, runs: 1 });
    expect(again.failure?.input).toEqual(failure?.input);
  });

  it('takes a rejection for a fault', async () => {
    const target = { ...faulty, run: () => Promise.reject(new Error('late')) };
    const { runs, failure } = await runTarget(target, { seed: 1, runs: 5 });
    expect(runs).toBe(1);
    expect(failure?.error).toEqual(new Error('late'));
  });

  it('makes one input of one seed and leaves the corpus alone', () => {
    const before = structuredClone(corpus);
    const inputs = Array.from({ length: 500 }, (_, seed) => mutate(seededRandom(seed), corpus));
    const again = Array.from({ length: 500 }, (_, seed) => mutate(seededRandom(seed), corpus));
    expect(again).toEqual(inputs);
    expect(new Set(inputs.map(String)).size).toBeGreaterThan(250);
    expect(corpus).toEqual(before);
  });
});
