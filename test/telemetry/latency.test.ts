import { describe, expect, it } from 'vitest';
import {
  bucketUpperEdge,
  latencyMicroseconds,
  latencyNanoseconds,
} from '../../src/telemetry/latency.ts';

/** As native/lane/lane.cc counts, in arbitrary precision. */
function bucketOf(nanoseconds: number): number {
  if (nanoseconds < 16) return nanoseconds;
  const octave = BigInt(nanoseconds).toString(2).length - 1;
  return (octave - 3) * 16 + Number((BigInt(nanoseconds) >> BigInt(octave - 4)) & 15n);
}

function histogram(latencies: readonly number[]): Float64Array {
  const buckets = new Float64Array(1024);
  for (const latency of latencies) buckets[bucketOf(latency)]++;
  return buckets;
}

describe('latency percentiles', () => {
  it('find each latency at the upper edge of its bucket, at most 1/16 too high', () => {
    for (const base of [0, 1, 15, 16, 17, 31, 32, 1000, 65_535, 65_536, 999_999_999, 2 ** 45 + 3]) {
      const edge = bucketUpperEdge(bucketOf(base));
      expect(edge).toBeGreaterThanOrEqual(base);
      expect(edge).toBeLessThanOrEqual(base + base / 16);
      expect(bucketOf(edge), 'the edge is still in the bucket').toBe(bucketOf(base));
      expect(bucketOf(edge + 1), 'and the last that is').toBe(bucketOf(base) + 1);
    }
  });

  it('are exact below 16 ns', () => {
    expect(latencyNanoseconds(histogram([1, 2, 3, 4]))).toEqual({
      p50: 2,
      p90: 4,
      p99: 4,
      p999: 4,
      max: 4,
    });
  });

  it('tell the rare slow packets from the many fast ones', () => {
    const latencies = [...new Array(9_990).fill(10_000), ...new Array(10).fill(5_000_000)];
    const found = latencyMicroseconds(histogram(latencies));
    expect(found?.p50).toBeCloseTo(10, 0);
    expect(found?.p99).toBeCloseTo(10, 0);
    expect(found?.p999).toBeCloseTo(10, 0);
    expect(found?.max).toBeGreaterThanOrEqual(5_000);
    expect(found?.max).toBeLessThan(5_000 * (1 + 1 / 16));
  });

  it('are absent where no packet was sent', () => {
    expect(latencyNanoseconds(new Float64Array(1024))).toBeUndefined();
  });
});
