/**
 * The shared-memory store: native tables in files that every process of one machine maps. State
 * survives all instances; a process that is killed at any instruction leaves it whole (native/store).
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { native, type StoredTable } from '../native.ts';
import type { Lane } from '../streams/lane.ts';
import { NativeSession, shapeOf } from './native-session.ts';
import type { Store, TableSession } from './store.ts';
import { checkTable, describeSchema, mergeSchemas, type StoredSchema } from './stored-schema.ts';
import type { Table } from './table.ts';

export interface SharedStoreOptions {
  /** A folder of shared memory, such as `/dev/shm/rxnf-nat`. Made where it is not there. */
  readonly path: string;
  /** Whose lanes these are, for `fence`. Default: the process. */
  readonly instance?: string;
}

export interface SharedStore extends Store {
  /** Reports `store-capacity` of each table that was made for another number of records. */
  open(lane: Lane): TableSession;
  /** The writer number of the next lane: each lane takes one before it is made. */
  takeWriter(): number;
}

/**
 * @throws with code `ERR_STORE_FULL` where memory is short, `ERR_STORE_LAYOUT`, `ERR_STORE_SCHEMA` where
 *   another release made the store otherwise, `ERR_STORE_WRITERS` where too many lanes have it open
 * @example openLane(nf, sharedStore({ path: '/dev/shm/rxnf-nat' }), ...)
 */
export function sharedStore({
  path,
  instance = `pid-${process.pid}`,
}: SharedStoreOptions): SharedStore {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const taken: { store: number; writer: number }[] = [];
  const take = () => native.openStore(path, instance);
  return {
    takeWriter() {
      const opened = take();
      taken.push(opened);
      return opened.writer;
    },
    open(lane) {
      const { store, writer } = taken.shift() ?? take();
      const session = new NativeSession(lane, {
        writer,
        openTable(table) {
          checkSchema(path, table);
          return native.openStoreTable(store, table.storage, shapeOf(table), describeTable(table));
        },
        openNumbers: (pool) => native.openStoreNumbers(store, pool.name, pool.first, pool.count),
        close: () => native.closeStore(store),
      });
      // At the start, not with the first packet: what is wrong with a table is said to who starts it.
      for (const table of lane.tables as readonly Table[])
        if (table.scope === 'shared') checkCapacity(lane, table, session.handle(table));
      return session;
    },
  };
}

/** Ends every process of an instance and returns when each is gone: nothing of it is written any more. */
export function fenceShared(
  path: string,
  instance: string,
  limitMilliseconds = 5000,
): readonly number[] {
  return native.fenceInstance(path, instance, limitMilliseconds);
}

/** Names of the tables in a store. */
export function storedTables(path: string): string[] {
  return readdirSync(path)
    .filter((file) => file.startsWith('table.') && !file.endsWith('.new'))
    .map((file) => file.slice('table.'.length).replaceAll('~', '/'))
    .sort();
}

/** Removes a store. Who has it open keeps what they have, and nobody finds it any more. */
export function removeStore(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** What a table's file says of it. */
export interface TableDescription extends StoredSchema {
  /** Its name. */
  readonly schema: string;
  readonly idleMilliseconds: readonly number[];
}

function describeTable({ schema, idleMilliseconds }: Table): string {
  const description = { schema: schema.name, ...describeSchema(schema), idleMilliseconds };
  return JSON.stringify(description satisfies TableDescription);
}

export function readDescription({ description }: StoredTable): TableDescription {
  return JSON.parse(description) as TableDescription;
}

function checkSchema(path: string, table: Table): void {
  const stored = native.tableOfStore(path, table.storage);
  if (!stored) return;
  const known = readDescription(stored);
  const { storage, schema } = table;
  checkTable(storage, known.schema, schema.name);
  mergeSchemas(schema.name, known, describeSchema(schema));
}

/** A table keeps the size that it was made with. */
function checkCapacity(lane: Lane, { storage, capacity }: Table, handle: number): void {
  const made = native.tableInfo(handle).capacity;
  if (made === capacity) return;
  lane.report({
    event: 'store-capacity',
    holder: storage,
    capacity: made,
    configured: capacity,
    message: `table ${storage} was made for ${made} records, not for ${capacity}: to change it, stop the instances, rxnf state dump, remove, set the table’s capacity in the dump to ${capacity}, rxnf state restore`,
  });
}
