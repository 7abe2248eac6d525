/**
 * The view of one table's record that an author's function gets, as `packet.<table>`: what was found,
 * and what to write. Packets of one flow in one batch share it: the later ones see what the earlier
 * ones staged.
 */
import { looked, type PacketBatch, type RegisterColumns, writeKind } from '../streams/batch.ts';
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

/**
 * Where a cursor stands: one row of one register. Apart from the cursor, so that all of a lane's have
 * one hidden class. The views span the lane's whole block and never change; a batch is a set of offsets
 * into them.
 */
export class Place {
  readonly register: number;
  readonly view: DataView;
  readonly bytes: Uint8Array;
  private readonly leaders: Uint16Array;
  batch: PacketBatch;
  stateAt = 0;
  writeAt = 0;
  timerAt = 0;
  keyAt = 0;
  nextAt = 0;
  private leaderAt = 0;
  private recordAt = 0;
  private stride = 0;
  /** Row of the flow's leader: the record lies there. */
  row = 0;
  own = 0;
  /** Where the record's bytes are: as read, or as staged. */
  at = 0;
  /** What was staged when this packet came to it: packets of one flow share it. */
  private keptWrite = 0;
  private keptTimer = 0;
  private kept: Uint8Array | undefined;

  constructor(register: number, batch: PacketBatch) {
    this.register = register;
    this.view = batch.view;
    this.bytes = batch.bytes;
    this.leaders = new Uint16Array(batch.bytes.buffer);
    this.batch = batch;
    this.enter(batch);
  }

  private enter(batch: PacketBatch): void {
    const columns = batch.registers[this.register] as RegisterColumns;
    this.batch = batch;
    this.stateAt = columns.state.byteOffset;
    this.writeAt = columns.write.byteOffset;
    this.timerAt = columns.timer.byteOffset;
    this.leaderAt = columns.leader.byteOffset / 2;
    this.keyAt = columns.key;
    this.recordAt = columns.record;
    this.nextAt = columns.next;
    this.stride = columns.stride;
  }

  move(batch: PacketBatch, row: number): void {
    if (this.batch !== batch) this.enter(batch);
    this.own = row;
    this.lead(this.leaders[this.leaderAt + row] as number);
  }

  /** The record of this row is the one now. */
  lead(row: number): void {
    const write = this.bytes[this.writeAt + row] as number;
    this.row = row;
    this.at = (write === writeKind.none ? this.recordAt : this.nextAt) + row * this.stride;
    this.keptWrite = write;
    this.keptTimer = this.bytes[this.timerAt + row] as number;
    if (write !== writeKind.none) this.keep();
  }

  private keep(): void {
    const { at, bytes, stride } = this;
    this.kept ??= new Uint8Array(stride);
    for (let i = 0; i < stride; i++) this.kept[i] = bytes[at + i] as number;
  }

  /** After a throw: takes back what this packet staged, and nothing of what others have. */
  restore(): void {
    const { bytes, keptWrite, row } = this;
    bytes[this.writeAt + row] = keptWrite;
    bytes[this.timerAt + row] = this.keptTimer;
    if (keptWrite !== writeKind.none && this.kept)
      bytes.set(this.kept, this.nextAt + row * this.stride);
  }

  stage(kind: number, timer: number, watched: boolean): void {
    const { row } = this;
    if (this.bytes[this.writeAt + row] === writeKind.none) this.batch.stage(this.register, row);
    this.bytes[this.writeAt + row] = kind;
    this.bytes[this.timerAt + row] = (timer & timerMask) | (watched ? watchedBit : 0);
    this.at = this.nextAt + row * this.stride;
  }

  /** Where fields may be set: there must be a staged record to set them in. */
  target(): number {
    if (this.bytes[this.writeAt + this.row] === writeKind.none) {
      throw new Error('a field was set before create() or update()');
    }
    return this.at;
  }
}

export class RecordCursor implements RecordAccess {
  readonly place: Place;
  private readonly size: number;

  constructor(place: Place, size: number) {
    this.place = place;
    this.size = size;
  }

