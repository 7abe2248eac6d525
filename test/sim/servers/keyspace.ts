/**
 * The keys of one server, with the commands that the functions of rxnf use. Strings hold bytes, one a
 * character.
 *
 * While a function runs, `guard` looks at each key that it reaches for, as a server does: on a cluster
 * a key that was not named with the call may lie elsewhere.
 */

type Item =
  | { readonly kind: 'string'; value: string }
  | { readonly kind: 'hash'; readonly fields: Map<string, string> }
  | { readonly kind: 'scores'; readonly scores: Map<string, number> }
  | { readonly kind: 'list'; readonly elements: string[] };

/** False: not all of the keys are here. */
export type Guard = (keys: readonly string[]) => boolean;

/** A function has reached for a key that lies elsewhere: unless it expects that, it ends, and what it has done stays. */
export class NonLocal extends Error {}

export class Keyspace {
  private readonly items = new Map<string, Item>();
  private guard: Guard = () => true;

  guarded<T>(guard: Guard, run: () => T): T {
    const before = this.guard;
    this.guard = guard;
    try {
      return run();
    } finally {
      this.guard = before;
    }
  }

  private reach(keys: readonly string[]): void {
    if (!this.guard(keys)) throw new NonLocal();
  }

  has(key: string): boolean {
    return this.items.has(key);
  }

  names(): IterableIterator<string> {
    return this.items.keys();
  }

  copy(): this {
    const made = new Keyspace();
    for (const [key, item] of this.items) made.items.set(key, copyOf(item));
    return made as this;
  }

  /** MIGRATE: false where the other has such a key. */
  moveTo(other: Keyspace, key: string): boolean {
    const item = this.items.get(key);
    if (!item) return true;
    if (other.items.has(key)) return false;
    other.items.set(key, item);
    this.items.delete(key);
    return true;
  }

  exists(...keys: string[]): number {
    this.reach(keys);
    return keys.filter((key) => this.items.has(key)).length;
  }

  get(key: string): string | null {
    this.reach([key]);
    const item = this.items.get(key);
    return item?.kind === 'string' ? item.value : null;
  }

  set(key: string, value: string): void {
    this.reach([key]);
    this.items.set(key, { kind: 'string', value });
  }

  /** SET NX GET: what was there, or null when it was set. */
  setAbsent(key: string, value: string): string | null {
    const old = this.get(key);
    if (old === null) this.set(key, value);
    return old;
  }

  delete(key: string): boolean {
    this.reach([key]);
    return this.items.delete(key);
  }

  increase(key: string, by: number): void {
    this.set(key, String(Number(this.get(key) ?? 0) + by));
  }

  field(key: string, field: string): string | undefined {
    this.reach([key]);
    return this.hash(key)?.get(field);
  }

  fields(key: string): readonly (readonly [string, string])[] {
    this.reach([key]);
    return [...(this.hash(key) ?? [])];
  }

  setField(key: string, field: string, value: string): void {
    this.reach([key]);
    const hash = this.hash(key);
    if (hash) hash.set(field, value);
    else this.items.set(key, { kind: 'hash', fields: new Map([[field, value]]) });
  }

  deleteField(key: string, field: string): boolean {
    this.reach([key]);
    const hash = this.hash(key);
    const deleted = hash?.delete(field) ?? false;
    if (hash?.size === 0) this.items.delete(key);
    return deleted;
  }

  score(key: string, member: string): number | undefined {
    this.reach([key]);
    return this.scores(key)?.get(member);
  }

  setScore(key: string, score: number, member: string): void {
    this.reach([key]);
    const scores = this.scores(key);
    if (scores) scores.set(member, score);
    else this.items.set(key, { kind: 'scores', scores: new Map([[member, score]]) });
  }

  deleteScore(key: string, member: string): boolean {
    this.reach([key]);
    const scores = this.scores(key);
    const deleted = scores?.delete(member) ?? false;
    if (scores?.size === 0) this.items.delete(key);
    return deleted;
  }

  /** Members of a sorted set up to a score, the lowest first. */
  upTo(key: string, score: number, most: number): string[] {
    this.reach([key]);
    return [...(this.scores(key) ?? [])]
      .filter(([, known]) => known <= score)
      .sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1))
      .slice(0, most)
      .map(([member]) => member);
  }

  size(key: string): number {
    const item = this.items.get(key);
    return item?.kind === 'scores' ? item.scores.size : 0;
  }

  list(key: string): readonly string[] {
    const item = this.items.get(key);
    return item?.kind === 'list' ? item.elements : [];
  }

  push(key: string, element: string): void {
    this.reach([key]);
    const item = this.items.get(key);
    if (item?.kind === 'list') item.elements.push(element);
    else this.items.set(key, { kind: 'list', elements: [element] });
  }

  popFirst(key: string): string | undefined {
    this.reach([key]);
    const item = this.items.get(key);
    if (item?.kind !== 'list') return undefined;
    const element = item.elements.shift();
    if (item.elements.length === 0) this.items.delete(key);
    return element;
  }

  private hash(key: string): Map<string, string> | undefined {
    const item = this.items.get(key);
    return item?.kind === 'hash' ? item.fields : undefined;
  }

  private scores(key: string): Map<string, number> | undefined {
    const item = this.items.get(key);
    return item?.kind === 'scores' ? item.scores : undefined;
  }
}

function copyOf(item: Item): Item {
  switch (item.kind) {
    case 'string':
      return { ...item };
    case 'hash':
      return { kind: 'hash', fields: new Map(item.fields) };
    case 'scores':
      return { kind: 'scores', scores: new Map(item.scores) };
    case 'list':
      return { kind: 'list', elements: [...item.elements] };
  }
}
