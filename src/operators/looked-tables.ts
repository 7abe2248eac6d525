import type { Looked } from '../state/cursor.ts';
import type { AnyTable, Table } from '../state/table.ts';

/** The records of several tables, each as a field of the packet. */
export type LookedTables<T extends readonly AnyTable[]> = T extends readonly [
  Table<infer Name, infer F>,
  ...infer Rest extends readonly AnyTable[],
]
  ? Looked<Name, F> & LookedTables<Rest>
  : unknown;