  get found(): boolean {
    const { bytes, writeAt, stateAt, row } = this.place;
    const write = bytes[writeAt + row];
    if (write === writeKind.none) return bytes[stateAt + row] === looked.hit;
    return write !== writeKind.remove;
  }
  get attended(): boolean {
    const { bytes, stateAt, own } = this.place;
    return bytes[stateAt + own] !== looked.none;
  }
  get timer(): number {
    const { bytes, timerAt, row } = this.place;
    return (bytes[timerAt + row] as number) & timerMask;
  }
  get watched(): boolean {
    const { bytes, timerAt, row } = this.place;
    return ((bytes[timerAt + row] as number) & watchedBit) !== 0;
  }

  create(timer = 0, watched = false): void {
    const { place } = this;
    const hit = place.bytes[place.stateAt + place.row] === looked.hit;
    place.stage(hit ? writeKind.swap : writeKind.insert, timer, watched);
    place.bytes.fill(0, place.at, place.at + this.size);
  }

  update(timer = this.timer, watched = this.watched): void {
    const { place } = this;
    const { bytes, row, at } = place;
    if (!this.found) throw new Error('update of a record that is not there: create it');
    const fresh = bytes[place.writeAt + row] === writeKind.none;
    const hit = bytes[place.stateAt + row] === looked.hit;
    place.stage(hit ? writeKind.swap : writeKind.insert, timer, watched);
    if (fresh) bytes.copyWithin(place.at, at, at + this.size);
  }

  remove(): void {
    const { place } = this;
    const hit = place.bytes[place.stateAt + place.row] === looked.hit;
    if (hit) place.stage(writeKind.remove, this.timer, false);
    else place.bytes[place.writeAt + place.row] = writeKind.none;
  }

  /**
   * Gives this packet a key of its own, for a record to be created under it (a reservation): its 16
   * bytes as four little-endian words.
   */
  reserve(word0: number, word1: number, word2 = 0, word3 = 0): void {
    const { place } = this;
    const { own, view } = place;
    const at = place.keyAt + own * 16;
    view.setUint32(at, word0, true);
    view.setUint32(at + 4, word1, true);
    view.setUint32(at + 8, word2, true);
    view.setUint32(at + 12, word3, true);
    place.bytes[place.stateAt + own] = looked.miss;
    place.bytes[place.writeAt + own] = writeKind.none;
    place.lead(own);
  }
}

/** A cursor for one table, with a property for each field of its record. */
export function cursorFor(table: AnyTable, register: number, batch: PacketBatch): RecordCursor {
  class TableCursor extends RecordCursor {}
  const { fields, offsets, size } = table.schema;
  for (const [name, type] of Object.entries(fields as Record<string, FieldType<unknown>>)) {
    Object.defineProperty(TableCursor.prototype, name, accessors(type, offsets[name] as number));
  }
  return new TableCursor(new Place(register, batch), size);
}

/**
 * One literal for each kind that hot callbacks read, so that the engine sees a DataView call and no
 * indirection; the rest goes through the field type.
 */
function accessors(
  type: FieldType<unknown>,
  offset: number,
): PropertyDescriptor & ThisType<RecordCursor> {
  const set = function (this: RecordCursor, value: unknown) {
    type.set(this.place.view, this.place.target() + offset, value);
  };
  switch (type.kind) {
    case 'u8':
      return {
        get() {
          return this.place.view.getUint8(this.place.at + offset);
        },
        set,
      };
    case 'port':
      return {
        get() {
          return this.place.view.getUint16(this.place.at + offset);
        },
        set,
      };
    case 'u16':
      return {
        get() {
          return this.place.view.getUint16(this.place.at + offset, true);
        },
        set,
      };
    case 'ipv4':
      return {
        get() {
          return this.place.view.getUint32(this.place.at + offset);
        },
        set,
      };
    case 'u32':
      return {
        get() {
          return this.place.view.getUint32(this.place.at + offset, true);
        },
        set,
      };
    default:
      return {
        get() {
          return type.get(this.place.view, this.place.at + offset);
        },
        set,
      };
  }
}
