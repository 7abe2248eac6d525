/**
 * What one author's function has decided in one batch, for the case that it must decide again: which
 * rows, and which edits it staged. Nothing is written packet by packet in the usual case: the column
 * of edits is copied before and after, and exceptions are noted.
 */
import { edit, type PacketBatch, type RegisterColumns } from '../streams/batch.ts';

export class Decisions {
  /** The batch's lease in which the function has run; -1: in none. */
  private lease = -1;
  /** Rows of the batch when it ran. */
  private count = 0;
  /** By row: what was staged before it ran, and after. */
  private readonly before: Uint8Array;
  private readonly after: Uint8Array;
  /** By row: it was not shown, though it is on a list (or there is no list). */
  private readonly passed: Uint8Array;
  private anyPassed = false;
  private displaced: Displaced | undefined = undefined;

  constructor(rows: number) {
    this.before = new Uint8Array(rows);
    this.after = new Uint8Array(rows);
    this.passed = new Uint8Array(rows);
  }

  begin(batch: PacketBatch): void {
    this.lease = batch.lease;
    this.count = batch.count;
    this.before.set(batch.edits);
    if (this.anyPassed) {
      this.passed.fill(0);
      this.anyPassed = false;
    }
    this.displaced?.clear();
  }

  /** The function has seen every row that it is shown. */
  end(batch: PacketBatch): void {
    this.after.set(batch.edits);
  }

  /** A row that the function is not shown. */
  pass(row: number): void {
    this.passed[row] = 1;
    this.anyPassed = true;
  }

  /** @param registers whose attended rows it was shown; undefined: all rows */
  has(batch: PacketBatch, row: number, registers: readonly number[] | undefined): boolean {
    if (this.lease !== batch.lease || row >= this.count || this.passed[row] === 1) return false;
    return !registers || registers.some((register) => isAttended(batch, register, row));
  }

  /** The function stages an edit over a staged one: keeps the earlier operators'. */
  keep(batch: PacketBatch, row: number, bit: number): void {
    if (((this.before[row] as number) & bit) === 0) return; // its own
    this.displaced ??= new Displaced(batch.capacity);
    this.displaced.save(batch, row, bit);
  }

  /** Takes back the edits that it staged for a row, not what later operators did. */
  withdraw(batch: PacketBatch, row: number): void {
    const staged = (this.after[row] as number) & ~(this.before[row] as number);
    batch.edits[row] = (batch.edits[row] as number) & ~staged;
    this.displaced?.restore(batch, row);
    this.before[row] = batch.edits[row] as number;
  }

  /** It has decided a row again. */
  decidedAgain(batch: PacketBatch, row: number): void {
    this.after[row] = batch.edits[row] as number;
  }
}

function isAttended(batch: PacketBatch, register: number, row: number): boolean {
  const at = (batch.registers[register] as RegisterColumns).attended.indexOf(row);
  return at >= 0 && at < batch.attendedCount(register);
}

/** Edits of earlier operators that an author's function has staged others over. */
class Displaced {
  /** By row: which of the columns below count. */
  private readonly bits: Uint8Array;
  private readonly source: Uint32Array;
  private readonly destination: Uint32Array;
  private readonly sourcePort: Uint16Array;
  private readonly destinationPort: Uint16Array;
  private readonly egress: Uint8Array;
  private readonly link: Uint8Array;

  constructor(rows: number) {
    this.bits = new Uint8Array(rows);
    this.source = new Uint32Array(rows);
    this.destination = new Uint32Array(rows);
    this.sourcePort = new Uint16Array(rows);
    this.destinationPort = new Uint16Array(rows);
    this.egress = new Uint8Array(rows);
    this.link = new Uint8Array(rows * 16);
  }

  clear(): void {
    this.bits.fill(0);
  }

  save(batch: PacketBatch, row: number, bit: number): void {
    const saved = this.bits[row] as number;
    if ((saved & bit) !== 0) return;
    this.bits[row] = saved | bit;
    if (bit === edit.source) {
      this.source[row] = batch.newSource[row] as number;
      this.sourcePort[row] = batch.newSourcePort[row] as number;
    } else if (bit === edit.destination) {
      this.destination[row] = batch.newDestination[row] as number;
      this.destinationPort[row] = batch.newDestinationPort[row] as number;
    } else {
      this.egress[row] = batch.egress[row] as number;
      const at = batch.link + row * 16;
      this.link.set(batch.bytes.subarray(at, at + 16), row * 16);
    }
  }

  restore(batch: PacketBatch, row: number): void {
    const bits = this.bits[row] as number;
    if (bits === 0) return;
    this.bits[row] = 0;
    if (bits & edit.source) {
      batch.newSource[row] = this.source[row] as number;
      batch.newSourcePort[row] = this.sourcePort[row] as number;
    }
    if (bits & edit.destination) {
      batch.newDestination[row] = this.destination[row] as number;
      batch.newDestinationPort[row] = this.destinationPort[row] as number;
    }
    if (bits & edit.hop) {
      batch.egress[row] = this.egress[row] as number;
      batch.bytes.set(this.link.subarray(row * 16, row * 16 + 16), batch.link + row * 16);
    }
  }
}
