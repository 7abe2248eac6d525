/** The commands of `rxnf`, and how their errors are told. */
import { readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { Command, CommanderError } from 'commander';
import type { Container } from 'inversify';
import { compose, parts } from './composition.ts';
import { DemoCommand } from './demo.ts';
import { runDoctor } from './doctor.ts';
import { runPorts } from './ports.ts';
import { RunCommand } from './run.ts';
import {
  dumpServerState,
  isServer,
  listServer,
  removeServerState,
  restoreServerState,
} from './server-state.ts';
import { dumpState, listState, removeState, restoreState } from './state.ts';
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
      status = await container.get(RunCommand).run(file);
    });
  program
    .command('demo')
    .description('run the NAT over a capture of real clients: no root, NIC or DPDK needed')
    .action(async () => {
      status = await container.get(DemoCommand).run();
    });
  program
    .command('doctor')
    .description('tell what this machine has and lacks, with the command that mends each')
    .action(async () => {
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

function addStateCommands(program: Command, out: Writable): void {
  const state = program.command('state').description('look after a store');
  const store = [
    '<store>',
    'its folder in shared memory, such as /dev/shm/rxnf-nat; or a server: redis://host:port, unix:/path',
  ] as const;
  state
    .command('list')
    .description('its tables and how full they are, and who has it open')
    .argument(...store)
    .action((at: string) => (isServer(at) ? listServer(out, at) : listState(out, at)));
  state
    .command('dump')
    .description('every record as a line of JSON')
    .argument(...store)
    .action((at: string) => (isServer(at) ? dumpServerState(out, at) : dumpState(out, at)));
  state
    .command('restore')
    .description('put the records of a dump back')
    .argument(...store)
    .argument('<file>', 'what `rxnf state dump` wrote; - for standard input')
    .action((at: string, file: string) =>
      isServer(at) ? restoreServerState(out, at, file) : restoreState(out, at, file),
    );
  state
    .command('remove')
    .description('remove it with everything in it, if nobody has it open')
    .argument(...store)
    .option('--name <name>', 'of a server: the name that it is told to be given, exactly')
    .action((at: string, { name }: { name?: string }) =>
      isServer(at) ? removeServerState(out, at, name) : removeState(out, at),
    );
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
