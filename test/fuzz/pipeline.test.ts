import { describe, expect, it } from 'vitest';
import { targets } from './pipeline.fuzz.ts';
import { runTarget } from './runner.ts';

describe('the fuzz targets of the NAT', () => {
  it.each(targets.map((target) => [target.name, target] as const))(
    '%s finds no fault in three hundred runs',
    async (_name, target) => {
      for (const [seed, input] of target.corpus.entries()) {
        const { failure } = await runTarget({ ...target, corpus: [input] }, { seed, runs: 1 });
        expect(failure).toBeUndefined();
      }
      const { runs, failure } = await runTarget(target, { seed: 1, runs: 300 });
      expect(failure).toBeUndefined();
      expect(runs).toBe(300);
    },
    60_000,
  );
});
