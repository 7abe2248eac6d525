/** The commands of `rxnf`, and how their errors are told. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import type { Container } from 'inversify';
import { compose, parts } from './composition.ts';
import { runPorts } from './ports.ts';
import { addStateCommands } from './state.ts';
import { addVfCommands } from './vf.ts';

/** Exit statuses: 0 done, 1 could not be done, 2 not understood. */
const misused = 2;

/** Runs one command; returns the exit status. */
export async function main(
  argv: readonly string[],
  container: Container = compose(),
): Promise<number> {
  const console = container.get(parts.console);
  let status = 0;
  const program = new Command('rxnf')
    .description('Stateless network functions: a NAT on DPDK ports, captures, or a demonstration')
    .version(version(), '-v, --version')
    .exitOverride()
    .showHelpAfterError('(rxnf --help lists the commands)')
    .configureOutput({
      writeOut: (text) => void console.out.write(text),
      writeErr: (text) => void console.error.write(text),
    });
  program
    .command('run')
    .description('run an instance as a configuration says, until SIGTERM')
    .argument('<config>', 'a YAML file: see examples/nat.yaml')
    .action(async (file: string) => {
      status = await (await container.getAsync(parts.run)).run(file);
    });
  program
    .command('demo')
    .description('run the NAT over a capture of real clients: no root, NIC or DPDK needed')
    .action(async () => {
      status = await (await container.getAsync(parts.demo)).run();
    });
  program
    .command('doctor')
    .description('tell what this machine has and lacks, with the command that mends each')
    .action(async () => {
      const { runDoctor } = await import('./doctor.ts');
      status = await runDoctor(console.out, container.get(parts.probes));
    });
  program
    .command('ports')
    .description('list what ports can be made of here')
    .action(async () => {
      status = await runPorts(console.out, container.get(parts.probes));
    });
  addStateCommands(program, console.out);
  addVfCommands(program, console.out, () => container.get(parts.vfMachine));
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : misused;
    console.warn(`rxnf: ${explain(error)}`);
    return 1;
  }
}

/** An operating failure in its own words; a mistake of ours with where it was made. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return `${path ?? error.message}: no such file`;
  return code === undefined ? (error.stack ?? error.message) : error.message;
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
