/**
 * The packets of one batch whose writes came to nothing, and all that share a record with them: they
 * have seen what does not stand, so they are decided again, or dropped where a table is full.
 *
 * Reused from batch to batch; `collect` starts it anew.
 */
import {
  type Decider,
  looked,
  type PacketBatch,
  type RegisterColumns,
  writeKind,
} from '../streams/batch.ts';
import { drop, held, isAside, type Verdict } from '../streams/verdict.ts';

const full = drop('table-full');
const unknown = drop('write-unknown');

/** What becomes of a row; of several the highest. */
const fate = { stands: 0, again: 1, full: 2, unknown: 3 } as const;

export class FailedWrites {
  private readonly batch: PacketBatch;
  private readonly columns: readonly RegisterColumns[];
  private readonly registers: readonly number[];
  private readonly fates: Uint8Array;
  /** By row: a create of it was refused or is taken back, and nobody else has its key. */
  private readonly freed: Uint8Array;
  private decider: Decider | undefined;

  constructor(batch: PacketBatch, registers: readonly number[]) {
    this.batch = batch;
    this.registers = registers;
    this.columns = registers.map((register) => batch.registers[register] as RegisterColumns);
    this.fates = new Uint8Array(batch.capacity);
    this.freed = new Uint8Array(batch.capacity);
  }

  /**
   * Finds the rows whose write in a table has lost or was refused, and those that depend on them;
   * takes what else they staged off the lists. False when there is none.
   *
   * @param k index of the table
   * @param created by row: a create was staged or stands
   * @param written how many rows its staged list had
   */
  collect(k: number, created: Uint8Array, written: number): boolean {
    const { batch, fates, freed } = this;
    const register = this.registers[k] as number;
    const { lost, staged, state } = this.columns[k] as RegisterColumns;
    const losers = batch.lostCount(register);
    let failed = losers > 0;
    for (let i = 0; i < written; i++) {
      const row = staged[i] as number;
      if (state[row] === looked.unknown) failed = true;
      if (created[row] === 1 && state[row] !== looked.hit) failed = true;
    }
    if (!failed) return false;
    fates.fill(fate.stands);
    freed.fill(0);
    this.decider = batch.deciders[register] ?? this.anyDecider();
    for (let i = 0; i < losers; i++) {
      const row = lost[i] as number;
      fates[row] = fate.again;
      if (created[row] === 1 && state[row] !== looked.hit) freed[row] = 1; // the winner has gone
      created[row] = 0;
    }
    // A create that neither won nor lost was refused. One that may stand is nobody's to undo.
    for (let i = 0; i < written; i++) {
      const row = staged[i] as number;
      if (state[row] === looked.unknown) fates[row] = fate.unknown;
      else if (created[row] === 0 || state[row] === looked.hit) continue;
      else {
        fates[row] = fate.full;
        freed[row] = 1;
        created[row] = 0;
      }
    }
    this.spread(fate.unknown);
    this.spread(fate.full);
    this.spread(fate.again);
    for (let j = 0; j < this.registers.length; j++) if (this.decides(j)) this.discard(j);
    return true;
  }

  /** A table that is only reserved in has no lookup, so the decision is known by another. */
  private anyDecider(): Decider | undefined {
    for (const register of this.registers) {
      if (this.batch.deciders[register]) return this.batch.deciders[register];
    }
    return undefined;
  }

  /** The author's function that decides again is also the one that staged in this table. */
  private decides(j: number): boolean {
    const decider = this.batch.deciders[this.registers[j] as number];
    return decider === undefined || decider === this.decider;
  }

  /** Marks every packet that has its record, in any of the tables, in common with a marked one. */
  private spread(mark: number): void {
    for (let grown = true; grown; ) {
      grown = false;
      for (let j = 0; j < this.registers.length; j++) {
        if (this.decides(j) && this.spreadIn(j, mark)) grown = true;
      }
    }
  }

