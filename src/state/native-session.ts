/**
 * A session on native tables in this machine's memory, this process's own or shared: every operation
 * finishes at once. The stores differ in where tables and pools come from.
 */
import { native, type TableShape } from '../native.ts';
import type { Lane } from '../streams/lane.ts';
import { countOffsets } from './record.ts';
import {
  keyKinds,
  type Lease,
  type LookupRequest,
  leaseMilliseconds,
  type NumberPool,
  type Operation,
  RecordRows,
  type TableSession,
} from './store.ts';
import type { Table } from './table.ts';

/** Where a store's tables and pools come from; handles are the calling thread's. */
export interface Structures {
  /** Names this lane's writes and leases. */
  readonly writer: number;
  openTable(table: Table): number;
  openNumbers(pool: NumberPool): number;
  close(): void;
}

/** What the native side needs to know of a table. */
export function shapeOf(table: Table, seed = 0): TableShape {
  return {
    capacity: table.capacity,
    recordSize: table.schema.size,
    schema: table.schema.version,
    idleMilliseconds: table.idleMilliseconds,
    seed,
  };
}

/** Milliseconds between steps of a sweep: what expired meanwhile is released in one go. */
const sweepTick = 1;
const scanTick = 10;
/** Entries visited with one call; a step makes as many calls as it needs. */
const sweptAtOnce = 4096;
/** A step visits that many at least, so that small tables are not divided further. */
const leastSwept = 64;
const auditTick = 1000;
/** A pool of all ports of an address is gone through in about a minute. */
const auditedAtOnce = 1024;

/** Lane time; one epoch for all lanes of a machine. */
const seconds = (lane: Lane) => Math.floor(lane.nowNanoseconds / 1e9);

export class NativeSession implements TableSession {
  readonly synchronous = true as const;
  private readonly handles = new Map<string, number>();
  private readonly structures: Structures;
  private readonly lane: Lane;

  constructor(lane: Lane, structures: Structures) {
    this.structures = structures;
    this.lane = lane;
    lane.onClose(() => {
      for (const handle of this.handles.values()) native.closeTable(handle);
      structures.close();
    });
  }

  /** The native handle of a table, opened with its first use. */
  handle(table: Table): number {
    let handle = this.handles.get(table.storage);
    if (handle === undefined) {
      handle = this.structures.openTable(table);
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
    const { lane, structures } = this;
    const numbers = structures.openNumbers(pool);
    const one = new Uint32Array(1);
    const giveAll = (given: Uint32Array, count: number) => {
      const taken = native.giveNumbers(numbers, given, count);
      if (taken !== count)
        throw new Error(`${pool.name}: number ${given[taken]} was returned but is not out`);
    };
    this.audit(pool, numbers);
    return {
      pending: false,
      take: (out) => native.takeNumbers(numbers, out, structures.writer, seconds(lane)),
      give: (number) => {
        one[0] = number;
        giveAll(one, 1);
      },
      giveAll,
    };
  }

  /** Takes back numbers leased long ago that have no record where their use would show. */
  private audit({ count, use }: NumberPool, numbers: number): void {
    const candidates = new Uint32Array(auditedAtOnce);
    const leased = new Uint32Array(auditedAtOnce);
    const rows = new RecordRows(use.table.schema.size, auditedAtOnce);
    let from = 0;
    this.lane.every(auditTick, () => {
      const until = seconds(this.lane) - (2 * leaseMilliseconds) / 1000;
      if (until < 0) return;
      rows.count = native.staleNumbers(numbers, from, auditedAtOnce, until, candidates, leased);
      from = from + auditedAtOnce >= count ? 0 : from + auditedAtOnce;
      for (let i = 0; i < rows.count; i++)
        use.key(
          candidates[i] as number,
          rows.bytes.subarray(i * rows.stride, i * rows.stride + 16),
        );
      this.fetch(use.table, rows, (found) => {
        for (let i = 0; i < rows.count; i++) {
          if (found[i] === 0)
            native.reclaimNumber(numbers, candidates[i] as number, leased[i] as number);
        }
      });
    });
  }

  expire(table: Table, sweepMilliseconds: number, claimed: (rows: RecordRows) => void): void {
    const handle = this.handle(table);
    const rows = new RecordRows(table.schema.size, Math.min(table.capacity, sweptAtOnce));
    let at = 0;
    let end = 0;
    let last = this.lane.nowMilliseconds;
    // By elapsed time, so that a pass takes no longer where breaths are few. It ends where the table
    // ended when it began: what is used beyond that since is too young to expire within a pass.
    this.lane.every(sweepTick, (now) => {
      if (at >= end) {
        at = 0;
        end = native.tableExtent(handle);
      }
      const share = ((now - last) >>> 0) / sweepMilliseconds;
      last = now;
      const stop = Math.min(end, at + Math.max(leastSwept, Math.ceil(end * share)));
      for (; at < stop; at += sweptAtOnce) {
        rows.count = native.sweepTable(handle, now, at, stop - at, rows.bytes);
        if (rows.count > 0) claimed(rows);
      }
      at = stop;
    });
  }

  confirm(table: Table, claims: Uint32Array, count: number): void {
    native.confirmClaims(this.handle(table), claims, count);
  }

  discard(table: Table, rows: RecordRows, done: (removed: Uint8Array) => void): boolean {
    const removed = new Uint8Array(rows.count);
    native.discardRecords(this.handle(table), rows.bytes, rows.count, removed);
    done(removed);
    return true;
  }

  add(table: Table, rows: RecordRows, done: (added: Uint8Array) => void): boolean {
    const added = new Uint8Array(rows.count);
    const offsets = countOffsets(table.schema);
    const { number, nowMilliseconds } = this.lane;
    const handle = this.handle(table);
    native.addRecords(number, handle, rows.bytes, rows.count, nowMilliseconds, offsets, added);
    done(added);
    return true;
  }

  scan(table: Table, sweepMilliseconds: number, seen: (rows: RecordRows) => void): void {
    const handle = this.handle(table);
    const steps = Math.max(1, Math.floor(sweepMilliseconds / scanTick));
    const entries = Math.max(64, Math.ceil(table.capacity / steps));
    const rows = new RecordRows(table.schema.size, entries);
    let at = 0;
    this.lane.every(scanTick, () => {
      rows.count = native.scanTable(handle, at, entries, rows.bytes);
      at = at + entries >= table.capacity ? 0 : at + entries;
      if (rows.count > 0) seen(rows);
    });
  }

  fetch(table: Table, rows: RecordRows, done: (found: Uint8Array) => void): boolean {
    const found = new Uint8Array(rows.count);
    native.fetchRecords(this.handle(table), rows.bytes, rows.count, found);
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
