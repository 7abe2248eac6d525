/**
 * The virtual hardware lab: `npm run lab [-- --only NAME,... | -- shell | -- prepare | -- list]`.
 *
 * Guests under QEMU have what this machine lacks: an RDMA device (Soft-RoCE), and a network card with
 * virtual functions, whose wire ends here. Their root is the host's, so that they run this checkout, as
 * built. Exits with 1 when a scenario failed or did not run.
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { prepareDisks } from './disks.ts';
import { type Result, runGuest } from './guest.ts';
import { prepareMachine } from './machine.ts';
import { choose, readScenarios, type Scenario } from './scenarios.ts';
import { prepareValkey } from './valkey.ts';

const checkout = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const needed = ['build/rxnf.node', 'build/librxnf_rdma.so', 'build/test/rdma_live'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' } },
});

/** Each has one virtual CPU, and keeps one core busy. */
const guestsAtOnce = 2;

process.exitCode = await main(positionals[0] ?? 'run');

async function main(task: string): Promise<number> {
  const all = readScenarios(join(checkout, 'lab', 'scenarios'));
  if (task === 'list') {
    for (const { name, what } of all) console.log(`${name.padEnd(24)}${what}`);
    return 0;
  }
  if (!['run', 'shell', 'prepare'].includes(task)) {
    console.error(`no task ${task}; there are run, shell, prepare and list`);
    return 2;
  }
  const missing = needed.filter((file) => !existsSync(join(checkout, file)));
  if (missing.length > 0) {
    console.error(`lab: not built: ${missing.join(', ')}. To mend it: npm run setup`);
    return 1;
  }
  const machine = await prepareMachine(join(checkout, 'lab', 'guest', 'initramfs-init'));
  const valkey = await prepareValkey();
  const disks = await prepareDisks(checkout);
  const surroundings = { checkout, machine, valkey, disks };
  if (task === 'prepare') return 0;
  if (task === 'shell') {
    await runGuest(surroundings, [], report);
    return 0;
  }
  const scenarios = choose(all, values.only?.split(',') ?? []);
  const results: Result[] = [];
  const waiting = groups(scenarios);
  const runGuests = async () => {
    for (let group = waiting.shift(); group !== undefined; group = waiting.shift()) {
      await runGuest(surroundings, group, (result) => {
        results.push(result);
        report(result);
      });
    }
  };
  await Promise.all(Array.from({ length: guestsAtOnce }, runGuests));
  const passed = results.filter((result) => result.passed).length;
  console.log(`lab: ${passed} of ${scenarios.length} scenarios passed`);
  return passed === scenarios.length ? 0 : 1;
}

function groups(scenarios: readonly Scenario[]): Scenario[][] {
  const names = new Set(scenarios.map(({ guest }) => guest));
  return [...names].map((name) => scenarios.filter(({ guest }) => guest === name));
}

function report({ scenario, passed, seconds, output }: Result): void {
  const took = `${seconds} s`.padStart(5);
  console.log(
    `${passed ? 'ok    ' : 'FAILED'} ${scenario.name.padEnd(24)}${took}  ${scenario.what}`,
  );
  if (!passed) console.log(output.replace(/^/gm, '       | '));
}
