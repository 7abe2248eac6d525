import { describe, expect, it } from 'vitest';
import { median, quantile, slope } from '../../bench/datapath/statistics.ts';

describe('the statistics of a benchmark', () => {
  it('take a quantile between its two nearest values', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(quantile([10, 20, 30], 0.9)).toBeCloseTo(28);
    expect(quantile([7], 0.9)).toBe(7);
    expect(median([])).toBeNaN();
  });

  it('fit a line with the least squared errors', () => {
    expect(slope([0, 1, 2, 3].map((x) => [x, 5 + 2 * x]))).toBeCloseTo(2);
    expect(slope([1, 2, 3, 4].map((x) => [x, x % 2]))).toBeCloseTo(-0.2);
    expect(slope([[1, 2]])).toBeNaN();
  });
});
