/**
 * How fast is the NAT, as composed of TypeScript operators, beside what a C++ programmer would write
 * and beside DPDK's own testpmd, on one core over the same looped capture?
 *
 * Contenders are processes of their own and take turns, A B C A B C, so that whatever else the
 * machine does falls on all of them; a ratio is taken within each round and its median reported.
 * Speed is packets for each second of the processor, not of the wall.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { UsageError } from '../usage-error.ts';
import { judge, type Verdict } from './bars.ts';
import { buildContenders, churnLibrary } from './build.ts';
import {
  type Answer,
  type Contender,
  capacity,
  contenders,
  type MemorySample,
  missing,
  type Run,
  type Setting,
} from './contenders.ts';
import { hugepagesNeeded, memoryArguments, memoryNeeded } from './eal.ts';
import { reserveHugepages } from './hugepages.ts';
import { measure } from './measure.ts';
import { memoryChurn, type Watched } from './memory-churn.ts';
import { metadata } from './metadata.ts';
import { otherFigures, throughputTable, verdictLines } from './report.ts';
import { type Row, rowsOf, settingName } from './rows.ts';
import { captures } from './traffic.ts';

export interface DatapathOptions {
  readonly root: string;
  readonly build: string;
  readonly flows: readonly number[];
  readonly bursts: readonly number[];
  /** Share of new flows in the settings added to those of flows x bursts; 0: none are added. */
  readonly newFlows: number;
  /** How long the memory and the pauses of the composed NAT are watched under churn; 0: not at all. */
  readonly churnMinutes: number;
  readonly rounds: number;
  readonly warmup: number;
  readonly seconds: number;
  /** Names of contenders; absent: all. */
  readonly only?: readonly string[];
  readonly json?: string;
  readonly core?: number;
  /** Fails when a bar is missed. */
  readonly check: boolean;
}

/** Prints the report. Its result is the exit code: 1 when a contender that is there failed. */
export async function datapath(options: DatapathOptions): Promise<number> {
  const { root, build } = options;
  buildContenders(root, build);
  const known = contenders(root, build);
  for (const name of options.only ?? []) {
    if (known.every((c) => c.name !== name)) {
      throw new UsageError(`--only ${name}: there are ${known.map((c) => c.name).join(', ')}`);
    }
  }
  const asked = known.filter((c) => options.only?.includes(c.name) ?? true);
  const absent = asked.filter((c) => missing(c).length > 0);
  const present = asked.filter((c) => missing(c).length === 0);
  for (const c of absent) console.log(`missing: ${c.name} needs ${missing(c).join(', ')}`);
  if (present.length === 0) return 1;

  const settings = settingsOf(options);
  const most = Math.max(
    ...[...settings, ...(options.churnMinutes > 0 ? [CHURN] : [])].map(memoryOf),
  );
  const restore = reserveHugepages(hugepagesNeeded(most));
  const about = metadata(root);
  const rows: Row[] = [];
  const samples: MemorySample[] = [];
  const failures: string[] = [];
  const memory = new Set<string>();
  try {
    for (const setting of settings) {
      const source = memoryArguments(memoryOf(setting));
      memory.add(memoryName(source));
      const rounds = await takeTurns(present, setting, source, options, failures);
      rows.push(...rowsOf(setting, rounds));
    }
    const nat = present.find((contender) => contender.name === 'rxnf-nat');
    if (nat && options.churnMinutes > 0) {
      const source = memoryArguments(memoryOf(CHURN));
      memory.add(memoryName(source));
      const watched = await watchMemory(nat, source, options);
      rows.push(...watched.rows);
      samples.push(...watched.samples);
    }
  } finally {
    restore();
  }
  const verdicts = judge(rows);
  const { rounds, seconds } = options;
  const measured = [
    ...(settings.length > 0 ? [`${rounds} round(s) of ${seconds} s`] : []),
    ...(options.churnMinutes > 0 ? [`${options.churnMinutes} minute(s) of churn`] : []),
  ].join(', ');
  print(rows, verdicts, `${measured}, on a core each, ${[...memory].join(', ')}`);
  for (const failure of failures) console.error(`failed: ${failure}`);
  if (options.json) {
    const settingsMeasured = {
      rounds,
      seconds,
      memory: [...memory],
      missing: absent.map((c) => c.name),
    };
    const document = {
      metadata: { ...about, ...settingsMeasured },
      rows,
      ...(samples.length > 0 && { churn: samples }),
      bars: verdicts,
      failures,
    };
    writeFileSync(options.json, `${JSON.stringify(document, undefined, 2)}\n`);
  }
  const missed = options.check && verdicts.some((verdict) => !verdict.holds);
  return failures.length > 0 || missed ? 1 : 0;
}

