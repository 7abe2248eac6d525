import type { Looked } from '../state/cursor.ts';
import { type InFlight, inFlight } from '../state/in-flight.ts';
import { sessionOf } from '../state/sessions.ts';
import type { Operation } from '../state/store.ts';
import type { AnyTable, Table } from '../state/table.ts';
import {
  type Decider,
  edit,
  type PacketBatch,
  type RegisterColumns,
  writeKind,
} from '../streams/batch.ts';
import type { Lane } from '../streams/lane.ts';
import { type BatchOperator, batchOperator, type Stage } from '../streams/operator.ts';
import { drop, held } from '../streams/verdict.ts';

/** Rounds of losing and deciding again before a packet is dropped with `conflict`. */
const maxRounds = 8;
const conflict = drop('conflict');
const full = drop('table-full');

type LookedIn<T> = T extends Table<infer Name, infer F> ? Looked<Name, F> : never;

export interface WriteOptions {
  /**
   * Called for each row whose create in an earlier table was taken back because a later table's
   * write lost: gives back what the author's function had allocated.
   */
  readonly undone?: (batch: PacketBatch, row: number) => void;
}

/**
 * Performs what an upstream `transform` staged, table by table in the order given: reserve first,
 * publish last. A batch leaves when all its writes have settled, and batches leave in order.
 *
 * A write that loses (a create beaten, a swap refused) discards what the packets of that flow staged,
 * takes back the creates they won in earlier tables, and runs the author's function again on the
 * winner: at most 8 times, then `drop(conflict)`.
 *
 * @example packets.pipe(lookupState(bindings, ...), transform([bindings], bind), writeState([bindings]))
 */
export function writeState<const T extends readonly AnyTable[], F extends LookedIn<T[number]>>(
  tables: T,
  options: WriteOptions = {},
): BatchOperator<F> {
  const name = `writeState(${tables.map((t) => t.name).join(', ')})`;
  return batchOperator(name, (lane, emit) => {
    const writing = new Writing(lane, tables as readonly Table[], options, emit);
    return writing.synchronous ? (batch) => writing.writeNow(batch) : writing;
  });
}

/** Where a batch stands; one per batch of the pool, reused. */
interface Progress {
  batch: PacketBatch;
  lease: number;
  /** Index of the table being written; the number of tables when all have settled. */
  table: number;
  /** While creates are being taken back: the table whose write lost. Else -1. */
  lostIn: number;
  round: number;
  staged: number;
  settled: boolean;
  /** By table, by row: a create that stands, to be taken back if a later table loses. */
  readonly created: readonly Uint8Array[];
  /** By row: 1 where the author's function runs again. */
  readonly again: Uint8Array;
  /** By table: rows whose in-flight slot is pending. */
  readonly begun: readonly number[][];
}

class Writing implements Stage {
  private readonly emit: (batch: PacketBatch) => void;
  private readonly options: WriteOptions;
  private readonly registers: readonly number[];
  private readonly operations: readonly Operation[];
  private readonly flights: readonly (InFlight | undefined)[];
  /** Every write is done when it returns: batches neither wait nor queue. */
  readonly synchronous: boolean;
  private readonly progress: Progress[] = [];
  private readonly queue: Progress[] = [];
  private readonly done: (batch: PacketBatch) => void;

  constructor(
    lane: Lane,
    tables: readonly Table[],
    options: WriteOptions,
    emit: (batch: PacketBatch) => void,
  ) {
    this.emit = emit;
    this.options = options;
    this.registers = tables.map((table) => lane.register(table.name));
    this.operations = tables.map((table, k) =>
      sessionOf(lane, table).write(table, this.register(k)),
    );
    this.flights = tables.map((table, k) =>
      sessionOf(lane, table).synchronous ? undefined : inFlight(lane, table, this.register(k)),
    );
    this.synchronous = this.flights.every((flight) => flight === undefined);
    this.done = (batch) => {
      const p = this.progress[batch.index];
      if (p?.batch !== batch || p.lease !== batch.lease || p.settled) return; // reclaimed meanwhile
      this.landed(p);
      this.advance(p);
      this.release();
    };
  }

  /** The whole of it, where the store is synchronous. */
  writeNow(batch: PacketBatch): void {
    if (!this.anyStaged(batch)) return;
    this.advance(this.enter(batch));
    this.queue.pop();
  }

