/**
 * A store as far away as one likes, for tests and simulation: lookups and writes travel for half of
 * the latency, take effect in the order of their starting, and travel back for the other half. Some
 * writes lose to a competitor, by a seeded choice.
 *
 *   start ---- latency / 2 ----> inner store ---- latency / 2 ----> done
 *
 * What is not of the data path (leases, expiry, reading by key) is the inner store's, at once.
 */
import { type PacketBatch, type RegisterColumns, writeKind } from '../streams/batch.ts';
import type { Lane } from '../streams/lane.ts';
import type { LookupRequest, Operation, Store, StoreSession } from './store.ts';
import type { Table } from './table.ts';

export interface DelayedStoreOptions {
  /** Of lane time, from start to done. */
  readonly latencyMilliseconds: number;
  /** Share of creates and swaps that lose: the record has changed, or was created and has gone again. */
  readonly conflictRate?: number;
  readonly seed?: number;
}

/**
 * @example delayedStore(memoryStore({ seed: 7 }), { latencyMilliseconds: 3, conflictRate: 0.1, seed: 7 })
 */
export function delayedStore(inner: Store, options: DelayedStoreOptions): Store {
  return { open: (lane) => delayed(lane, inner.open(lane), options) };
}

/** An operation on its way. */
interface Trip {
  readonly batch: PacketBatch;
  /** Of the batch at the start: another one means that it was reclaimed meanwhile. */
  readonly lease: number;
  readonly arrives: number;
  readonly returns: number;
  readonly take: (batch: PacketBatch) => void;
  readonly done: (batch: PacketBatch) => void;
}

function delayed(lane: Lane, inner: StoreSession, options: DelayedStoreOptions): StoreSession {
  const { latencyMilliseconds, conflictRate = 0, seed = 1 } = options;
  const random = seeded(seed);
  // Bounded by the lane's batches: each is in one operation at a time.
  const outward: Trip[] = [];
  const homeward: Trip[] = [];
  const nothing = () => undefined;

  function send(operation: Operation, before: (batch: PacketBatch) => void): Operation {
    const take = (batch: PacketBatch) => {
      before(batch);
      if (!operation.start(batch, nothing)) throw new Error('the inner store takes time itself');
    };
    return {
      start(batch, done) {
        const now = lane.nowNanoseconds;
        const half = (latencyMilliseconds * 1e6) / 2;
        const times = { arrives: now + half, returns: now + 2 * half };
        outward.push({ batch, lease: batch.lease, ...times, take, done });
        return false;
      },
    };
  }

  lane.polled({
    poll() {
      const now = lane.nowNanoseconds;
      while (outward.length > 0 && (outward[0] as Trip).arrives <= now) {
        const trip = outward.shift() as Trip;
        if (trip.batch.lease === trip.lease && trip.batch.leased) trip.take(trip.batch);
        homeward.push(trip);
      }
      while (homeward.length > 0 && (homeward[0] as Trip).returns <= now) {
        const trip = homeward.shift() as Trip;
        if (trip.batch.lease === trip.lease && trip.batch.leased) trip.done(trip.batch);
      }
    },
  });

  return {
    synchronous: false,
    lookup: (request: LookupRequest) => send(inner.lookup(request), nothing),
    write: (table: Table, register: number) =>
      send(inner.write(table, register), (batch) => {
        if (conflictRate > 0) lose(batch, register, () => random() < conflictRate);
      }),
    lease: (pool, first, count) => inner.lease(pool, first, count),
    expire: (table, sweepMilliseconds, claimed) => inner.expire(table, sweepMilliseconds, claimed),
    read: (table, key) => inner.read(table, key),
    put: (table, key, record, timer) => inner.put(table, key, record, timer),
    remove: (table, key) => inner.remove(table, key),
    size: (table) => inner.size(table),
  };
}

/**
 * Makes the chosen writes lose, by asking for a version that no record has: a swap then finds the
 * record as it is, and a create that there is none, as after a competitor's create and removal.
 */
function lose(batch: PacketBatch, register: number, chosen: () => boolean): void {
  const columns = batch.registers[register] as RegisterColumns;
  const count = batch.stagedCount(register);
  for (let i = 0; i < count; i++) {
    const row = columns.staged[i] as number;
    const kind = columns.write[row];
    if ((kind !== writeKind.insert && kind !== writeKind.swap) || !chosen()) continue;
    columns.write[row] = writeKind.swap;
    batch.view.setBigUint64(columns.version + row * 8, noVersion, true);
  }
}

/** Writers' versions are even. */
const noVersion = 1n;

/** mulberry32: numbers from 0 to below 1. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
