/**
 * Is a concurrent history of one key linearizable? The search of Wing and Gong (1993) with Lowe's
 * memory of configurations (2017): try every operation that was called before the first return, take
 * effects back where that leads nowhere, and never try the same set with the same state twice.
 *
 * The object is a register under versions, each of which names one write. An operation whose outcome
 * nobody has heard may take effect at any time after its call, or never.
 */

/** A version word, as text; `undefined`: there is no record. */
export type Version = string | undefined;

export type RegisterOperation =
  | { readonly kind: 'get'; readonly saw: Version }
  | { readonly kind: 'insert'; readonly version: string; readonly outcome: Outcome }
  | {
      readonly kind: 'swap';
      readonly expected: string;
      readonly version: string;
      readonly outcome: Outcome;
    }
  | { readonly kind: 'remove'; readonly expected: string; readonly outcome: Outcome };

/** What a writer was told: it won, it lost to what is there, there was no room, or nothing. */
export type Outcome =
  | { readonly is: 'won' }
  | { readonly is: 'lost'; readonly to: Version }
  | { readonly is: 'full' }
  | { readonly is: 'unknown' };

export interface Recorded {
  readonly client: string;
  /** When it was started and when its outcome was known, on one clock; infinite for an unknown one. */
  readonly called: number;
  readonly returned: number;
  readonly operation: RegisterOperation;
}

/**
 * The operations, in the order of their calls, up to the first that no order explains; undefined when
 * the history is linearizable.
 *
 * @param initial what is there before the first operation
 */
export function findViolation(
  history: readonly Recorded[],
  initial: Version = undefined,
): readonly Recorded[] | undefined {
  const operations = [...history].sort((a, b) => a.called - b.called);
  const list = new Entries(operations);
  const seen = new Set<string>();
  const trail: { readonly index: number; readonly before: Version }[] = [];
  let state = initial;
  let left = operations.filter(({ returned }) => returned !== Number.POSITIVE_INFINITY).length;
  let furthest = 0;
  let at = list.first;
  while (left > 0) {
    const index = list.operationAt(at);
    if (list.isCall(at)) {
      const after = step(state, operations[index].operation);
      const name = after.legal ? list.take(index, after.state) : undefined;
      if (name !== undefined && !seen.has(name)) {
        seen.add(name);
        trail.push({ index, before: state });
        state = after.state;
        if (operations[index].returned !== Number.POSITIVE_INFINITY) left--;
        at = list.first;
        continue;
      }
      if (name !== undefined) list.putBack(index);
      at = list.after(at);
      continue;
    }
    furthest = Math.max(furthest, operations[index].returned);
    const last = trail.pop();
    if (!last) return operations.filter(({ called }) => called <= furthest);
    list.putBack(last.index);
    state = last.before;
    if (operations[last.index].returned !== Number.POSITIVE_INFINITY) left++;
    at = list.after(list.callOf(last.index));
  }
  return undefined;
}

const illegal = { legal: false, state: undefined } as const;

/** One operation on the register: whether it can have had this outcome now, and what it leaves. */
function step(
  state: Version,
  operation: RegisterOperation,
): { readonly legal: boolean; readonly state: Version } {
  const same = { legal: true, state };
  if (operation.kind === 'get') return operation.saw === state ? same : illegal;
  const { outcome } = operation;
  const applies =
    operation.kind === 'insert'
      ? state === undefined
      : state === operation.expected || (operation.kind === 'remove' && state === undefined);
  const next = operation.kind === 'remove' ? undefined : operation.version;
  switch (outcome.is) {
    case 'won':
      return applies ? { legal: true, state: next } : illegal;
    case 'lost':
      return !applies && outcome.to === state ? same : illegal;
    case 'full':
      return state === undefined ? same : illegal;
    case 'unknown':
      return applies ? { legal: true, state: next } : same;
  }
}

/** Calls and returns in the order of time, as a list from which operations are taken and put back. */
class Entries {
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  /** By entry: its operation, and whether it is the call. The last entry is the head. */
  private readonly operation: Int32Array;
  private readonly calls: Uint8Array;
  private readonly callEntry: Int32Array;
  private readonly returnEntry: Int32Array;
  private readonly taken: Uint8Array;
  /** Operations before this one are all taken. */
  private base = 0;
  /** No operation beyond this one has ever been taken. */
  private last = 0;
  private readonly head: number;

  constructor(operations: readonly Recorded[]) {
    const entries = operations.flatMap(({ called, returned }, index) => [
      { index, time: called, isCall: true },
      ...(returned === Number.POSITIVE_INFINITY ? [] : [{ index, time: returned, isCall: false }]),
    ]);
    // Of one instant calls come first: they may overlap.
    entries.sort((a, b) => a.time - b.time || Number(b.isCall) - Number(a.isCall));
    const size = entries.length;
    this.head = size;
    this.next = new Int32Array(size + 1);
    this.previous = new Int32Array(size + 1);
    this.operation = new Int32Array(size + 1).fill(-1);
    this.calls = new Uint8Array(size + 1);
    this.callEntry = new Int32Array(operations.length);
    this.returnEntry = new Int32Array(operations.length).fill(-1);
    this.taken = new Uint8Array(operations.length + 1);
    for (let i = 0; i <= size; i++) {
      this.next[i] = i === size ? 0 : i + 1;
      this.previous[i] = i === 0 ? size : i - 1;
    }
    entries.forEach(({ index, isCall }, i) => {
      this.operation[i] = index;
      this.calls[i] = isCall ? 1 : 0;
      (isCall ? this.callEntry : this.returnEntry)[index] = i;
    });
  }

  get first(): number {
    return this.next[this.head];
  }
  after(entry: number): number {
    return this.next[entry];
  }
  operationAt(entry: number): number {
    return this.operation[entry];
  }
  isCall(entry: number): boolean {
    return this.calls[entry] === 1;
  }
  callOf(index: number): number {
    return this.callEntry[index];
  }

  /** Takes an operation out; returns the name of what is out and the state it leaves. */
  take(index: number, state: Version): string {
    this.unlink(this.callEntry[index]);
    if (this.returnEntry[index] >= 0) this.unlink(this.returnEntry[index]);
    this.taken[index] = 1;
    if (index > this.last) this.last = index;
    while (this.taken[this.base] === 1) this.base++;
    let name = `${this.base}`;
    // Few operations are under way at once, so few beyond the base are taken.
    for (let i = this.base + 1; i <= this.last; i++) {
      if (this.taken[i] === 1) name += `,${i}`;
    }
    return `${name} ${state ?? ''}`;
  }

  putBack(index: number): void {
    if (this.returnEntry[index] >= 0) this.link(this.returnEntry[index]);
    this.link(this.callEntry[index]);
    this.taken[index] = 0;
    if (index < this.base) this.base = index;
  }

  private unlink(entry: number): void {
    this.next[this.previous[entry]] = this.next[entry];
    this.previous[this.next[entry]] = this.previous[entry];
  }
  private link(entry: number): void {
    this.next[this.previous[entry]] = entry;
    this.previous[this.next[entry]] = entry;
  }
}
