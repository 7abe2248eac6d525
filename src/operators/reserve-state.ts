import type { Looked } from '../state/cursor.ts';
import type { Table } from '../state/table.ts';
import type { BatchOperator } from '../streams/operator.ts';

/**
 * Gives packets a table's field without looking anything up: a following `transform` may create
 * records in it, under keys of its own choosing (`reserve`), and `writeState` writes them.
 *
 * @example packets.pipe(lookupState(bindings, ...), reserveState(ports), transform([bindings], bind), ...)
 */
export function reserveState<Name extends string, F extends object, In>(
  _table: Table<Name, F>,
): BatchOperator<In, In & Looked<Name, F>> {
  return (source) => source as never;
}
