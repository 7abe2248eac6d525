/**
 * The memory store: native tables in this process, shared by its lanes. Every operation finishes at
 * once. For tests and simulation `delayedStore` puts latency and competing writers in front of it.
 */
import { native } from '../native.ts';
import type { Lane } from '../streams/lane.ts';
import { NativeSession, shapeOf } from './native-session.ts';
import type { Store, TableSession } from './store.ts';

export interface MemoryStoreOptions {
  /** Stores of one name in one process share their tables. Default: a name of its own. */
  readonly name?: string;
  /** Seeds the tables' hash functions. Default: random; simulations give one. */
  readonly seed?: number;
}

export interface MemoryStore extends Store {
  open(lane: Lane): TableSession;
}

let unnamed = 0;

export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  const name = options.name ?? `memory-${process.pid}-${unnamed++}`;
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 48);
  return {
    open: (lane) =>
      new NativeSession(lane, {
        writer: 0,
        openTable: (table) => native.openTable(`${name}/${table.storage}`, shapeOf(table, seed)),
        openNumbers: (pool) => native.openNumbers(`${name}/${pool.name}`, pool.first, pool.count),
        close: () => undefined,
      }),
  };
}
