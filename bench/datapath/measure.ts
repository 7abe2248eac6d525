/** Runs one contender once: a process of its own, on its cores, for a bounded time. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Answer, Contender, Run } from './contenders.ts';

/** Loading a million frames takes seconds, and more where others use the machine. */
const STARTUP_SECONDS = 60;

/** Share of new flows that a translator must have seen, by what was asked for: else it did not measure it. */
const NEW_FLOWS_TOLERANCE = 0.1;

/** `churn` is the library to preload where the run has new flows. */
export async function measure(contender: Contender, run: Run, churn: string): Promise<Answer> {
  const [program, ...args] = ['taskset', '-c', run.cores.join(), ...contender.command(run)];
  const preload = run.newFlows > 0 ? { LD_PRELOAD: churn, CHURN: String(run.newFlows) } : {};
  const { stdout, stderr } = await promisify(execFile)(program, args, {
    env: { ...process.env, ...preload },
    timeout: (STARTUP_SECONDS + run.warmup + run.seconds) * 1000,
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 24,
  }).catch((error: ProcessFailure) => {
    throw new Error(lastWords(error), { cause: error });
  });
  const line = stdout.trim().split('\n').at(-1) ?? '';
  if (!line.startsWith('{')) throw new Error(`no answer: ${stdout}${stderr}`);
  const answer = JSON.parse(line) as Answer;
  check(answer, run);
  return answer;
}

/** A contender that drops what it is to forward is fast for nothing. */
function check(answer: Answer, run: Run): void {
  if (!(answer.packets > 0 && answer.nsPerPacket > 0)) throw new Error('it forwarded nothing');
  const dropped = Object.values(answer.dropped ?? {}).reduce((sum, count) => sum + count, 0);
  if (dropped > answer.packets / 1000) {
    throw new Error(
      `it dropped ${dropped} of ${answer.packets}: ${JSON.stringify(answer.dropped)}`,
    );
  }
  const { newFlows = run.newFlows } = answer;
  if (Math.abs(newFlows - run.newFlows) > Math.max(run.newFlows, 0.01) * NEW_FLOWS_TOLERANCE) {
    throw new Error(`${newFlows} of its packets were new flows instead of ${run.newFlows}`);
  }
}

interface ProcessFailure extends Error {
  readonly code?: number | string;
  readonly signal?: string;
  readonly stderr?: string;
}

/** What a contender complained of, without the stack and the command line. */
function lastWords({ code, signal, stderr = '', message }: ProcessFailure): string {
  const lines = stderr.split('\n').map((line) => line.trim());
  const said =
    lines.find((line) => /error|fail|no memory|unknown/i.test(line)) ??
    lines.find((line) => line !== '');
  return `${signal ?? `exit ${code ?? '?'}`}: ${said ?? message}`;
}
