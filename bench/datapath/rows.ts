/** From what the contenders answered, round by round, to the rows of the report. */
import type { Answer, Setting } from './contenders.ts';
import { median, quantile } from './statistics.ts';

/** By contender, one answer a round, all of one setting. */
export type Rounds = ReadonlyMap<string, readonly Answer[]>;

export interface Row extends Setting {
  /** Contender and setting, and what is measured where it is not throughput. */
  readonly name: string;
  readonly contender: string;
  readonly setting: string;
  readonly unit: 'Mpps' | 'bytes/batch' | 'us' | 'packets' | 'KiB/minute' | 'records';
  readonly median: number;
  readonly p90: number;
  readonly min: number;
  readonly ratioTo?: string;
  /** Median over the rounds of this contender's value by the other's of the same round. */
  readonly ratio?: number;
  /** Largest by smallest value, less 1. */
  readonly spread?: number;
  readonly nsPerPacket?: number;
  /** Median of what the clock on the wall says, lower than `median` where others had the core too. */
  readonly wallMpps?: number;
}

/** Above this the rounds disagree too much to be trusted alone. */
export const NOISY_SPREAD = 0.15;

/** Who is compared with whom. */
const baselines: Readonly<Record<string, readonly string[]>> = {
  'testpmd-5tswap': ['testpmd-io'],
  'fused-nat': ['testpmd-io'],
  'kernels-nat': ['fused-nat'],
  'rxnf-forward': ['testpmd-io'],
  'rxnf-nat': ['fused-nat', 'kernels-nat', 'testpmd-io'],
  'rxnf-nat-callback': ['fused-nat', 'rxnf-nat'],
  'rxnf-nat-2-lanes': ['rxnf-nat-1-lane'],
};

/** `settingName({ flows: 10_000, burst: 128, newFlows: 0 })` gives `10k/128`. */
export function settingName({ flows, burst, newFlows }: Setting): string {
  const count = flows % 1_000_000 === 0 ? `${flows / 1_000_000}m` : `${flows / 1000}k`;
  return `${count}/${burst}${newFlows > 0 ? `+${newFlows * 100}%` : ''}`;
}

export function rowsOf(setting: Setting, rounds: Rounds): Row[] {
  return [...rounds].flatMap(([contender, answers]) =>
    contenderRows(setting, contender, answers, rounds),
  );
}

function contenderRows(
  setting: Setting,
  contender: string,
  answers: readonly Answer[],
  rounds: Rounds,
): Row[] {
  const at = settingName(setting);
  const common = { contender, setting: at, ...setting };
  const speeds = answers.map(speed);
  const throughput = {
    name: `${contender} ${at}`,
    ...common,
    unit: 'Mpps',
    ...summary(speeds),
    spread: Math.max(...speeds) / Math.min(...speeds) - 1,
    nsPerPacket: median(answers.map((a) => a.nsPerPacket)),
    wallMpps: median(answers.map((a) => a.mpps)),
  } as const;
  const others = (baselines[contender] ?? []).filter((name) => rounds.has(name));
  const compared = others.map((ratioTo) => {
    const theirs = rounds.get(ratioTo) ?? [];
    return { ...throughput, ratioTo, ratio: median(pairwise(speeds, theirs.map(speed))) };
  });
  const extra = (title: string, unit: Row['unit'], values: (number | undefined)[]): Row[] => {
    const given = values.filter((value) => value !== undefined);
    return given.length === 0
      ? []
      : [{ name: `${contender} ${at} ${title}`, ...common, unit, ...summary(given) }];
  };
  return [
    ...(compared.length > 0 ? compared : [throughput]),
    ...extra(
      'allocation',
      'bytes/batch',
      answers.map((a) => a.bytesPerBatch),
    ),
    ...extra(
      'longest pause',
      'us',
      answers.map((a) => a.longestPauseMicroseconds),
    ),
    ...extra(
      'lost to pause',
      'packets',
      answers.map((a) => a.lostToPause),
    ),
  ];
}

/** Millions of packets for each second that the contender had the processor. */
function speed(answer: Answer): number {
  return 1000 / answer.nsPerPacket;
}

function summary(values: readonly number[]) {
  return { median: median(values), p90: quantile(values, 0.9), min: Math.min(...values) };
}

/** Rounds that only one of the two finished are left out. */
function pairwise(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.slice(0, theirs.length).map((value, round) => value / theirs[round]);
}