  process(batch: PacketBatch): void {
    const p = this.enter(batch);
    this.begin(p);
    this.advance(p);
    this.release();
  }

  dispose(): void {
    for (const p of this.queue) p.settled = true;
    this.queue.length = 0;
  }

  private register(k: number): number {
    return this.registers[k] as number;
  }

  private anyStaged(batch: PacketBatch): boolean {
    for (let k = 0; k < this.registers.length; k++) {
      if (batch.stagedCount(this.register(k)) > 0) return true;
    }
    return false;
  }

  private enter(batch: PacketBatch): Progress {
    let p = this.progress[batch.index];
    if (!p) {
      p = {
        batch,
        lease: 0,
        table: 0,
        lostIn: -1,
        round: 0,
        staged: 0,
        settled: false,
        created: this.registers.map(() => new Uint8Array(batch.capacity)),
        again: new Uint8Array(batch.capacity),
        begun: this.registers.map(() => []),
      };
      this.progress[batch.index] = p;
    }
    p.lease = batch.lease;
    p.table = 0;
    p.lostIn = -1;
    p.round = 0;
    p.settled = false;
    for (let k = 0; k < this.registers.length; k++) (p.created[k] as Uint8Array).fill(0);
    this.queue.push(p);
    return p;
  }

  /** Slots for every staged write, before the first is started: one create per flow. */
  private begin(p: Progress): void {
    if (this.synchronous) return;
    for (let k = 0; k < this.registers.length; k++) {
      const flight = this.flights[k];
      const { staged } = p.batch.registers[this.register(k)] as RegisterColumns;
      const count = p.batch.stagedCount(this.register(k));
      for (let i = 0; flight && i < count; i++) {
        const row = staged[i] as number;
        if (p.begun[k]?.includes(row)) continue;
        flight.begin(p.batch, row);
        p.begun[k]?.push(row);
      }
    }
  }

  /** Goes from table to table until a write needs time or all have settled. */
  private advance(p: Progress): void {
    while (p.table < this.registers.length) {
      const register = this.register(p.table);
      const staged = p.batch.stagedCount(register);
      if (staged === 0) {
        this.step(p);
        continue;
      }
      p.staged = staged;
      const columns = p.batch.registers[register] as RegisterColumns;
      const created = p.created[p.table] as Uint8Array;
      for (let i = 0; i < staged; i++) {
        const row = columns.staged[i] as number;
        created[row] = columns.write[row] === writeKind.insert ? 1 : 0;
      }
      if (!(this.operations[p.table] as Operation).start(p.batch, this.done)) return;
      this.landed(p);
    }
    this.settleBegun(p);
    p.settled = true;
  }

  /** One table's writes have come back. */
  private landed(p: Progress): void {
    const { batch, table } = p;
    if (p.lostIn >= 0) {
      this.step(p);
      return;
    }
    const register = this.register(table);
    const columns = batch.registers[register] as RegisterColumns;
    for (let i = 0; i < p.staged; i++) {
      const row = columns.staged[i] as number;
      if (batch.verdict[row] === full) this.takeBack(p, row);
    }
    const lost = batch.lostCount(register);
    for (let i = 0; i < lost; i++) {
      const row = columns.lost[i] as number;
      (p.created[table] as Uint8Array)[row] = 0;
      this.takeBack(p, row);
    }
    p.lostIn = table;
    p.table = -1;
    this.step(p);
  }

  /** To the next table; after the creates were taken back, to deciding again. */
  private step(p: Progress): void {
    p.table++;
    if (p.lostIn < 0 || p.table < p.lostIn) return;
    const table = p.lostIn;
    p.lostIn = -1;
    if (p.batch.lostCount(this.register(table)) === 0) {
      p.table = table + 1;
      return;
    }
    p.round++;
    this.settleBegun(p); // their keys may be others after the next decision
    this.decideLost(p, this.register(table));
    this.begin(p);
    p.table = 0;
  }

  /** The in-flight slots of every write that was begun: what each came to is known. */
  private settleBegun(p: Progress): void {
    for (let k = 0; k < this.registers.length; k++) {
      const begun = p.begun[k] as number[];
      for (const row of begun) this.flights[k]?.settle(p.batch, row);
      begun.length = 0;
    }
  }

