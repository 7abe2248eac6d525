import type { Looked } from '../state/cursor.ts';
import { type InFlight, inFlight, isUpToDate } from '../state/in-flight.ts';
import { sessionOf } from '../state/sessions.ts';
import type { KeyKind, Operation } from '../state/store.ts';
import type { Table } from '../state/table.ts';
import type { PacketBatch } from '../streams/batch.ts';
import type { Lane } from '../streams/lane.ts';
import { type BatchOperator, batchOperator, type Stage } from '../streams/operator.ts';
import { trait, type WhereMask } from '../streams/traits.ts';

export interface LookupOptions {
  readonly key: KeyKind;
  /** Rows looked up; those without a flow never are. Default: all that have one. */
  readonly where?: WhereMask;
  /** Rows whose hit prolongs the record's life. Default: every row looked up. */
  readonly refresh?: WhereMask;
  /**
   * Which rows the author's function of a following `transform` sees. `all` (default), or only
   * `misses`: hits then stay in native code. Hits on watched records are always seen.
   */
  readonly attend?: 'all' | 'misses';
  /** Hits with any of these traits are seen as well. */
  readonly attendTraits?: number;
}

/**
 * Looks each packet's key up in a table, one request a batch; the record appears downstream as a
 * field named like the table. Batches leave in the order of their arrival, several in flight where
 * the store needs time. A packet whose key an earlier batch is writing sees that write.
 *
 * @example packets.pipe(lookupState(bindings, { key: 'source-endpoint' }))
 */
export function lookupState<Name extends string, F extends object, In>(
  table: Table<Name, F>,
  options: LookupOptions,
): BatchOperator<In, In & Looked<Name, F>> {
  const { attend = 'all' } = options;
  const needed = options.key === 'fragment' || options.key === 'staged' ? 0 : trait.hasFlow;
  const rows = {
    all: ((options.where?.all ?? 0) | needed) >>> 0,
    none: options.where?.none ?? 0,
  };
  return batchOperator(`lookupState(${table.name})`, (lane, emit) => {
    const session = sessionOf(lane, table);
    const register = lane.register(table.name);
    const lookup = session.lookup({
      table: table as Table,
      register,
      key: options.key,
      where: rows,
      refresh: options.refresh ?? rows,
      attendAll: attend === 'all',
      attendMisses: true,
      attendAny: options.attendTraits ?? 0,
    });
    if (session.synchronous) {
      return (batch) => {
        if (batch.mayMatch(rows)) lookup.start(batch, emit);
      };
    }
    return new Looking(lane, inFlight(lane, table as Table), lookup, register, emit);
  });
}

/** Lookups under way in a store that takes time. Bound: each batch of the pool once. */
class Looking implements Stage {
  private readonly lane: Lane;
  private readonly flight: InFlight;
  private readonly lookup: Operation;
  private readonly register: number;
  private readonly emit: (batch: PacketBatch) => void;
  /** Come back, in order; the first may wait for a write to one of its keys. */
  private readonly waiting: PacketBatch[] = [];
  private readonly done = (batch: PacketBatch): void => {
    this.waiting.push(batch);
    this.poll();
  };

  constructor(
    lane: Lane,
    flight: InFlight,
    lookup: Operation,
    register: number,
    emit: (batch: PacketBatch) => void,
  ) {
    this.lane = lane;
    this.flight = flight;
    this.lookup = lookup;
    this.register = register;
    this.emit = emit;
    lane.polled(this);
  }

  process(batch: PacketBatch): void {
    batch.touch(this.register);
    this.flight.issue(batch, this.register);
    if (this.lookup.start(batch, this.done)) this.done(batch);
  }

  poll(): void {
    while (this.waiting.length > 0) {
      const batch = this.waiting[0] as PacketBatch;
      if (!isUpToDate(this.lane, batch)) return;
      batch.touch(this.register); // what earlier batches wrote was put over what was read
      this.waiting.shift();
      this.emit(batch);
    }
  }

  dispose(): void {
    this.waiting.length = 0;
  }
}
