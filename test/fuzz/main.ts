/**
 * `npm run fuzz -- [--target NAME] [--seconds N] [--seed N]`
 *
 * Runs every target of test/fuzz/*.fuzz.ts, or the named one, for N seconds each (10), from a
 * seed (the time). A failing input is printed as hexadecimal with the seed that makes it again.
 */
import { globSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { toHex } from '../../src/wire/bytes.ts';
import type { FuzzFailure } from './runner.ts';
import { runTarget } from './runner.ts';
import type { FuzzTarget } from './target.ts';
import { startWatchdog } from './watchdog.ts';

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    seconds: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() >>> 0) },
  },
});
process.exitCode = await main(values.target, Number(values.seconds), Number(values.seed));

async function main(name: string | undefined, seconds: number, seed: number): Promise<number> {
  if (!(seconds > 0) || !Number.isSafeInteger(seed)) {
    console.error('--seconds needs a number above 0, --seed a whole number');
    return 2;
  }
  const found = await findTargets();
  const targets = name === undefined ? found : found.filter((target) => target.name === name);
  if (targets.length === 0) {
    console.error(`no such target; there are: ${found.map((target) => target.name).join(', ')}`);
    return 2;
  }
  const onRun = startWatchdog();
  console.log(`seed ${seed}`);
  let failures = 0;
  for (const target of targets) {
    const { runs, failure } = await runTarget(target, { seed, seconds, onRun });
    console.log(`${target.name}: ${runs} runs, ${failure ? 'FAILED' : 'no fault'}`);
    if (failure) report(target, failure);
    failures += failure ? 1 : 0;
  }
  return failures === 0 ? 0 : 1;
}

async function findTargets(): Promise<FuzzTarget[]> {
  const files = globSync('*.fuzz.ts', { cwd: import.meta.dirname }).sort();
  const modules = await Promise.all(
    files.map((file) => import(`./${file}`) as Promise<{ targets: readonly FuzzTarget[] }>),
  );
  return modules.flatMap((module) => module.targets);
}

function report(target: FuzzTarget, { seed, input, error }: FuzzFailure): void {
  console.error(error);
  console.error(`input: ${toHex(input)}`);
  console.error(`again: npm run fuzz -- --target ${target.name} --seed ${seed} --seconds 1`);
}
