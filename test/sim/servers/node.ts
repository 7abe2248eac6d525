/**
 * One server of a cluster: the keys that it holds, which partitions it thinks are whose, and what it does
 * with a command. A partition lies in one slot, so it moves as a slot does: key by key, from the node that
 * is `leaving` it to the one that is `arriving`.
 */
import type { StoreCluster } from '../store-cluster.ts';
import { partitionOfKeys, type ServerReply, serverFunctions } from './functions.ts';
import { type Keyspace, NonLocal } from './keyspace.ts';

/** Nothing was done. `to`: the node that the server names. */
export class Refusal {
  readonly why: 'MOVED' | 'ASK' | 'TRYAGAIN' | 'error';
  readonly to: number | undefined;

  constructor(why: Refusal['why'], to?: number) {
    this.why = why;
    this.to = to;
  }
}

export interface Command {
  /** Preceded by ASKING. */
  readonly asking: boolean;
  readonly words: readonly string[];
}

export type Answered = ServerReply | Refusal;

export class ServerNode {
  readonly index: number;
  readonly service: StoreCluster<Keyspace>;
  /** By partition: the owner, as this node knows. */
  readonly owners: number[];
  /** By partition: where its keys go to, or come from. */
  readonly leaving = new Map<number, number>();
  readonly arriving = new Map<number, number>();

  constructor(index: number, service: StoreCluster<Keyspace>, owners: readonly number[]) {
    this.index = index;
    this.service = service;
    this.owners = [...owners];
  }

  get keys(): Keyspace {
    return this.service.primary.functions;
  }

  serve(db: Keyspace, { words, asking }: Command, now: number): Answered {
    const { keys, args, name } = parse(words);
    const refusal = keys.length === 0 ? undefined : this.refuse(db, keys, asking);
    if (refusal) return refusal;
    const guard = (reached: readonly string[]) => !this.refuse(db, reached, asking);
    try {
      return db.guarded(guard, () => perform(db, name, keys, args, Math.floor(now)));
    } catch (error) {
      if (error instanceof NonLocal) return new Refusal('error');
      throw error;
    }
  }

  /** Undefined: the command is served here. */
  refuse(db: Keyspace, keys: readonly string[], asking: boolean): Refusal | undefined {
    const partition = partitionOfKeys(keys);
    const missing = keys.filter((key) => !db.has(key)).length;
    if (this.owners[partition] !== this.index) {
      if (!asking || !this.arriving.has(partition))
        return new Refusal('MOVED', this.owners[partition]);
      return missing > 0 && keys.length > 1 ? new Refusal('TRYAGAIN') : undefined;
    }
    const to = this.leaving.get(partition);
    if (to === undefined || missing === 0) return undefined;
    return missing < keys.length ? new Refusal('TRYAGAIN') : new Refusal('ASK', to);
  }

  /** MIGRATE of one key. False: the other has it. */
  migrate(key: string, to: ServerNode): boolean {
    return this.keys.moveTo(to.keys, key);
  }
}

function parse(words: readonly string[]) {
  const [name = '', ...rest] = words;
  if (name === 'FCALL' || name === 'FCALL_RO') {
    const [called = '', count, ...others] = rest;
    return {
      name: called,
      keys: others.slice(0, Number(count)),
      args: others.slice(Number(count)),
    };
  }
  if (name === 'MGET' || name === 'GET') return { name, keys: rest, args: [] };
  if (name === 'HSCAN') return { name, keys: rest.slice(0, 1), args: rest.slice(1) };
  return { name, keys: [], args: rest };
}

function perform(
  db: Keyspace,
  name: string,
  keys: readonly string[],
  args: readonly string[],
  now: number,
): ServerReply {
  switch (name) {
    case 'GET':
      return db.get(keys[0] as string);
    case 'MGET':
      return keys.map((key) => db.get(key));
    case 'HSCAN':
      return ['0', db.fields(keys[0] as string).flat()];
    case 'SCAN':
      return ['0', matching(db, args)];
    case 'DBSIZE':
      return [...db.names()].length;
    case 'TIME':
      return [String(Math.floor(now / 1000)), String((now % 1000) * 1000)];
    default: {
      const run = serverFunctions[name];
      if (!run) throw new Error(`a simulated server does not know ${name}`);
      return run(db, keys, args, now);
    }
  }
}

/** SCAN 0 MATCH pattern: `{pp}TABLE/*` or `{??}TABLE/*`. */
function matching(db: Keyspace, args: readonly string[]): string[] {
  const pattern = args[args.indexOf('MATCH') + 1] as string;
  const [tag, rest] = [pattern.slice(0, 4), pattern.slice(4, -1)];
  const anywhere = tag === '{??}';
  return [...db.names()].filter(
    (name) => (anywhere || name.startsWith(tag)) && name.startsWith(rest, 4),
  );
}
