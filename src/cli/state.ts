/** `rxnf state`: looks after a store, wherever it is. */
import type { Writable } from 'node:stream';
import type { Command } from 'commander';

/** What can be done to the state in one kind of store. */
interface StateCommands {
  list(out: Writable, store: string): void | Promise<void>;
  dump(out: Writable, store: string): void | Promise<void>;
  restore(out: Writable, store: string, file: string): void | Promise<void>;
  remove(out: Writable, store: string, name?: string): void | Promise<void>;
}

export function addStateCommands(program: Command, out: Writable): void {
  const state = program.command('state').description('look after a store');
  const store = [
    '<store>',
    'its folder in shared memory, such as /dev/shm/rxnf-nat; or a server: redis://host:port, unix:/path',
  ] as const;
  state
    .command('list')
    .description('its tables and how full they are, and who has it open')
    .argument(...store)
    .action(async (at: string) => (await stateOf(at)).list(out, at));
  state
    .command('dump')
    .description('every record as a line of JSON')
    .argument(...store)
    .action(async (at: string) => (await stateOf(at)).dump(out, at));
  state
    .command('restore')
    .description('put the records of a dump back')
    .argument(...store)
    .argument('<file>', 'what `rxnf state dump` wrote; - for standard input')
    .action(async (at: string, file: string) => (await stateOf(at)).restore(out, at, file));
  state
    .command('remove')
    .description('remove it with everything in it, if nobody has it open')
    .argument(...store)
    .option('--name <name>', 'of a server: the name that it is told to be given, exactly')
    .action(async (at: string, { name }: { name?: string }) =>
      (await stateOf(at)).remove(out, at, name),
    );
}

/** A server is named by a URL, shared memory by its folder. */
async function stateOf(store: string): Promise<StateCommands> {
  const isServer = /^(unix:|[a-z+]+:\/\/)/.test(store);
  return isServer ? await import('./server-state.ts') : await import('./shared-state.ts');
}
