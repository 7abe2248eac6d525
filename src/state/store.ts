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

/** Hands out numbers of a pool in blocks; a block belongs to this session until it is returned. */
export interface Lease {
  /** Fills `out` as far as the pool goes; returns how many, 0 when it is empty. */
  take(out: Uint32Array): number;
  /** @throws when the number is not out: it would be handed out twice. */
  give(number: number): void;
}

/** A record whose idle life ended: claimed by this session, and gone from the table. */
export interface Expired {
  /** 16 bytes, as in the register's key column. */
  readonly key: Uint8Array;
  readonly record: DataView;
  readonly timer: number;
}

export interface StoreSession {
  /** True when every operation finishes at once: no in-flight slots are needed. */
  readonly synchronous: boolean;
  lookup(request: LookupRequest): Operation;
  write(table: Table, register: number): Operation;
  lease(pool: string, first: number, count: number): Lease;
  /** Calls `claimed` for each record of a table whose idle life has ended; visits all in about `sweepMilliseconds`. */
  expire(table: Table, sweepMilliseconds: number, claimed: (expired: Expired) => void): void;
  /** Outside the data path: one record by key, or undefined. */
  read(table: Table, key: Uint8Array): DataView | undefined;
  put(table: Table, key: Uint8Array, record: Uint8Array, timer: number): boolean;
  remove(table: Table, key: Uint8Array): boolean;
  /** Records in the table now. */
  size(table: Table): number;
}

export interface Store {
  open(lane: Lane): StoreSession;
}
