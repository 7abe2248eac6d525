/** One step of preparation: its command, its progress, its limit in time, and what it said. */
import { spawn } from 'node:child_process';

export class StepError extends Error {
  constructor(title: string, reason: string, output: string) {
    super(`${title}: ${reason}\n${output.split('\n').slice(-20).join('\n')}`);
    this.name = 'StepError';
  }
}

export interface StepOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly seconds?: number;
}

const outputMost = 1 << 20; // of the kernel's build, a few hundred KiB

/** Resolves to standard output; throws a StepError with the last lines when it fails or hangs. */
export async function step(
  title: string,
  words: readonly string[],
  options: StepOptions = {},
): Promise<string> {
  const seconds = options.seconds ?? 120;
  const began = Date.now();
  const [file = '', ...parameters] = words;
  const child = spawn(file, parameters, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
  });
  let output = '';
  let all = '';
  const end = () => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL');
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-outputMost);
    all = (all + text).slice(-outputMost);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    all = (all + text).slice(-outputMost);
  });
  const elapsed = () => Math.round((Date.now() - began) / 1000);
  const progress = setInterval(() => console.log(`lab:   ... ${title}: ${elapsed()} s`), 15_000);
  const limit = setTimeout(end, seconds * 1000);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
    });
    if (status === 0) return output;
    const late = elapsed() >= seconds;
    throw new StepError(title, late ? `not done in ${seconds} s` : `exit status ${status}`, all);
  } finally {
    clearInterval(progress);
    clearTimeout(limit);
    if (elapsed() >= 2) console.log(`lab: ${title}: ${elapsed()} s`);
  }
}
