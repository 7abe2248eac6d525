/** Tables: a record schema with a key space, a bound, timers, and what losing a write may cost. */
import { Packet } from '../streams/packet.ts';
import type { RecordSchema } from './record.ts';

export interface TableOptions {
  /** Records at the most; the next insert is refused (drop reason `table-full`). */
  readonly capacity: number;
  /**
   * Idle life in seconds: a record that no refreshing lookup touches lives at least this long and at
   * most 1.5 times as long. A list gives up to four timer classes; 0 or absent: never expires.
   */
  readonly idleSeconds?: number | readonly number[];
  /**
   * `shared`: state that must survive this instance. `local`: soft state about this instance's own
   * links that a protocol rebuilds (ARP), kept in memory whatever the store is.
   */
  readonly scope?: 'shared' | 'local';
  /**
   * When a write counts, and a packet that depends on it may leave: once the store's primary has it
   * (default), or once so many replicas have it too. Stores without replicas take either for the first.
   */
  readonly commit?: CommitClass;
}

export type CommitClass = 'primary' | { readonly replicas: number };

/** @typeParam Name the field under which a batch carries the table's record after a lookup */
export interface Table<Name extends string = string, F = object> {
  /** Field name in a batch. */
  readonly name: Name;
  /** Name in the store; other than `name` only for an alias. */
  readonly storage: string;
  readonly schema: RecordSchema<F>;
  readonly capacity: number;
  readonly idleMilliseconds: readonly number[];
  readonly scope: 'shared' | 'local';
  readonly commit: CommitClass;
}

/**
 * Declares a table.
 *
 * @throws {RangeError} naming the option, or a name that packets use themselves
 * @example
 * const bindings = table('binding', binding, { capacity: 100_000, idleSeconds: [300, 7440] });
 */
export function table<Name extends string, F>(
  name: Name,
  schema: RecordSchema<F>,
  options: TableOptions,
): Table<Name, F> {
  const idle = options.idleSeconds ?? 0;
  const seconds = typeof idle === 'number' ? [idle] : idle;
  if (seconds.length > 4) throw new RangeError(`table ${name}: more than four timer classes`);
  const longest = 2 ** 31 / 1000 / 2; // deadlines are compared as signed 32-bit milliseconds
  for (const s of seconds) {
    if (!(s >= 0 && s < longest))
      throw new RangeError(`table ${name}: idleSeconds ${s} is not between 0 and ${longest}`);
  }
  if (!Number.isInteger(options.capacity) || options.capacity < 1 || options.capacity > 2 ** 28)
    throw new RangeError(`table ${name}: capacity ${options.capacity} is not 1 to 2^28`);
  const { commit = 'primary' } = options;
  if (commit !== 'primary' && !(Number.isInteger(commit.replicas) && commit.replicas > 0))
    throw new RangeError(`table ${name}: commit.replicas ${commit.replicas} is not 1 or more`);
  checkName(name);
  return {
    name,
    storage: name,
    schema,
    capacity: options.capacity,
    idleMilliseconds: seconds.map((s) => Math.round(s * 1000)),
    scope: options.scope ?? 'shared',
    commit,
  };
}

/**
 * The same table under another field name, for a packet that needs two of its records at once (one
 * that it was looked up in, and one that it reserves).
 */
export function alias<Name extends string, F>(
  original: Table<string, F>,
  name: Name,
): Table<Name, F> {
  checkName(name);
  return { ...original, name };
}

/** A table's record is a property of the packet, so it cannot be called as one of its members is. */
function checkName(name: string): void {
  if (name in Packet.prototype || packetFields.has(name))
    throw new RangeError(`a table cannot be named ${name}: packets have a member of that name`);
}

const packetFields = new Set(['arena', 'batch', 'row', 'start', 'view']);

/** A table of whatever record. */
// biome-ignore lint/suspicious/noExplicitAny: a record's fields are invariant
export type AnyTable = Table<string, any>;
