/**
 * The store's functions over the state of one node: the model that docs/decisions/0007-state-outside.md
 * describes, with nothing left out but bytes. Deterministic in state, arguments and time, so a replica
 * that runs the same calls in the same order is a copy.
 *
 * Each mutating call runs exactly once per writer and sequence: the node keeps what it answered until
 * the writer says that it has heard it (`answered`), so a retry after a lost reply gets the same answer,
 * whatever others have done to the record since.
 */

/** Immutable: a change makes another. */
export interface Value {
  readonly version: bigint;
  /** Milliseconds of the node's clock; 0: never. */
  readonly deadline: number;
  /** Timer class, bit 7 watched. */
  readonly timer: number;
  /** Known to be replicated as its table's class asks. */
  readonly committed: boolean;
  readonly record: Uint8Array;
}

/** What a node must know of a table. */
export interface TableShape {
  readonly storage: string;
  readonly capacity: number;
  readonly idleMilliseconds: readonly number[];
}

export interface WriteCall {
  readonly kind: 'insert' | 'swap' | 'remove';
  readonly key: string;
  readonly expected: bigint;
  readonly version: bigint;
  readonly timer: number;
  readonly record: Uint8Array;
}

/** What is to be added to a record. */
export interface Sum {
  readonly key: string;
  readonly timer: number;
  readonly version: bigint;
  readonly record: Uint8Array;
}

export type WriteAnswer =
  | { readonly won: true }
  | { readonly won: false; readonly full: true }
  | { readonly won: false; readonly full: false; readonly winner: Value | undefined };

export interface Claim {
  readonly id: number;
  readonly key: string;
  readonly value: Value;
  lapses: number;
}

interface TableState {
  readonly records: Map<string, Value>;
  readonly claims: Map<number, Claim>;
}

/** A number that is out. */
export interface Out {
  readonly number: number;
  /** Names this lease of the number: another lease has another. */
  readonly lease: number;
  /** The writer that leased it. */
  readonly lessee: number;
}

interface PoolState {
  readonly free: number[];
  readonly out: Map<number, Out>;
}

interface WriterState {
  /** Answers by sequence, from the first that the writer may not have heard. */
  readonly answers: Map<number, unknown>;
  floor: number;
}

/** How long a claimer has to confirm. */
const claimMilliseconds = 3000;

export class StoreFunctions {
  private readonly tables = new Map<string, TableState>();
  private readonly pools = new Map<string, PoolState>();
  private readonly writers = new Map<number, WriterState>();
  private claimed = 0;
  private leases = 0;

  /** Runs a mutating call once per writer and sequence. */
  once<T>(writer: number, sequence: number, answered: number, run: () => T): T {
    let state = this.writers.get(writer);
    if (!state) {
      state = { answers: new Map(), floor: 0 };
      this.writers.set(writer, state);
    }
    if (answered > state.floor) {
      state.floor = answered;
      for (const known of state.answers.keys()) if (known < answered) state.answers.delete(known);
    }
    // A retry that the writer has given up, or heard, and that arrives now.
    if (sequence < state.floor) return undefined as T;
    if (state.answers.has(sequence)) return state.answers.get(sequence) as T;
    const answer = run();
    state.answers.set(sequence, answer);
    return answer;
  }

  get(table: TableShape, keys: readonly string[]): (Value | undefined)[] {
    const { records } = this.table(table.storage);
    return keys.map((key) => records.get(key));
  }

  write(table: TableShape, calls: readonly WriteCall[], now: number): WriteAnswer[] {
    return calls.map((call) => this.perform(table, call, now));
  }

  private perform(table: TableShape, call: WriteCall, now: number): WriteAnswer {
    const { records } = this.table(table.storage);
    const old = records.get(call.key);
    if (call.kind === 'remove') {
      if (old && !this.stands(old, call)) return { won: false, full: false, winner: old };
      records.delete(call.key);
      return { won: true };
    }
    if (call.kind === 'insert' ? this.blocks(old) : !this.stands(old, call))
      return { won: false, full: false, winner: old };
    if (!old && records.size >= table.capacity) return { won: false, full: true };
    const { version, timer, record } = call;
    const deadline = deadlineOf(table, timer, now);
    records.set(call.key, { version, deadline, timer, committed: false, record });
    return { won: true };
  }

  /** A create finds a record. */
  protected blocks(old: Value | undefined): boolean {
    return old !== undefined;
  }

  /** The record is the one that the writer has read. */
  protected stands(old: Value | undefined, call: WriteCall): boolean {
    return old?.version === call.expected;
  }

  /** Prolongs the lives of records that stand; answers what is there instead of those that do not. */
  touch(
    table: TableShape,
    entries: readonly { readonly key: string; readonly version: bigint }[],
    now: number,
  ): ('stands' | Value | undefined)[] {
    const { records } = this.table(table.storage);
    return entries.map(({ key, version }) => {
      const value = records.get(key);
      if (value?.version !== version) return value;
      records.set(key, { ...value, deadline: deadlineOf(table, value.timer, now) });
      return 'stands';
    });
  }

  mark(table: TableShape, entries: readonly { readonly key: string; readonly version: bigint }[]) {
    const { records } = this.table(table.storage);
    for (const { key, version } of entries) {
      const value = records.get(key);
      if (value?.version === version) records.set(key, { ...value, committed: true });
    }
  }

