/**
 * A store as far away as one likes, for tests and simulation: a lookup reads when it is started and
 * comes back after the latency, as stale as can be; a write takes effect after the latency. In order of
 * their starting. Some writes lose to a competitor, by a seeded choice.
 *
 *   lookup:  start, read ---- latency ---- done
 *   write:   start ---------- latency ---- write, done
 *
 * What is not of the data path (leases, expiry, reading by key) is the inner store's, at once.
 */
import { type PacketBatch, type RegisterColumns, writeKind } from '../streams/batch.ts';
import { Lane } from '../streams/lane.ts';
import type { MemoryStore } from './memory-store.ts';
import type { LookupRequest, Operation, Store, StoreSession, TableSession } from './store.ts';
import type { Table } from './table.ts';

/** Changes the record that is about to be created or swapped in into the one that another puts there. */
export type Competitor = (table: Table, record: Uint8Array, isCreate: boolean) => void;

export interface DelayedStoreOptions {
  /** Of lane time, from start to done. */
  readonly latencyMilliseconds: number;
  /** Share of creates and swaps that lose. */
  readonly conflictRate?: number;
  /** Conflicts that one key meets at the most, so that deciding again comes to an end. Default 3. */
  readonly conflictsPerKey?: number;
  readonly seed?: number;
  /**
   * Makes the records of a competitor that stay. Without it a competitor leaves no trace: a create
   * finds that another record came and went, a swap that its record was written anew as it was.
   */
  readonly competitor?: Competitor;
}

/**
 * @example delayedStore(memoryStore({ seed: 7 }), { latencyMilliseconds: 3, conflictRate: 0.1, seed: 7 })
 */
export function delayedStore(inner: MemoryStore, options: DelayedStoreOptions): Store {
  return { open: (lane) => delayed(lane, inner, options) };
}

/** An operation on its way. */
interface Trip {
  readonly batch: PacketBatch;
  /** Of the batch at the start: another one means that it was reclaimed meanwhile. */
  readonly lease: number;
  readonly returns: number;
  readonly arrive: (batch: PacketBatch) => void;
  readonly done: (batch: PacketBatch) => void;
}

function delayed(lane: Lane, store: MemoryStore, options: DelayedStoreOptions): StoreSession {
  const inner = store.open(lane);
  const competition = compete(lane, store, options);
  // Bounded by the lane's batches: each is in one operation at a time.
  const trips: Trip[] = [];

  function send(
    batch: PacketBatch,
    arrive: (batch: PacketBatch) => void,
    done: (batch: PacketBatch) => void,
  ): boolean {
    const returns = lane.nowNanoseconds + options.latencyMilliseconds * 1e6;
    trips.push({ batch, lease: batch.lease, returns, arrive, done });
    return false;
  }

  lane.polled({
    poll() {
      const now = lane.nowNanoseconds;
      // What is started by a `done` of now travels at least until the next poll.
      for (let left = trips.length; left > 0 && (trips[0] as Trip).returns <= now; left--) {
        const { batch, lease, arrive, done } = trips.shift() as Trip;
        if (!batch.leased || batch.lease !== lease) continue;
        arrive(batch);
        done(batch);
      }
    },
  });

  return {
    synchronous: false,
    lookup(request: LookupRequest): Operation {
      const lookup = inner.lookup(request);
      return {
        start(batch, done) {
          perform(lookup, batch);
          return send(batch, nothing, done);
        },
      };
    },
    write(table: Table, register: number): Operation {
      const write = inner.write(table, register);
      const arrive = (batch: PacketBatch) => {
        competition(batch, table, register);
        perform(write, batch);
      };
      return { start: (batch, done) => send(batch, arrive, done) };
    },
    lease: (pool) => inner.lease(pool),
    expire: (table, sweepMilliseconds, claimed) => inner.expire(table, sweepMilliseconds, claimed),
    confirm: (table, claims, count) => inner.confirm(table, claims, count),
    discard: (table, rows, done) => inner.discard(table, rows, done),
    add: (table, rows, done) => inner.add(table, rows, done),
    scan: (table, sweepMilliseconds, seen) => inner.scan(table, sweepMilliseconds, seen),
    fetch: (table, rows, done) => inner.fetch(table, rows, done),
    size: (table) => inner.size(table),
  };
}

const nothing = () => undefined;

function perform(operation: Operation, batch: PacketBatch): void {
  if (!operation.start(batch, nothing)) throw new Error('the inner store takes time itself');
}

/** Keys whose conflicts are remembered; beyond that the oldest may meet some again. */
const keysRemembered = 65_536;

/** What happens to a batch's writes just before they are performed. */
function compete(
  lane: Lane,
  store: MemoryStore,
  { conflictRate = 0, conflictsPerKey = 3, seed = 1, competitor }: DelayedStoreOptions,
): (batch: PacketBatch, table: Table, register: number) => void {
  if (conflictRate === 0) return nothing;
  const random = seeded(seed);
  const met = new Map<string, number>();
  const rival = competitor && new Rival(lane, store, competitor);

  function chosen(table: Table, key: Uint8Array): boolean {
    if (random() >= conflictRate) return false;
    const name = `${table.storage} ${key.join(' ')}`;
    const count = met.get(name) ?? 0;
    if (count >= conflictsPerKey) return false;
    if (met.size === keysRemembered) met.delete(met.keys().next().value as string);
    met.set(name, count + 1);
    return true;
  }

  return (batch, table, register) => {
    const columns = batch.registers[register] as RegisterColumns;
    const count = batch.stagedCount(register);
    for (let i = 0; i < count; i++) {
      const row = columns.staged[i] as number;
      const kind = columns.write[row];
      if (kind !== writeKind.insert && kind !== writeKind.swap) continue;
      const key = batch.bytes.slice(columns.key + row * 16, columns.key + row * 16 + 16);
      if (!chosen(table, key)) continue;
      if (rival) {
        const at = columns.next + row * columns.stride;
        const record = batch.bytes.slice(at, at + table.schema.size);
        rival.write(table, key, record, kind === writeKind.insert);
      } else {
        // A version that no record has: a swap finds the record as it is, a create that there is none.
        columns.write[row] = writeKind.swap;
        batch.view.setBigUint64(columns.version + row * 8, noVersion, true);
      }
    }
  };
}

/** Writers' versions are even. */
const noVersion = 1n;
const rivalWriter = 0x7ffffe;

/** Another writer of the same tables, on a lane of its own without ports. */
class Rival {
  private readonly lane: Lane;
  private readonly own: Lane;
  private readonly session: TableSession;
  private readonly competitor: Competitor;

  constructor(lane: Lane, store: MemoryStore, competitor: Competitor) {
    const shape = { batches: 1, burst: 1, spare: 0, virtualClock: true, writer: rivalWriter };
    this.lane = lane;
    this.own = new Lane({ pool: lane.pool, ports: [], ...shape });
    this.session = store.open(this.own);
    this.competitor = competitor;
    lane.onClose(() => this.own.close());
  }

  write(table: Table, key: Uint8Array, record: Uint8Array, isCreate: boolean): void {
    this.own.advance(this.lane.nowNanoseconds - this.own.nowNanoseconds);
    this.competitor(table, record, isCreate);
    this.session.put(table, key, record, 0);
  }
}

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