/** Churn is measured where a looped capture comes around well within the idle timeout. */
const CHURN_FLOWS_AT_MOST = 100_000;

function settingsOf({ flows, bursts, newFlows }: DatapathOptions): Setting[] {
  const steady = flows.flatMap((f) => bursts.map((burst) => ({ flows: f, burst, newFlows: 0 })));
  const churning = steady
    .filter(
      (s) => newFlows > 0 && s.flows <= CHURN_FLOWS_AT_MOST && s.burst === Math.max(...bursts),
    )
    .map((s) => ({ ...s, newFlows }));
  return [...steady, ...churning];
}

function memoryOf(setting: Setting): number {
  return memoryNeeded(setting.flows, capacity(setting));
}

function memoryName(source: readonly string[]): string {
  return source[0] === '--no-huge' ? 'without hugepages' : 'hugepages of 2 MiB';
}

/** New flows make up a tenth of the packets. */
const CHURN: Setting = { flows: 10_000, burst: 128, newFlows: 0.1 };

function watchMemory(
  nat: Contender,
  memory: readonly string[],
  options: DatapathOptions,
): Promise<Watched> {
  progress(`${nat.name}: ${options.churnMinutes} minutes of churn`);
  const run = {
    ...runOf(nat, CHURN, memory, options),
    seconds: options.churnMinutes * 60,
  };
  return memoryChurn(nat, run, churnLibrary(options.build));
}

function runOf(
  { lanes = 1 }: Contender,
  setting: Setting,
  memory: readonly string[],
  options: DatapathOptions,
): Run {
  const there = availableParallelism();
  const last = options.core ?? there - 1;
  return {
    ...setting,
    memory,
    warmup: options.warmup,
    seconds: options.seconds,
    cores: Array.from({ length: lanes }, (_, lane) => (last - lane + there) % there),
    captures: captures(`${options.build}/bench`, setting.flows, lanes),
  };
}

async function takeTurns(
  present: readonly Contender[],
  setting: Setting,
  memory: readonly string[],
  options: DatapathOptions,
  failures: string[],
): Promise<Map<string, Answer[]>> {
  const rounds = new Map<string, Answer[]>();
  const out = new Set<string>();
  for (let round = 1; round <= options.rounds; round++) {
    for (const contender of present) {
      if (out.has(contender.name) || (setting.newFlows > 0 && !contender.translates)) continue;
      progress(`${settingName(setting)} round ${round} of ${options.rounds}: ${contender.name}`);
      try {
        const run = runOf(contender, setting, memory, options);
        const answer = await measure(contender, run, churnLibrary(options.build));
        rounds.set(contender.name, [...(rounds.get(contender.name) ?? []), answer]);
      } catch (error) {
        // Its rounds so far would stand beside other rounds of the others.
        out.add(contender.name);
        rounds.delete(contender.name);
        failures.push(`${contender.name} at ${settingName(setting)}: ${(error as Error).message}`);
      }
    }
  }
  progress('');
  return rounds;
}

function print(rows: readonly Row[], verdicts: readonly Verdict[], how: string): void {
  console.log(`\n${how}`);
  if (rows.some((row) => row.unit === 'Mpps')) console.log(throughputTable(rows));
  for (const line of [...otherFigures(rows), ...verdictLines(verdicts)]) console.log(line);
}

/** The line that stands while the contenders run; a log gets one line each. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (text !== '') process.stderr.write(`${text}\n`);
}