  /** Records past their deadline leave the table; claims that nobody confirmed come again. */
  claim(table: TableShape, most: number, now: number): Claim[] {
    const { records, claims } = this.table(table.storage);
    const taken: Claim[] = [];
    for (const claim of claims.values()) {
      if (taken.length === most) return taken;
      if (claim.lapses > now) continue;
      claim.lapses = now + claimMilliseconds;
      taken.push(claim);
    }
    for (const [key, value] of records) {
      if (taken.length === most) break;
      if (!this.isOver(table, value, now)) continue;
      records.delete(key);
      const claim = { id: ++this.claimed, key, value, lapses: now + claimMilliseconds };
      claims.set(claim.id, claim);
      taken.push(claim);
    }
    return taken;
  }

  protected isOver(_table: TableShape, value: Value, now: number): boolean {
    return value.deadline !== 0 && value.deadline <= now;
  }

  confirm(table: TableShape, claims: readonly number[]): void {
    for (const id of claims) this.table(table.storage).claims.delete(id);
  }

  /** Adds to the counts at some offsets of records; those that are absent are created as given. */
  add(table: TableShape, counts: readonly number[], sums: readonly Sum[], now: number): boolean[] {
    const { records } = this.table(table.storage);
    return sums.map(({ key, record, timer, version }) => {
      const old = records.get(key);
      if (!old && records.size >= table.capacity) return false;
      const made = (old?.record ?? record).slice();
      const view = new DataView(made.buffer);
      const given = new DataView(record.buffer, record.byteOffset);
      for (const at of old ? counts : [])
        view.setFloat64(at, view.getFloat64(at, true) + given.getFloat64(at, true), true);
      const deadline = deadlineOf(table, old?.timer ?? timer, now);
      const value = { version, deadline, timer: old?.timer ?? timer, committed: false };
      records.set(key, { ...value, record: made });
      return true;
    });
  }

  /** Removes each record that is still the one given. */
  discard(
    table: TableShape,
    rows: readonly { readonly key: string; readonly record: Uint8Array }[],
  ): boolean[] {
    const { records } = this.table(table.storage);
    return rows.map(({ key, record }) => {
      const value = records.get(key);
      if (!value?.record.every((byte, i) => byte === record[i])) return false;
      return records.delete(key);
    });
  }

  lease(pool: string, first: number, size: number, count: number, lessee: number): Out[] {
    const { free, out } = this.pool(pool, first, size);
    return free.splice(0, count).map((number) => {
      const leased = { number, lease: ++this.leases, lessee };
      out.set(number, leased);
      return leased;
    });
  }

  /** False for a number that is not out: whoever gives it has made a mistake. */
  give(pool: string, number: number): boolean {
    const { free, out } = this.pool(pool, 0, 0);
    if (!out.delete(number)) return false;
    free.push(number);
    return true;
  }

  /** Which of the keys have no record. */
  unused(table: TableShape, keys: readonly string[]): number[] {
    const { records } = this.table(table.storage);
    return [...keys.keys()].filter((i) => !records.has(keys[i]));
  }

  numbersOut(pool: string): Out[] {
    return [...this.pool(pool, 0, 0).out.values()];
  }

  /** Gives back numbers that are still out by the very leases that are named. */
  reclaim(pool: string, numbers: readonly Out[]): void {
    const { free, out } = this.pool(pool, 0, 0);
    for (const { number, lease } of numbers) {
      if (out.get(number)?.lease !== lease) continue;
      out.delete(number);
      free.push(number);
    }
  }

  /** Every record of a table with its key. */
  entries(table: string): ReadonlyMap<string, Value> {
    return this.table(table).records;
  }

  claims(table: string): ReadonlyMap<number, Claim> {
    return this.table(table).claims;
  }

  /** Deadlines lie in the records, and are not counted. */
  discord(): undefined {
    return undefined;
  }

  poolNames(): readonly string[] {
    return [...this.pools.keys()];
  }

  isOut(pool: string, number: number): boolean {
    return this.pools.get(pool)?.out.has(number) ?? false;
  }

  /** Of a pool: the numbers that are free and those that are out. */
  numbers(pool: string): { readonly free: readonly number[]; readonly out: readonly number[] } {
    const { free, out } = this.pool(pool, 0, 0);
    return { free, out: [...out.keys()] };
  }

  /** A node's whole state, for a new replica of it. */
  copy(): this {
    const made = new (this.constructor as new () => this)();
    for (const [name, { records, claims }] of this.tables) {
      const copied = new Map(Array.from(claims, ([id, claim]) => [id, { ...claim }]));
      made.tables.set(name, { records: new Map(records), claims: copied });
    }
    for (const [name, { free, out }] of this.pools)
      made.pools.set(name, { free: [...free], out: new Map(out) });
    for (const [writer, { answers, floor }] of this.writers)
      made.writers.set(writer, { answers: new Map(answers), floor });
    made.claimed = this.claimed;
    made.leases = this.leases;
    return made;
  }

  private table(name: string): TableState {
    let state = this.tables.get(name);
    if (!state) {
      state = { records: new Map(), claims: new Map() };
      this.tables.set(name, state);
    }
    return state;
  }

  private pool(name: string, first: number, size: number): PoolState {
    let state = this.pools.get(name);
    if (!state) {
      state = { free: Array.from({ length: size }, (_, i) => first + i), out: new Map() };
      this.pools.set(name, state);
    }
    return state;
  }
}

/** Now + 1.25 T; 0 for what never expires. */
function deadlineOf(table: TableShape, timer: number, now: number): number {
  const idle = table.idleMilliseconds[timer & 3] ?? 0;
  return idle === 0 ? 0 : now + idle * 1.25;
}
