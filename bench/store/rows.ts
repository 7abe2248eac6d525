/** From what each round came to, to the rows of the report. */
import { median, quantile } from '../datapath/statistics.ts';
import type { StoreAnswer } from './contenders.ts';
import type { Contest } from './contests.ts';

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
  /** Nanoseconds of the server's processor for a key. */
  readonly serverNanoseconds?: number;
  /** How much of the server's one core the median rate takes, by that. */
  readonly serverShare?: number;
  /** Latency from receive to transmit, microseconds. */
  readonly p50?: number;
  readonly p99?: number;
  readonly p999?: number;
  /** Processors that other processes of the machine had in the worst round. */
  readonly others?: number;
}

/** @param answers by contest, one a round; undefined where it failed */
export function storeRows(
  contests: readonly Pick<Contest, 'name' | 'unit' | 'ratioTo'>[],
  answers: ReadonlyMap<string, readonly (StoreAnswer | undefined)[]>,
): StoreRow[] {
  return contests.flatMap(({ name, unit, ratioTo }) => {
    const rounds = answers.get(name) ?? [];
    const list = rounds.flatMap((answer) => answer ?? []);
    if (list.length === 0) return [];
    const others = ratioTo === undefined ? [] : (answers.get(ratioTo) ?? []);
    const ratios = rounds.flatMap((answer, round) => {
      const other = others[round];
      return answer && other ? answer.perSecond / other.perSecond : [];
    });
    const values = list.map(({ perSecond }) => perSecond);
    const server = list.flatMap(({ serverNanoseconds }) => serverNanoseconds ?? []);
    const latencies = list.flatMap(({ latency }) => latency ?? []);
    const shares = list.flatMap(({ perSecond, serverNanoseconds }) =>
      serverNanoseconds === undefined ? [] : (perSecond * serverNanoseconds) / 1e9,
    );
    const strangers = list.flatMap(({ others: share }) => share ?? []);
    const cpu = list.flatMap(({ cpuNanoseconds }) => cpuNanoseconds ?? []);
    return [
      {
        name,
        unit,
        median: median(values),
        p90: quantile(values, 0.9),
        ...(ratioTo !== undefined && ratios.length > 0 && { ratioTo, ratio: median(ratios) }),
        ...(cpu.length > 0 && { cpuNanoseconds: median(cpu) }),
        ...(server.length > 0 && {
          serverNanoseconds: median(server),
          ...(unit !== 'flows/s' && { serverShare: median(shares) }),
        }),
        ...(latencies.length > 0 && {
          p50: median(latencies.map(({ p50 }) => p50)),
          p99: median(latencies.map(({ p99 }) => p99)),
          p999: median(latencies.map(({ p999 }) => p999)),
        }),
        ...(strangers.length > 0 && { others: Math.max(...strangers) }),
      },
    ];
  });
}
