import type { AnyTable, Table } from '../state/table.ts';
import type { PacketBatch } from '../streams/batch.ts';
import { type BatchOperatorOn, batchOperator } from '../streams/operator.ts';
import type { LookedTables } from './looked-tables.ts';
import { Writing } from './writing.ts';

export interface WriteOptions {
  /**
   * Called for each row one of whose creates came to nothing though nobody else has its key: it was
   * taken back, because another write of the same packet lost, or refused by a full table. Gives back
   * what the author's function had allocated for it. The register's key columns are as they were.
   */
  readonly undone?: (batch: PacketBatch, row: number) => void;
}

/**
 * Performs what an upstream `transform` staged, table by table in the order given: reserve first,
 * publish last. A batch leaves when all its writes have settled, and batches leave in order.
 *
 * A write that loses (a create beaten, a swap refused) discards what the packets of that flow staged,
 * takes back the creates that they won, last table first, and runs the author's function again on
 * the winner: at most 8 times, then `drop(conflict)`. Changes and removals that were won stand, so a
 * function that changes one record and creates another should create first. Where a table is full,
 * the packets of that flow are dropped with `table-full`, and nothing of what they staged stands.
 *
 * @example packets.pipe(lookupState(bindings, ...), transform([bindings], bind), writeState([bindings]))
 */
export function writeState<const T extends readonly AnyTable[]>(
  tables: T,
  options: WriteOptions = {},
): BatchOperatorOn<LookedTables<T>> {
  const name = `writeState(${tables.map((t) => t.name).join(', ')})`;
  return batchOperator(name, (lane, emit) => {
    const writing = new Writing(lane, tables as readonly Table[], options.undone, emit);
    return writing.synchronous ? (batch) => writing.writeNow(batch) : writing;
  });
}
