/**
 * What the data path is held to, as ratios within one run. Shown, not enforced, unless asked for
 * (`--check`): a busy machine must not fail a build.
 */
import type { Setting } from './contenders.ts';
import type { Row } from './rows.ts';

export interface Bar {
  readonly contender: string;
  readonly ratioTo: string;
  readonly atLeast: number;
  /** What we would like to see. */
  readonly aim?: number;
  readonly when: (setting: Setting) => boolean;
}

const steady = (burst: number) => (s: Setting) => s.newFlows === 0 && s.burst === burst;

export const bars: readonly Bar[] = [
  {
    contender: 'rxnf-forward',
    ratioTo: 'testpmd-io',
    atLeast: 0.92,
    when: (s) => s.newFlows === 0,
  },
  { contender: 'rxnf-nat', ratioTo: 'fused-nat', atLeast: 0.88, aim: 1, when: steady(128) },
  { contender: 'rxnf-nat', ratioTo: 'fused-nat', atLeast: 0.8, when: steady(64) },
  { contender: 'rxnf-nat', ratioTo: 'kernels-nat', atLeast: 0.9, aim: 0.97, when: steady(128) },
  { contender: 'rxnf-nat', ratioTo: 'kernels-nat', atLeast: 0.83, when: steady(64) },
  {
    contender: 'rxnf-nat-callback',
    ratioTo: 'fused-nat',
    atLeast: 0.65,
    aim: 0.78,
    when: steady(128),
  },
  { contender: 'rxnf-nat', ratioTo: 'fused-nat', atLeast: 0.9, when: (s) => s.newFlows > 0 },
  // Of each core: a packet costs as much where two lanes share the store.
  {
    contender: 'rxnf-nat-2-lanes',
    ratioTo: 'rxnf-nat-1-lane',
    atLeast: 0.95,
    when: (s) => s.newFlows === 0,
  },
  // A baseline that is slower than this is a straw man.
  {
    contender: 'fused-nat',
    ratioTo: 'testpmd-io',
    atLeast: 0.4,
    when: (s) => s.newFlows === 0 && s.flows === 10_000,
  },
];

/** A batch in steady state allocates less than this. */
const bytesPerBatchBelow = 8;

/** Memory that grows by less than this under churn is flat: the heap and its pages come and go by as much. */
const kibibytesPerMinuteBelow = 256;

export interface Verdict {
  readonly bar: string;
  readonly setting: string;
  readonly measured: number;
  readonly holds: boolean;
}

/** The bars that the rows say something about. */
export function judge(rows: readonly Row[]): Verdict[] {
  const verdicts: Verdict[] = [];
  for (const row of rows) {
    if (row.unit === 'bytes/batch' && row.contender === 'rxnf-nat' && row.newFlows === 0) {
      verdicts.push({
        bar: `rxnf-nat allocates < ${bytesPerBatchBelow} bytes a batch`,
        setting: row.setting,
        measured: row.median,
        holds: row.median < bytesPerBatchBelow,
      });
    }
    if (row.unit === 'KiB/minute') {
      verdicts.push({
        bar: `${row.name} < ${kibibytesPerMinuteBelow} KiB a minute`,
        setting: row.setting,
        measured: row.median,
        holds: row.median < kibibytesPerMinuteBelow,
      });
    }
    const { ratio } = row;
    if (ratio === undefined) continue;
    for (const bar of bars) {
      if (bar.contender !== row.contender || bar.ratioTo !== row.ratioTo || !bar.when(row))
        continue;
      const aim = bar.aim === undefined ? '' : ` (aim ${bar.aim})`;
      verdicts.push({
        bar: `${bar.contender} >= ${bar.atLeast} of ${bar.ratioTo}${aim}`,
        setting: row.setting,
        measured: ratio,
        holds: ratio >= bar.atLeast,
      });
    }
  }
  return verdicts;
}
