/**
 * The view of one table's record that an author's function gets, as `packet.<table>`: what was found,
 * and what to write. Packets of one flow in one batch share it: the later ones see what the earlier
 * ones staged.
 */
import { looked, type PacketBatch, type RegisterColumns, writeKind } from '../streams/batch.ts';
import type { Packet } from '../streams/packet.ts';
import type { FieldType, Values } from './record.ts';
import type { Table } from './table.ts';

/** Timer classes 0 to 3; `watched` records send every packet that hits them to the function. */
export interface WriteOptions {
  readonly timer?: number;
  readonly watched?: boolean;
}

export interface RecordAccess {
  /** True when the record is there (or has been staged by an earlier packet of this batch). */
  readonly found: boolean;
  /** True when this packet was looked up in this table at all. */
  readonly attended: boolean;
  /** The record's timer class. */
  readonly timer: number;
  readonly watched: boolean;
  /** Stages a new record, all fields zero, to be created if the key is still absent. */
  create(timer?: number, watched?: boolean): void;
  /** Stages a change of the record: set fields after it. */
  update(timer?: number, watched?: boolean): void;
  /** Stages its removal. */
  remove(): void;
}

/** What `lookupState(table)` adds to the packets downstream. */
export type Looked<Name extends string, F> = { readonly [K in Name]: RecordAccess & Values<F> };

const watchedBit = 0x80;
const timerMask = 0x03;

export class RecordCursor implements RecordAccess {
  private batch!: PacketBatch;
  private columns!: RegisterColumns;
  private view!: DataView;
  /** Row of the flow's leader: the record lies there. */
  private row = 0;
  private at = 0;
  private own = 0;
  readonly register: number;
  private readonly size: number;

  constructor(register: number, size: number) {
    this.register = register;
    this.size = size;
  }

  bind(batch: PacketBatch, row: number): void {
    const columns = batch.registers[this.register] as RegisterColumns;
    const state = columns.state[row] as number;
    const leader = state === 0 ? row : (columns.leader[row] as number);
    this.batch = batch;
    this.columns = columns;
    this.view = batch.view;
    this.own = row;
    this.row = leader;
    this.at = (columns.write[leader] === 0 ? columns.record : columns.next) + leader * columns.stride;
  }

  get found(): boolean {
    const write = this.columns.write[this.row];
    if (write === writeKind.none) return this.columns.state[this.row] === looked.hit;
    return write !== writeKind.remove;
  }
  get attended(): boolean {
    return this.columns.state[this.own] !== looked.none;
  }
  get timer(): number {
    return (this.columns.timer[this.row] as number) & timerMask;
  }
  get watched(): boolean {
    return ((this.columns.timer[this.row] as number) & watchedBit) !== 0;
  }

  create(timer = 0, watched = false): void {
    const { columns, row } = this;
    this.stage(columns.state[row] === looked.hit ? writeKind.swap : writeKind.insert, timer, watched);
    this.batch.bytes.fill(0, this.at, this.at + this.size);
  }

  update(timer = this.timer, watched = this.watched): void {
    const { columns, row } = this;
    if (!this.found) throw new Error('update of a record that is not there: create it');
    const fresh = columns.write[row] === writeKind.none;
    const kind = columns.state[row] === looked.hit ? writeKind.swap : writeKind.insert;
    const from = this.at;
    this.stage(kind, timer, watched);
    if (fresh) this.batch.bytes.copyWithin(this.at, from, from + this.size);
  }

  remove(): void {
    if (this.columns.state[this.row] === looked.hit) this.stage(writeKind.remove, this.timer, false);
    else this.columns.write[this.row] = writeKind.none;
  }

  private stage(kind: number, timer: number, watched: boolean): void {
    const { columns, row } = this;
    if (columns.write[row] === writeKind.none) this.batch.stage(this.register, row);
    columns.write[row] = kind;
    columns.timer[row] = (timer & timerMask) | (watched ? watchedBit : 0);
    this.at = columns.next + row * columns.stride;
  }

  /** After a throw: takes back what this packet staged for itself. */
  discard(): void {
    if (this.row === this.own) this.columns.write[this.row] = writeKind.none;
  }

  /**
   * Gives this packet a key of its own, for a record to be created under it (a reservation). Two
   * little-endian words, as `endpointKey` makes them.
   */
  reserve(keyLow: number, keyHigh: number, keyLow2 = 0, keyHigh2 = 0): void {
    const { columns, own } = this;
    const at = columns.key + own * 16;
    this.view.setUint32(at, keyLow, true);
    this.view.setUint32(at + 4, keyHigh, true);
    this.view.setUint32(at + 8, keyLow2, true);
    this.view.setUint32(at + 12, keyHigh2, true);
    columns.state[own] = looked.miss;
    columns.leader[own] = own;
    columns.write[own] = writeKind.none;
    this.row = own;
    this.at = columns.record + own * columns.stride;
  }

  get<T>(type: FieldType<T>, offset: number): T {
    return type.get(this.view, this.at + offset);
  }

  set<T>(type: FieldType<T>, offset: number, value: T): void {
    if (this.columns.write[this.row] === writeKind.none) {
      throw new Error('a field was set before create() or update()');
    }
    type.set(this.view, this.at + offset, value);
  }
}

/** A cursor class for one table, with a property for each field of its record. */
export function cursorFor(table: Table, register: number): RecordCursor {
  class TableCursor extends RecordCursor {}
  for (const [field, type] of Object.entries(table.schema.fields as Record<string, FieldType<unknown>>)) {
    const offset = (table.schema.offsets as Record<string, number>)[field] as number;
    Object.defineProperty(TableCursor.prototype, field, {
      get(this: RecordCursor) {
        return this.get(type, offset);
      },
      set(this: RecordCursor, value: unknown) {
        this.set(type, offset, value);
      },
    });
  }
  return new TableCursor(register, table.schema.size);
}
