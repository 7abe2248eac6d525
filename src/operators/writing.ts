/**
 * `writeState` at work in one lane: takes each batch through its tables, forward to write and back
 * to undo, as often as writes lose.
 *
 *   write table 0 ... t      all won: next table        .. after the last: settled, leaves in order
 *                     |
 *                     +-- some lost, or t is full: take creates back, t ... 0,
 *                         decide the losers again, and begin at table 0
 *
 * A synchronous store runs through all of it at once; else each operation's `done` goes on.
 */
import { type InFlight, inFlight } from '../state/in-flight.ts';
import { sessionOf } from '../state/sessions.ts';
import type { Operation } from '../state/store.ts';
import type { Table } from '../state/table.ts';
import { type PacketBatch, type RegisterColumns, writeKind } from '../streams/batch.ts';
import type { Lane } from '../streams/lane.ts';
import type { Stage } from '../streams/operator.ts';
import { drop } from '../streams/verdict.ts';
import { FailedWrites } from './failed-writes.ts';

/** Rounds of losing and deciding again before a packet is dropped with `conflict`; also of undoing. */
const maxRounds = 8;
const conflict = drop('conflict');

/** An in-flight slot whose write is not settled. */
interface Begun {
  readonly k: number;
  readonly row: number;
  readonly slot: number;
}

/** Where a batch stands; one per batch of the pool, reused. */
interface Progress {
  readonly batch: PacketBatch;
  readonly failures: FailedWrites;
  lease: number;
  /** Index of the table being written. */
  table: number;
  /** Rows of its staged list. */
  written: number;
  /** Creates are being taken back. */
  undoing: boolean;
  round: number;
  settled: boolean;
  /** By table, by row: a create that is staged or stands. */
  readonly created: readonly Uint8Array[];
  readonly begun: Begun[];
}

const everyRow = () => true;

export class Writing implements Stage {
  /** Every write is done when it returns: batches neither wait nor queue. */
  readonly synchronous: boolean;
  private readonly emit: (batch: PacketBatch) => void;
  private readonly undone: ((batch: PacketBatch, row: number) => void) | undefined;
  private readonly registers: readonly number[];
  private readonly operations: readonly Operation[];
  private readonly flights: readonly (InFlight | undefined)[];
  private readonly progress: Progress[] = [];
  private readonly queue: Progress[] = [];
  private readonly done: (batch: PacketBatch) => void;

