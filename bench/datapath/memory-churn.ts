/** Does memory stay flat while flows come and go for minutes? The composed NAT, alone. */
import type { Answer, Contender, MemorySample, Run } from './contenders.ts';
import { measure } from './measure.ts';
import { type Row, settingName } from './rows.ts';
import { slope } from './statistics.ts';

const SAMPLES = 60;

/** `run.newFlows` says how many of the packets are of new flows. */
export async function memoryChurn(nat: Contender, run: Run, churn: string): Promise<Row[]> {
  const answer = await measure(nat, { ...run, sampleSeconds: run.seconds / SAMPLES }, churn);
  return memoryRows(nat.name, run, answer.memory ?? []);
}

/**
 * Growth of resident memory, and of what JavaScript holds outside its heap, by the line that fits the
 * second half of the samples best: caches and tables fill in the first.
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
    row('external memory', (sample) => sample.externalBytes),
  ];
}
