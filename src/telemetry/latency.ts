/**
 * Percentiles of the latency histogram that every lane keeps: log-linear buckets of nanoseconds, 16
 * an octave, so a reading is at most 1/16 too high (native/lane/lane.cc, `latency_bucket`).
 *
 * A reading is the upper edge of the bucket it falls in: no packet up to that percentile took longer.
 */

const steps = 16;

export interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** The longest latency, in nanoseconds, that is counted in a bucket. */
export function bucketUpperEdge(bucket: number): number {
  if (bucket < steps) return bucket;
  const width = 2 ** (Math.floor(bucket / steps) - 1);
  return (steps + (bucket % steps) + 1) * width - 1;
}

/**
 * In nanoseconds; undefined where nothing was counted.
 *
 * @param buckets packets by bucket, of one lane or of several added up
 */
export function latencyNanoseconds(buckets: ArrayLike<number>): Latency | undefined {
  let total = 0;
  for (let i = 0; i < buckets.length; i++) total += buckets[i] as number;
  if (total === 0) return undefined;
  const reach = (share: number) => bucketUpperEdge(bucketReaching(buckets, total * share));
  return { p50: reach(0.5), p90: reach(0.9), p99: reach(0.99), p999: reach(0.999), max: reach(1) };
}

/** As {@link latencyNanoseconds}, in microseconds with three decimals. */
export function latencyMicroseconds(buckets: ArrayLike<number>): Latency | undefined {
  const found = latencyNanoseconds(buckets);
  if (found === undefined) return undefined;
  const { p50, p90, p99, p999, max } = found;
  return { p50: p50 / 1e3, p90: p90 / 1e3, p99: p99 / 1e3, p999: p999 / 1e3, max: max / 1e3 };
}

/** The first bucket at which the count reaches `packets`. */
function bucketReaching(buckets: ArrayLike<number>, packets: number): number {
  let sum = 0;
  let last = 0;
  for (let i = 0; i < buckets.length; i++) {
    const count = buckets[i] as number;
    if (count === 0) continue;
    sum += count;
    last = i;
    if (sum >= packets) return i;
  }
  return last;
}
