/**
 * The store interface: batched and polled, never a promise per operation.
 *
 * A session belongs to one lane. An operation is started with a batch and finishes at once (`true`)
 * or later, from a poll, in the order of starting: `done` then gets the batch. What it read or wrote
 * lies in the batch's register.
 */
import type { PacketBatch } from '../streams/batch.ts';
import type { Lane } from '../streams/lane.ts';
import type { WhereMask } from '../streams/traits.ts';
import type { Table } from './table.ts';

export const keyKinds = {
  /** Protocol, source address and source port (or ICMP query identifier). */
  'source-endpoint': 0,
  /** Protocol, destination address and destination port. */
  'destination-endpoint': 1,
  /** Both endpoints and the protocol, as the packet goes. */
  'five-tuple': 2,
  /** Both endpoints and the protocol in a fixed order: the same for both directions. */
  flow: 3,
  /** Both endpoints, the inside one first, as upstream translations staged them. */
  session: 4,
  /** Source, destination, protocol and IPv4 identification: one datagram's fragments (RFC 791). */
  fragment: 5,
  /** The register's key column, filled by an earlier operator. */
  staged: 6,
} as const;

export type KeyKind = keyof typeof keyKinds;

export interface LookupRequest {
  readonly table: Table;
  readonly register: number;
  readonly key: KeyKind;
  readonly where: WhereMask;
  /** Hits that prolong the record's life. */
  readonly refresh: WhereMask;
  readonly attendAll: boolean;
  readonly attendMisses: boolean;
  /** Hits with any of these traits are attended. */
  readonly attendAny: number;
}

export interface Operation {
  start(batch: PacketBatch, done: (batch: PacketBatch) => void): boolean;
}

/** Numbers `first` to `first + count - 1`, of which each is used by one holder at a time. */
export interface NumberPool {
  readonly name: string;
  readonly first: number;
  readonly count: number;
  /** Where a number's use shows: numbers of dead lessees without a record there go back. */
  readonly use: {
    readonly table: Table;
    /** Writes the 16-byte key of a number's record. */
    key(number: number, out: Uint8Array): void;
  };
}

/** This session's numbers of a pool. */
export interface Lease {
  /**
   * Fills `out` as far as numbers are at hand; returns how many. They are to be used, or given back,
   * within `leaseMilliseconds`. 0: the pool is empty, or (`pending`) the store is being asked.
   */
  take(out: Uint32Array): number;
  /** True when `take` returned 0 and more may be had later. */
  readonly pending: boolean;
  /**
   * @throws when the number is not out: it would be handed out twice. A store that takes time reports
   * `number-not-out` instead.
   */
  give(number: number): void;
  /** As `give`, for the first `count`. */
  giveAll(numbers: Uint32Array, count: number): void;
}

/** A leased number that is not used by then goes back; twice as long, and the audit takes it. */
export const leaseMilliseconds = 300_000;

/** Where things lie in a row of `RecordRows`, in bytes. */
export const recordRow = { key: 0, timer: 16, claim: 20, record: 24 } as const;

/** Records with their keys, one after the other; those of a callback are valid until it returns. */
export class RecordRows {
  count = 0;
  /** Bytes from one row to the next. */
  readonly stride: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;

  /** @param recordSize bytes of a record of the table */
  constructor(recordSize: number, capacity: number) {
    this.stride = recordRow.record + recordSize;
    this.bytes = new Uint8Array(this.stride * capacity);
    this.view = new DataView(this.bytes.buffer);
  }
  get capacity(): number {
    return this.bytes.length / this.stride;
  }
}

export interface StoreSession {
  /** True when every operation finishes at once: no in-flight slots are needed. */
  readonly synchronous: boolean;

  /**
   * A batch is done when what it read is committed as its table asks. Rows that could not be looked up
   * are dropped by then, with a reason of the store.
   */
  lookup(request: LookupRequest): Operation;
  /**
   * Performs what is staged; a batch is done when what stands is committed. A row whose write may stand
   * or not has state `unknown`, and is dropped by then.
   */
  write(table: Table, register: number): Operation;

  lease(pool: NumberPool): Lease;

  /**
   * Claims records whose idle life has ended, all of a table in about `sweepMilliseconds`. They are gone
   * from the table; each is claimed again, by whatever session, unless it is confirmed.
   */
  expire(table: Table, sweepMilliseconds: number, claimed: (rows: RecordRows) => void): void;
  /** @param claims the first `count` are from `recordRow.claim` of rows claimed here */
  confirm(table: Table, claims: Uint32Array, count: number): void;

  /**
   * Removes each record that is still the one given; `done` gets a byte for each row, 1 where it was
   * this call that removed it; it is not called where the store is away. The rows are copied. Bounded:
   * false when too much is under way.
   */
  discard(table: Table, rows: RecordRows, done: (removed: Uint8Array) => void): boolean;

  /**
   * Adds the rows' fields of type `count` to those of the records; a record that is absent is created as
   * given. Each counts once, whatever is lost and repeated on the way. `done` gets a byte for each row, 0
   * where there was no room or it is not known. The rows are copied. Bounded, as `discard` is.
   */
  add(table: Table, rows: RecordRows, done: (added: Uint8Array) => void): boolean;

  /** Shows records of the table, all of them in about `sweepMilliseconds`; new ones may be missed. */
  scan(table: Table, sweepMilliseconds: number, seen: (rows: RecordRows) => void): void;
  /**
   * Reads records by key, outside the data path: fills the rows' records; `done` gets a byte for each
   * row, 1 where it was found. The rows are the session's until then. Bounded and answered as `discard` is.
   */
  fetch(table: Table, rows: RecordRows, done: (found: Uint8Array) => void): boolean;

  /** Records in the table, as last known. */
  size(table: Table): number;
}

/** A session on tables in this machine's memory: everything is done at once. */
export interface TableSession extends StoreSession {
  readonly synchronous: true;
  /** The native table, for kernels that look it up themselves. */
  handle(table: Table): number;
  /** One record by key, or undefined; outside the data path, like the others. */
  read(table: Table, key: Uint8Array): DataView | undefined;
  /** Creates or replaces; false when the table is full. */
  put(table: Table, key: Uint8Array, record: Uint8Array, timer: number): boolean;
  remove(table: Table, key: Uint8Array): boolean;
}

export interface Store {
  open(lane: Lane): StoreSession;
  /** Where writers are numbered by the store: the number of the lane that is opened next. */
  takeWriter?(): number;
}
