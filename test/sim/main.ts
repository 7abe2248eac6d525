/**
 * `npm run sim -- [--seeds N] [--seed S] [--bug NAME]`
 *
 * Simulates N runs (1000), with the seeds from S (1) on; with `--bug`, with a mistake planted, until it
 * is found. A failing run prints its seed, the promise that it broke, and the shortest story of it.
 */
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { bugs } from './bugs.ts';
import { describePlan, planOf } from './plan.ts';
import { shorten } from './shorten.ts';
import { type Failure, simulate } from './simulation.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    bug: { type: 'string' },
    store: { type: 'string' },
  },
});
process.exitCode = await main(Number(values.seeds), Number(values.seed), values.bug);

async function main(seeds: number, first: number, name: string | undefined): Promise<number> {
  if (!(Number.isSafeInteger(seeds) && seeds > 0 && Number.isSafeInteger(first))) {
    console.error('--seeds needs a whole number above 0, --seed a whole number');
    return 2;
  }
  const bug = name === undefined ? undefined : bugs[name];
  if (name !== undefined && !bug) {
    console.error(`no such bug; there are: ${Object.keys(bugs).join(', ')}`);
    return 2;
  }
  const kind = values.store ?? (bug && (bug.kind ?? 'answers'));
  if (kind !== undefined && kind !== 'answers' && kind !== 'servers') {
    console.error('--store is answers or servers');
    return 2;
  }
  const tally = { given: 0, left: 0, answers: 0, instances: 0 };
  const started = performance.now();
  for (let i = 0; i < seeds; i++) {
    await setImmediate(); // see `simulate`
    const failure = simulate(planOf(first + i, kind), bug, tally);
    if (!failure) continue;
    report(await shorten(failure, bug), i + 1);
    return 1;
  }
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `${seeds} runs from seed ${first}: no promise broken (${(seeds / seconds).toFixed(0)} a second)\n` +
      `${tally.given} packets given to ${tally.instances} instances, ${tally.left} left,` +
      ` ${tally.answers} of them answers`,
  );
  return 0;
}

function report({ plan, promise, message, story }: Failure, runs: number): void {
  console.log(story.join('\n'));
  const what = promise === 0 ? 'an error' : `promise ${promise} of the design broken`;
  console.log(`\n${what}: ${message}\n${describePlan(plan)}\nfound in run ${runs}`);
  const again = values.bug === undefined ? '' : ` --bug ${values.bug}`;
  console.log(`again: npm run sim -- --seed ${plan.seed} --seeds 1${again}`);
}