  /** Stages the removal of what a row created in the tables before this one. */
  private takeBack(p: Progress, row: number): void {
    const { batch } = p;
    for (let k = 0; k < p.table; k++) {
      const created = p.created[k] as Uint8Array;
      if (created[row] === 0) continue;
      created[row] = 0;
      const register = this.register(k);
      (batch.registers[register] as RegisterColumns).write[row] = writeKind.remove;
      batch.stage(register, row);
      this.options.undone?.(batch, row);
    }
  }

  /**
   * Runs the author's function again for the packets of every flow whose write lost, and for those
   * that share another of these tables' records with them: they saw what is discarded now.
   */
  private decideLost(p: Progress, register: number): void {
    const { batch, again } = p;
    const columns = batch.registers[register] as RegisterColumns;
    const lost = batch.lostCount(register);
    batch.header[16 + register] = 0;
    again.fill(0);
    for (let i = 0; i < lost; i++) again[columns.lost[i] as number] = 1;
    this.spread(batch, register, again);
    for (let k = 0; k < this.registers.length; k++) this.spread(batch, this.register(k), again);
    for (let k = 0; k < this.registers.length; k++) discardStaged(batch, this.register(k), again);
    for (let row = 0; row < batch.count; row++) {
      if (again[row] === 1) this.decideAgain(p, register, row);
    }
  }

  /** Marks every packet that has its record in common with a marked one. */
  private spread(batch: PacketBatch, register: number, marked: Uint8Array): void {
    const { attended, leader } = batch.registers[register] as RegisterColumns;
    const count = batch.attendedCount(register);
    for (let n = 0; n < count; n++) {
      const row = attended[n] as number;
      if (marked[row] === 1) marked[leader[row] as number] = 1;
    }
    for (let n = 0; n < count; n++) {
      const row = attended[n] as number;
      if (marked[leader[row] as number] === 1) marked[row] = 1;
    }
  }

  private decideAgain(p: Progress, register: number, row: number): void {
    const { batch } = p;
    if (batch.verdict[row] === held) return; // its buffer has another owner
    const decider = batch.deciders[register] ?? this.anyDecider(batch);
    batch.edits[row] = (batch.edits[row] as number) & edit.hop;
    if (!decider || p.round > maxRounds) {
      batch.verdict[row] = conflict;
      return;
    }
    batch.verdict[row] = 0;
    decider.decide(batch, row);
  }

  /** A table that is only reserved in has no lookup, so the decision is known by another. */
  private anyDecider(batch: PacketBatch): Decider | undefined {
    for (let k = 0; k < this.registers.length; k++) {
      const decider = batch.deciders[this.register(k)];
      if (decider) return decider;
    }
    return undefined;
  }

  /** Emits settled batches from the front of the queue. */
  private release(): void {
    while (this.queue.length > 0) {
      const p = this.queue[0] as Progress;
      if (!p.settled || this.resumed(p)) return;
      this.queue.shift();
      this.emit(p.batch);
    }
  }

  /**
   * The front batch's deferred rows: all writes that they waited for have settled, so they are decided
   * now. True when that staged writes which need time.
   */
  private resumed(p: Progress): boolean {
    if (this.synchronous) return false;
    for (let k = 0; k < this.registers.length; k++) {
      const register = this.register(k);
      const resumed = this.flights[k]?.resume(p.batch) ?? 0;
      const attended = p.batch.attendedCount(register);
      const columns = p.batch.registers[register] as RegisterColumns;
      for (let n = attended - resumed; n < attended; n++) {
        const row = columns.attended[n] as number;
        if (p.batch.verdict[row] === 0) p.batch.deciders[register]?.decide(p.batch, row);
      }
    }
    if (!this.anyStaged(p.batch)) return false;
    p.settled = false;
    p.table = 0;
    this.begin(p);
    this.advance(p);
    return !p.settled;
  }
}

/** Takes the marked rows out of a register's staged list. */
function discardStaged(batch: PacketBatch, register: number, marked: Uint8Array): void {
  const { staged, write } = batch.registers[register] as RegisterColumns;
  const count = batch.stagedCount(register);
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const row = staged[i] as number;
    if (marked[row] === 1) write[row] = writeKind.none;
    else staged[kept++] = row;
  }
  batch.header[10 + register] = kept;
}
