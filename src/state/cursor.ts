/**
 * The view of one table's record that an author's function gets, as `packet.<table>`: what was found,
 * and what to write. Packets of one flow in one batch share it: the later ones see what the earlier
 * ones staged.
 */
import { looked, type PacketBatch, type RegisterColumns, writeKind } from '../streams/batch.ts';
import type { Packet } from '../streams/packet.ts';
import type { FieldType, Values } from './record.ts';
import type { AnyTable } from './table.ts';

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
  /** The packet's `moves` when this was bound; see `recordField`. */
  bound = -1;
  readonly register: number;
  private readonly size: number;
  private batch!: PacketBatch;
  private columns!: RegisterColumns;
  protected view!: DataView;
  /** Where the record's bytes are in `view`: as read, or as staged. */
  protected at = 0;
  /** Row of the flow's leader: the record lies there. */
  private row = 0;
  private own = 0;

  constructor(register: number, size: number) {
    this.register = register;
    this.size = size;
  }

  bind(batch: PacketBatch, row: number): void {
    const columns = batch.registers[this.register] as RegisterColumns;
    const leader = columns.state[row] === looked.none ? row : (columns.leader[row] as number);
    this.batch = batch;
    this.columns = columns;
    this.view = batch.view;
    this.own = row;
    this.row = leader;
    const column = columns.write[leader] === writeKind.none ? columns.record : columns.next;
    this.at = column + leader * columns.stride;
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
   * Gives this packet a key of its own, for a record to be created under it (a reservation): its 16
   * bytes as four little-endian words.
   */
  reserve(word0: number, word1: number, word2 = 0, word3 = 0): void {
    const { columns, own, view } = this;
    const at = columns.key + own * 16;
    view.setUint32(at, word0, true);
    view.setUint32(at + 4, word1, true);
    view.setUint32(at + 8, word2, true);
    view.setUint32(at + 12, word3, true);
    columns.state[own] = looked.miss;
    columns.leader[own] = own;
    columns.write[own] = writeKind.none;
    this.row = own;
    this.at = columns.record + own * columns.stride;
  }

  /** Fields may be set once there is a staged record to set them in. */
  protected target(): number {
    if (this.columns.write[this.row] === writeKind.none) {
      throw new Error('a field was set before create() or update()');
    }
    return this.at;
  }
}

/** A cursor for one table, with a property for each field of its record. */
export function cursorFor(table: AnyTable, register: number): RecordCursor {
  class TableCursor extends RecordCursor {}
  const { fields, offsets, size } = table.schema;
  for (const [name, type] of Object.entries(fields as Record<string, FieldType<unknown>>)) {
    Object.defineProperty(TableCursor.prototype, name, accessors(type, offsets[name] as number));
  }
  return new TableCursor(register, size);
}

/** The members that field accessors use, whatever the table. */
interface Placed {
  readonly view: DataView;
  readonly at: number;
  target(): number;
}

/**
 * One literal for each kind that hot callbacks read, so that the engine sees a DataView call and no
 * indirection; the rest goes through the field type.
 */
function accessors(type: FieldType<unknown>, offset: number): PropertyDescriptor & ThisType<Placed> {
  const set = function (this: Placed, value: unknown) {
    type.set(this.view, this.target() + offset, value);
  };
  switch (type.kind) {
    case 'u8':
      return { get() { return this.view.getUint8(this.at + offset); }, set };
    case 'port':
      return { get() { return this.view.getUint16(this.at + offset); }, set };
    case 'u16':
      return { get() { return this.view.getUint16(this.at + offset, true); }, set };
    case 'ipv4':
      return { get() { return this.view.getUint32(this.at + offset); }, set };
    case 'u32':
      return { get() { return this.view.getUint32(this.at + offset, true); }, set };
    default:
      return { get() { return type.get(this.view, this.at + offset); }, set };
  }
}

/** The property of a packet that a table's cursor is reached by: bound when it is first asked for. */
export function recordField(cursor: RecordCursor): PropertyDescriptor & ThisType<Packet> {
  return {
    enumerable: true,
    get() {
      if (cursor.bound !== this.moves) {
        cursor.bind(this.batch, this.row);
        cursor.bound = this.moves;
      }
      return cursor;
    },
  };
}
