/** From what each round came to, to the rows of the report. */
import { median, quantile } from '../datapath/statistics.ts';
import type { StoreAnswer } from './contenders.ts';
import type { Contest } from './store.ts';

export interface StoreRow {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly p90: number;
  readonly ratioTo?: string;
  /** Median over the rounds of this value by the other's of the same round. */
  readonly ratio?: number;
  /** Nanoseconds of the client's processor for a lookup. */
  readonly cpuNanoseconds?: number;
  /** Latency from receive to transmit, microseconds. */
  readonly p50?: number;
  readonly p99?: number;
  readonly p999?: number;
}

export function storeRows(
  contests: readonly Pick<Contest, 'name' | 'unit' | 'ratioTo'>[],
  answers: ReadonlyMap<string, readonly StoreAnswer[]>,
): StoreRow[] {
  return contests.flatMap(({ name, unit, ratioTo }) => {
    const list = answers.get(name) ?? [];
    if (list.length === 0) return [];
    const values = list.map(({ perSecond }) => perSecond);
    const others = ratioTo === undefined ? [] : (answers.get(ratioTo) ?? []);
    const ratios = values
      .slice(0, others.length)
      .map((value, round) => value / (others[round] as StoreAnswer).perSecond);
    const cpu = list.flatMap(({ cpuNanoseconds }) => cpuNanoseconds ?? []);
    const latencies = list.flatMap(({ latency }) => latency ?? []);
    return [
      {
        name,
        unit,
        median: median(values),
        p90: quantile(values, 0.9),
        ...(ratioTo !== undefined && ratios.length > 0 && { ratioTo, ratio: median(ratios) }),
        ...(cpu.length > 0 && { cpuNanoseconds: median(cpu) }),
        ...(latencies.length > 0 && {
          p50: median(latencies.map(({ p50 }) => p50)),
          p99: median(latencies.map(({ p99 }) => p99)),
          p999: median(latencies.map(({ p999 }) => p999)),
        }),
      },
    ];
  });
}
