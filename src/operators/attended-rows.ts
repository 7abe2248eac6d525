/**
 * The rows that any of several tables' lookups attended, each once, in the batch's order. Where all
 * come from one table, its own list serves.
 */
import type { PacketBatch, RegisterColumns } from '../streams/batch.ts';

export class AttendedRows {
  private readonly registers: readonly number[];
  private merged = new Uint16Array(0);
  /** By row: on some table's list. */
  private marks = new Uint8Array(0);
  list: Uint16Array = this.merged;

  constructor(registers: readonly number[]) {
    this.registers = registers;
  }

  /** @returns how many there are in `list` */
  collect(batch: PacketBatch): number {
    const { registers } = this;
    let count = 0;
    for (let k = 0; k < registers.length; k++) {
      const register = registers[k] as number;
      const attended = batch.attendedCount(register);
      if (attended === 0) continue;
      if (count > 0 && count < batch.count) return this.merge(batch);
      if (count > 0) continue; // every row is on the list
      this.list = (batch.registers[register] as RegisterColumns).attended;
      count = attended;
    }
    return count;
  }

  private merge(batch: PacketBatch): number {
    const { registers } = this;
    if (this.merged.length < batch.capacity) {
      this.merged = new Uint16Array(batch.capacity);
      this.marks = new Uint8Array(batch.capacity);
    }
    const { marks, merged } = this;
    for (let k = 0; k < registers.length; k++) {
      const register = registers[k] as number;
      const { attended } = batch.registers[register] as RegisterColumns;
      const count = batch.attendedCount(register);
      for (let i = 0; i < count; i++) marks[attended[i] as number] = 1;
    }
    let found = 0;
    for (let row = 0; row < batch.count; row++) {
      if (marks[row] === 0) continue;
      marks[row] = 0;
      merged[found++] = row;
    }
    this.list = merged;
    return found;
  }
}