  constructor(
    lane: Lane,
    tables: readonly Table[],
    undone: ((batch: PacketBatch, row: number) => void) | undefined,
    emit: (batch: PacketBatch) => void,
  ) {
    this.emit = emit;
    this.undone = undone;
    this.registers = tables.map((table) => lane.register(table.name));
    this.operations = tables.map((table, k) =>
      sessionOf(lane, table).write(table, this.register(k)),
    );
    this.flights = tables.map((table) =>
      sessionOf(lane, table).synchronous ? undefined : inFlight(lane, table),
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
    for (let k = 0; k < this.registers.length; k++) {
      if (batch.stagedCount(this.register(k)) === 0) continue;
      this.advance(this.enter(batch));
      return;
    }
  }

  process(batch: PacketBatch): void {
    const p = this.enter(batch);
    for (const flight of this.flights) flight?.depart(batch);
    this.queue.push(p);
    this.begin(p);
    this.advance(p);
    this.release();
  }

  dispose(): void {
    for (const p of this.queue) {
      p.settled = true;
      for (const { k, slot } of p.begun) this.flights[k]?.abandon(slot);
      p.begun.length = 0;
    }
    this.queue.length = 0;
  }

  private register(k: number): number {
    return this.registers[k] as number;
  }

  private enter(batch: PacketBatch): Progress {
    let p = this.progress[batch.index];
    if (!p) {
      p = {
        batch,
        failures: new FailedWrites(batch, this.registers),
        lease: 0,
        table: 0,
        written: 0,
        undoing: false,
        round: 0,
        settled: false,
        created: this.registers.map(() => new Uint8Array(batch.capacity)),
        begun: [],
      };
      this.progress[batch.index] = p;
    }
    p.lease = batch.lease;
    p.table = 0;
    p.undoing = false;
    p.round = 0;
    p.settled = false;
    for (let k = 0; k < this.registers.length; k++) (p.created[k] as Uint8Array).fill(0);
    return p;
  }

  /** Slots for every staged write, before the first is started: one create per flow. */
  private begin(p: Progress): void {
    for (let k = 0; k < this.flights.length; k++) {
      const flight = this.flights[k];
      if (!flight) continue;
      const register = this.register(k);
      const { staged, write } = p.batch.registers[register] as RegisterColumns;
      const count = p.batch.stagedCount(register);
      for (let i = 0; i < count; i++) {
        const row = staged[i] as number;
        if (write[row] === writeKind.none) continue;
        if (p.begun.some((begun) => begun.k === k && begun.row === row)) continue;
        p.begun.push({ k, row, slot: flight.begin(p.batch, register, row) });
      }
    }
  }

  /** Goes from table to table until a write needs time or all have settled. */
  private advance(p: Progress): void {
    for (;;) {
      const table = this.next(p);
      if (table >= 0) {
        p.table = table;
        p.written = p.batch.stagedCount(this.register(table));
        if (!p.undoing) this.noteCreates(p);
        if (!(this.operations[table] as Operation).start(p.batch, this.done)) return;
        this.landed(p);
      } else if (p.undoing) {
        this.startAgain(p);
      } else {
        break;
      }
    }
    this.settle(p, everyRow);
    p.settled = true;
  }

  /** The next table with something to write: up from where we are, or down while undoing. */
  private next(p: Progress): number {
    const step = p.undoing ? -1 : 1;
    for (let k = p.table; k >= 0 && k < this.registers.length; k += step) {
      if (p.batch.stagedCount(this.register(k)) > 0) return k;
    }
    return -1;
  }

  private noteCreates(p: Progress): void {
    const register = this.register(p.table);
    const { staged, write } = p.batch.registers[register] as RegisterColumns;
    const created = p.created[p.table] as Uint8Array;
    for (let i = 0; i < p.written; i++) {
      const row = staged[i] as number;
      if (write[row] === writeKind.insert) created[row] = 1;
    }
  }

  /** One table's writes have come back. */
  private landed(p: Progress): void {
    const { failures, table } = p;
    if (p.undoing) {
      if (!failures.insist(table, p.written, p.round < maxRounds)) p.table--;
      else p.round++;
    } else if (failures.collect(table, p.created[table] as Uint8Array, p.written)) {
      failures.takeBack(table, p.created);
      p.undoing = true;
    } else {
      p.table++;
    }
  }

  /** What could be taken back has been: the losers are decided again, and writing begins anew. */
  private startAgain(p: Progress): void {
    const { batch, failures } = p;
    p.undoing = false;
    p.table = 0;
    p.round++;
    // Their keys may be others after the next decision.
    this.settle(p, (row) => failures.has(row));
    if (this.undone) failures.eachUndone(this.undone);
    failures.decide(p.round > maxRounds ? conflict : undefined);
    if (!this.synchronous) this.begin(p);
    batch.reopen();
  }

  /** The in-flight slots of some rows: what their writes came to is known. */
  private settle(p: Progress, which: (row: number) => boolean): void {
    const { begun, batch } = p;
    let kept = 0;
    for (const entry of begun) {
      if (!which(entry.row)) begun[kept++] = entry;
      else this.flights[entry.k]?.settle(entry.slot, batch, this.register(entry.k), entry.row);
    }
    begun.length = kept;
  }

  /** Emits settled batches from the front of the queue. */
  private release(): void {
    while (this.queue[0]?.settled) this.emit((this.queue.shift() as Progress).batch);
  }
}
