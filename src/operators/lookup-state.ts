import { inFlight } from '../state/in-flight.ts';
import type { Looked } from '../state/cursor.ts';
import { sessionOf } from '../state/sessions.ts';
import type { KeyKind } from '../state/store.ts';
import type { Table } from '../state/table.ts';
import { type BatchOperator, batchOperator } from '../streams/operator.ts';
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
    const flight = inFlight(lane, table as Table, register);
    const looked = (batch: Parameters<typeof emit>[0]) => {
      flight.refresh(batch);
      emit(batch);
    };
    return {
      process(batch) {
        flight.issue(batch);
        if (lookup.start(batch, looked)) looked(batch);
      },
    };
  });
}