  private spreadIn(j: number, mark: number): boolean {
    const { fates } = this;
    const { attended, leader } = this.columns[j] as RegisterColumns;
    const count = this.batch.attendedCount(this.registers[j] as number);
    let grown = false;
    for (let n = 0; n < count; n++) {
      const row = attended[n] as number;
      const first = leader[row] as number;
      if (fates[row] !== mark || (fates[first] as number) >= mark) continue;
      fates[first] = mark;
      grown = true;
    }
    for (let n = 0; n < count; n++) {
      const row = attended[n] as number;
      if (fates[leader[row] as number] !== mark || (fates[row] as number) >= mark) continue;
      fates[row] = mark;
      grown = true;
    }
    return grown;
  }

  /** Takes what they staged in a table off its list. */
  private discard(j: number): void {
    const { batch, fates } = this;
    const register = this.registers[j] as number;
    const { staged, write } = this.columns[j] as RegisterColumns;
    const count = batch.stagedCount(register);
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const row = staged[i] as number;
      if (fates[row] === fate.stands) staged[kept++] = row;
      else write[row] = writeKind.none;
    }
    batch.header[10 + register] = kept;
  }

  /** Stages the removal of what those rows created in tables 0 to k. */
  takeBack(k: number, created: readonly Uint8Array[]): void {
    const { batch, fates } = this;
    for (let j = 0; j <= k; j++) {
      if (!this.decides(j)) continue;
      const { write } = this.columns[j] as RegisterColumns;
      const creates = created[j] as Uint8Array;
      for (let row = 0; row < batch.count; row++) {
        if (fates[row] === fate.stands || creates[row] === 0) continue;
        creates[row] = 0;
        if (fates[row] === fate.unknown) continue; // what was published may point to it
        this.freed[row] = 1;
        write[row] = writeKind.remove;
        batch.stage(this.registers[j] as number, row);
      }
    }
  }

  /**
   * After removals in a table: stages those that lost again. False when there are none. One that the store
   * did not perform, or nobody knows of, leaves its record behind, and what belongs to it is not free.
   *
   * @param written how many rows its staged list had
   */
  insist(k: number, written: number, allowed: boolean): boolean {
    const { batch, freed } = this;
    const register = this.registers[k] as number;
    const { lost, staged, state, write } = this.columns[k] as RegisterColumns;
    const count = batch.lostCount(register);
    for (let i = 0; i < written; i++) {
      const row = staged[i] as number;
      if (state[row] !== looked.miss) freed[row] = 0;
    }
    for (let i = 0; i < count; i++) freed[lost[i] as number] = 1; // until it is known whose it is
    let again = false;
    for (let i = 0; i < count; i++) {
      const row = lost[i] as number;
      if (state[row] !== looked.hit) continue;
      if (allowed) {
        write[row] = writeKind.remove;
        batch.stage(register, row);
        again = true;
      } else {
        freed[row] = 0; // another's now
      }
    }
    return again;
  }

  has(row: number): boolean {
    return this.fates[row] !== fate.stands;
  }

  eachUndone(undone: (batch: PacketBatch, row: number) => void): void {
    for (let row = 0; row < this.batch.count; row++) {
      if (this.freed[row] === 1) undone(this.batch, row);
    }
  }

  /** Decides them again, or drops them with `instead`; where a table is full, with that. */
  decide(instead: Verdict | undefined): void {
    const { batch, fates, decider } = this;
    const { verdict } = batch;
    for (let row = 0; row < batch.count; row++) {
      // Held: the buffer has another owner. Aside: not in this arm of a branch.
      if (fates[row] === fate.stands || verdict[row] === held || isAside(verdict[row] as number))
        continue;
      if (fates[row] === fate.full || fates[row] === fate.unknown) {
        if ((verdict[row] as number) >= 0) verdict[row] = fates[row] === fate.full ? full : unknown;
        continue;
      }
      if (!decider?.decided(batch, row)) continue;
      decider.withdraw(batch, row);
      verdict[row] = instead ?? 0;
      if (instead === undefined) decider.decide(batch, row);
    }
  }
}
