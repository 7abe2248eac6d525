/** What a store holds, as who watches a simulation from outside sees it. */
import type { Value } from './store-functions.ts';

export interface StoreView {
  /** Every record of a table with its key. */
  entries(table: string): ReadonlyMap<string, Value>;
  /** Expiries that are claimed and not confirmed. */
  claims(table: string): { readonly size: number };
  /** What is kept beside a table's records and does not agree with them. */
  discord(table: string): string | undefined;
  poolNames(): readonly string[];
  isOut(pool: string, number: number): boolean;
  /** Of a pool: the numbers that have come back and those that are out. */
  numbers(pool: string): { readonly free: readonly number[]; readonly out: readonly number[] };
}

/** One of the places that have all of a store, now. */
export interface Place {
  readonly where: string;
  readonly view: StoreView;
}
