/**
 * The memory store: native tables in this process, shared by its lanes. Every operation finishes at
 * once. For tests and simulation `delayedStore` puts latency and competing writers in front of it.
 */
import { native } from '../native.ts';
import type { Lane } from '../streams/lane.ts';
import {
  keyKinds,
  type Lease,
  type LookupRequest,
  type NumberPool,
  type Operation,
  RecordRows,
  recordRow,
  type Store,
  type TableSession,
} from './store.ts';
import type { Table } from './table.ts';

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

export class MemorySession implements TableSession {
  readonly synchronous = true as const;
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

  lease(pool: NumberPool): Lease {
    const { name } = pool;
    const numbers = native.openNumbers(`${this.name}/${name}`, pool.first, pool.count);
    const one = new Uint32Array(1);
    return {
      pending: false,
      take: (out) => native.takeNumbers(numbers, out),
      give: (number) => {
        one[0] = number;
        if (native.giveNumbers(numbers, one, 1) !== 1)
          throw new Error(`${name}: number ${number} was returned but is not out`);
      },
    };
  }

  expire(table: Table, sweepMilliseconds: number, claimed: (rows: RecordRows) => void): void {
    const handle = this.handle(table);
    const steps = Math.max(1, Math.floor(sweepMilliseconds / sweepTick));
    const entries = Math.max(64, Math.ceil(table.capacity / steps));
    const rows = new RecordRows(table.schema.size, Math.min(entries, 4096));
    this.lane.every(sweepTick, (now) => {
      for (let left = entries; left > 0; left -= 4096) {
        rows.count = native.sweepTable(handle, now, Math.min(left, 4096), rows.bytes);
        if (rows.count > 0) claimed(rows);
      }
    });
  }

  confirm(): void {
    // Who has claimed a record lives and dies with the tables.
  }

  discard(table: Table, rows: RecordRows, done: (removed: Uint8Array) => void): boolean {
    const removed = new Uint8Array(rows.count);
    native.discardRecords(this.handle(table), rows.bytes, rows.count, removed);
    done(removed);
    return true;
  }

  scan(table: Table, sweepMilliseconds: number, seen: (rows: RecordRows) => void): void {
    const handle = this.handle(table);
    const steps = Math.max(1, Math.floor(sweepMilliseconds / sweepTick));
    const entries = Math.max(64, Math.ceil(table.capacity / steps));
    const rows = new RecordRows(table.schema.size, entries);
    let at = 0;
    this.lane.every(sweepTick, () => {
      rows.count = native.scanTable(handle, at, entries, rows.bytes);
      at = at + entries >= table.capacity ? 0 : at + entries;
      if (rows.count > 0) seen(rows);
    });
  }

  fetch(table: Table, rows: RecordRows, done: (found: Uint8Array) => void): boolean {
    const found = new Uint8Array(rows.count);
    const handle = this.handle(table);
    for (let i = 0; i < rows.count; i++) {
      const row = rows.bytes.subarray(i * rows.stride, (i + 1) * rows.stride);
      const key = row.subarray(recordRow.key, recordRow.timer);
      if (native.readRecord(handle, key, row.subarray(recordRow.record)) >= 0) found[i] = 1;
    }
    done(found);
    return true;
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
