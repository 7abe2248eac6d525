/** What lies on servers, by tables and pools, for who watches from outside. */

import type { Value } from '../store-functions.ts';
import type { StoreView } from '../store-view.ts';
import type { Keyspace } from './keyspace.ts';
import { readValue } from './value.ts';

/** Of all nodes of a cluster together. */
export class ServersView implements StoreView {
  private readonly nodes: readonly Keyspace[];

  constructor(nodes: readonly Keyspace[]) {
    this.nodes = nodes;
  }

  entries(table: string): ReadonlyMap<string, Value> {
    const found = new Map<string, Value>();
    for (const [keys, name] of this.named(`${table}/`))
      found.set(name.slice(-16), readValue(keys.get(name) as string));
    return found;
  }

  claims(table: string): { readonly size: number } {
    return { size: this.sum(`${table}?`) };
  }

  /** The deadlines of those that end, and how many there are. */
  discord(table: string): string | undefined {
    const records = this.entries(table);
    const ending = [...records.values()].filter(({ deadline }) => deadline > 0).length;
    const deadlines = this.sum(`${table}!`);
    if (deadlines !== ending) return `${ending} records that end have ${deadlines} deadlines`;
    let counted = 0;
    for (const [keys, name] of this.named(`${table}=`)) counted += Number(keys.get(name));
    if (counted !== records.size) return `${records.size} records are counted as ${counted}`;
    return undefined;
  }

  poolNames(): readonly string[] {
    return [...this.named('#')]
      .map(([, name]) => name.slice(5))
      .filter((name) => name.endsWith(':out'))
      .map((name) => name.slice(0, -4));
  }

  isOut(pool: string, number: number): boolean {
    return this.out(pool).includes(number);
  }

  numbers(pool: string): { readonly free: readonly number[]; readonly out: readonly number[] } {
    const free = [...this.named(`#${pool}`)]
      .filter(([, name]) => name.length === 5 + pool.length)
      .flatMap(([keys, name]) => keys.list(name).map(Number));
    return { free, out: this.out(pool) };
  }

  private out(pool: string): number[] {
    return [...this.named(`#${pool}:out`)].flatMap(([keys, name]) =>
      keys
        .fields(name)
        .filter(([field]) => /^\d+$/.test(field))
        .map(([field]) => Number(field)),
    );
  }

  private sum(name: string): number {
    let total = 0;
    for (const [keys, found] of this.named(name)) total += keys.size(found);
    return total;
  }

  /** Keys whose names go on like this behind their partition. */
  private *named(begin: string): IterableIterator<[Keyspace, string]> {
    for (const keys of this.nodes)
      for (const name of keys.names()) if (name.startsWith(begin, 4)) yield [keys, name];
  }
}
