/**
 * Does memory stay flat while flows come and go for minutes, and how long does the longest pause take?
 * The composed NAT, alone.
 */
import type { Answer, Contender, MemorySample, Run, Setting } from './contenders.ts';
import { measure } from './measure.ts';
import { type Row, settingName } from './rows.ts';
import { median, quantile, slope } from './statistics.ts';

const SAMPLES = 60;

export interface Watched {
  readonly rows: readonly Row[];
  readonly samples: readonly MemorySample[];
}

/** `run.newFlows` says how many of the packets are of new flows. */
export async function memoryChurn(nat: Contender, run: Run, churn: string): Promise<Watched> {
  const answer = await measure(nat, { ...run, sampleSeconds: run.seconds / SAMPLES }, churn);
  const samples = answer.memory ?? [];
  const rows = [...memoryRows(nat.name, run, samples), ...pauseRows(nat.name, run, answer)];
  return { rows, samples };
}

/**
 * Growth of resident memory, of JavaScript's heap and of what it holds outside, by the line that fits the
 * second half of the samples best, as caches and tables fill in the first; and the bindings held then.
 */
export function memoryRows(
  contender: string,
  { flows, burst, newFlows }: Pick<Run, 'flows' | 'burst' | 'newFlows'>,
  samples: NonNullable<Answer['memory']>,
): Row[] {
  const settled = samples.slice(Math.floor(samples.length / 2));
  const setting = settingName({ flows, burst, newFlows });
  const row = (what: string, bytes: (sample: MemorySample) => number): Row => {
    const perMinute =
      (slope(settled.map((sample) => [sample.seconds, bytes(sample)] as const)) * 60) / 1024;
    const name = `${contender} ${setting} growth of ${what}`;
    const value = { median: perMinute, p90: perMinute, min: perMinute };
    return { name, contender, setting, flows, burst, newFlows, unit: 'KiB/minute', ...value };
  };
  return [
    row('resident memory', (sample) => sample.residentBytes),
    row('heap', (sample) => sample.heapBytes),
    row('external memory', (sample) => sample.externalBytes),
    heldBindings(contender, { flows, burst, newFlows }, settled),
  ];
}

/** How many flows the table holds: steady, it is the rate of new ones by their idle life. */
function heldBindings(contender: string, at: Setting, samples: readonly MemorySample[]): Row {
  const held = samples.map(({ bindings }) => bindings);
  const setting = settingName(at);
  const value = { median: median(held), p90: quantile(held, 0.9), min: Math.min(...held) };
  const name = `${contender} ${setting} bindings held`;
  return { name, contender, setting, ...at, unit: 'records', ...value };
}

/** Of the whole run, its first minute included. */
function pauseRows(contender: string, run: Run, answer: Answer): Row[] {
  const { flows, burst, newFlows } = run;
  const setting = settingName(run);
  const row = (what: string, unit: Row['unit'], value = 0): Row => {
    const name = `${contender} ${setting} churn ${what}`;
    const only = { median: value, p90: value, min: value };
    return { name, contender, setting, flows, burst, newFlows, unit, ...only };
  };
  return [
    row('longest pause', 'us', answer.longestPauseMicroseconds),
    row('lost to pause', 'packets', answer.lostToPause),
    row('packets', 'packets', answer.packets),
  ];
}
