/**
 * The memory store: native tables in this process, shared by its lanes. Every operation finishes at
 * once. For tests and simulation `delayedStore` puts latency and competing writers in front of it.
 */
import { native } from '../native.ts';
import type { Lane } from '../streams/lane.ts';
import {
  type Expired,
  keyKinds,
  type Lease,
  type LookupRequest,
  type Operation,
  type Store,
  type StoreSession,
} from './store.ts';
import type { Table } from './table.ts';

export interface MemoryStoreOptions {
  /** Stores of one name in one process share their tables. Default: a name of its own. */
  readonly name?: string;
  /** Seeds the tables' hash functions. Default: random; simulations give one. */
  readonly seed?: number;
}

let unnamed = 0;

export function memoryStore(options: MemoryStoreOptions = {}): Store {
  const name = options.name ?? `memory-${process.pid}-${unnamed++}`;
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 48);
  return { open: (lane) => new MemorySession(name, seed, lane) };
}

/** Opens one table of the process by name; the handle is the calling thread's. */
export function openTable(store: string, table: Table, seed: number): number {
  return native.openTable(`${store}/${table.storage}`, {
    capacity: table.capacity,
    recordSize: table.schema.size,
    schema: table.schema.version,
    idleMilliseconds: table.idleMilliseconds,
    seed,
  });
}

const sweepTick = 50; // ms between steps of a sweep

export class MemorySession implements StoreSession {
  readonly synchronous = true;
  private readonly handles = new Map<string, number>();
  private readonly name: string;
  private readonly seed: number;
  private readonly lane: Lane;

  constructor(name: string, seed: number, lane: Lane) {
    this.name = name;
    this.seed = seed;
    this.lane = lane;
    lane.onClose(() => {
      for (const handle of this.handles.values()) native.closeTable(handle);
    });
  }

  /** The native handle of a table, opened with its first use. */
  handle(table: Table): number {
    let handle = this.handles.get(table.storage);
    if (handle === undefined) {
      handle = openTable(this.name, table, this.seed);
      this.handles.set(table.storage, handle);
    }
    return handle;
  }

  lookup(request: LookupRequest): Operation {
    const run = this.lane.kernel('lookup', {
      ...request,
      table: this.handle(request.table),
      key: keyKinds[request.key],
    });
    return {
      start(batch) {
        run(batch);
        return true;
      },
    };
  }

  write(table: Table, register: number): Operation {
    const run = this.lane.kernel('write', { table: this.handle(table), register });
    return {
      start(batch) {
        run(batch);
        return true;
      },
    };
  }

  lease(pool: string, first: number, count: number): Lease {
    const numbers = native.openNumbers(`${this.name}/${pool}`, first, count);
    return {
      take: (out) => native.takeNumbers(numbers, out),
      give: (number) => {
        if (!native.giveNumber(numbers, number))
          throw new Error(`${pool}: number ${number} was returned but is not out`);
      },
    };
  }

  expire(table: Table, sweepMilliseconds: number, claimed: (expired: Expired) => void): void {
    const handle = this.handle(table);
    const steps = Math.max(1, Math.floor(sweepMilliseconds / sweepTick));
    const entries = Math.max(64, Math.ceil(table.capacity / steps));
    const stride = 24 + table.schema.size;
    const out = new Uint8Array(Math.min(entries, 4096) * stride);
    this.lane.every(sweepTick, (now) => {
      for (let left = entries; left > 0; left -= 4096) {
        const rows = native.sweepTable(handle, now, Math.min(left, 4096), out);
        for (let i = 0; i < rows; i++) {
          const at = i * stride;
          claimed({
            key: out.subarray(at, at + 16),
            record: new DataView(out.buffer, at + 24, table.schema.size),
            timer: out[at + 16] as number,
          });
        }
      }
    });
  }

  read(table: Table, key: Uint8Array): DataView | undefined {
    const out = new Uint8Array(table.schema.size);
    return native.readRecord(this.handle(table), key, out) < 0
      ? undefined
      : new DataView(out.buffer);
  }

  put(table: Table, key: Uint8Array, record: Uint8Array, timer: number): boolean {
    return native.putRecord(
      this.lane.number,
      this.handle(table),
      key,
      record,
      timer,
      this.lane.nowMilliseconds,
    );
  }

  remove(table: Table, key: Uint8Array): boolean {
    return native.removeRecord(this.handle(table), key);
  }

  size(table: Table): number {
    return native.tableSize(this.handle(table));
  }
}
