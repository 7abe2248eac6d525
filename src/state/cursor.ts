/**
 * The view of one table's record that an author's function gets, as `packet.<table>`: what was found,
 * and what to write. Packets of one flow in one batch share it: the later ones see what the earlier
 * ones staged.
 */
import { looked, writeKind } from '../streams/batch.ts';
import type { Packet } from '../streams/packet.ts';
import { Place } from './place.ts';
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

const { none, insert, swap, remove } = writeKind;
const { hit, miss } = looked;
/** Records are made of whole ones. */
const wordBytes = 4;

export abstract class RecordCursor implements RecordAccess {
  readonly place: Place;
  private readonly size: number;
  abstract readonly found: boolean;
  abstract readonly attended: boolean;

  constructor(place: Place, size: number) {
    this.place = place;
    this.size = size;
  }

  get timer(): number {
    return this.place.timer;
  }
  get watched(): boolean {
    return this.place.watched;
  }

  create(timer = 0, watched = false): void {
    const { place } = this;
    place.stage(this.kind(), timer, watched);
    // Word by word: records are small, and a call of the engine's `fill` costs more than they do.
    for (let i = 0; i < this.size; i += wordBytes) place.view.setUint32(place.at + i, 0);
  }

  update(timer = this.timer, watched = this.watched): void {
    const { place } = this;
    const { bytes, view, at } = place;
    if (!this.found) throw new Error('update of a record that is not there: create it');
    const fresh = bytes[place.writeAt + place.row] === none;
    place.stage(this.kind(), timer, watched);
    if (!fresh) return;
    for (let i = 0; i < this.size; i += wordBytes)
      view.setUint32(place.at + i, view.getUint32(at + i));
  }

  /** What a record staged now is to the store. */
  private kind(): number {
    const { bytes, stateAt, row } = this.place;
    return bytes[stateAt + row] === hit ? swap : insert;
  }

  remove(): void {
    const { place } = this;
    if (this.kind() === swap) place.stage(remove, this.timer, false);
    else place.unstage();
  }

  /**
   * Gives this packet a key of its own, for a record to be created under it (a reservation): its 16
   * bytes as four little-endian words.
   */
  reserve(word0: number, word1: number, word2 = 0, word3 = 0): void {
    const { place } = this;
    const { own, view } = place;
    place.touch();
    const at = place.keyAt + own * 16;
    view.setUint32(at, word0, true);
    view.setUint32(at + 4, word1, true);
    view.setUint32(at + 8, word2, true);
    view.setUint32(at + 12, word3, true);
    place.bytes[place.stateAt + own] = miss;
    place.bytes[place.writeAt + own] = none;
    place.attended = true;
    place.lead(own);
  }
}

/**
 * A cursor for one table, with a property for each field of its record.
 *
 * Each table has a hidden class of its own, and every call here shares its getters' type feedback: a
 * getter that went through `this` would see many classes and be slow for all. So getters close over
 * their place, which the optimising compiler then takes for a constant.
 */
export function cursorFor(table: AnyTable, register: number, packet: Packet): RecordCursor {
  return cursorAt(table, new Place(register, packet));
}

function cursorAt(table: AnyTable, place: Place): RecordCursor {
  const { fields, offsets, size } = table.schema;
  class TableCursor extends RecordCursor {
    declare readonly found: boolean;
    declare readonly attended: boolean;
  }
  const members = TableCursor.prototype;
  Object.defineProperty(members, 'found', { get: () => place.found });
  Object.defineProperty(members, 'attended', { get: () => place.attended });
  for (const [name, type] of Object.entries(fields as Record<string, FieldType<unknown>>)) {
    const offset = offsets[name] as number;
    const view = new DataView(place.view.buffer, offset);
    Object.defineProperty(members, name, accessor(type, place, view));
  }
  return new TableCursor(place, size);
}

interface Accessor {
  readonly get: () => unknown;
  // biome-ignore lint/suspicious/noExplicitAny: of the field's type, which the table's types see to
  readonly set: (value: any) => void;
}

/**
 * Literals for each kind that hot callbacks use, so that the engine sees a DataView call and no
 * indirection; the rest goes through the field type. The view begins `offset` bytes into the block,
 * which keeps them small enough to be inlined wherever they are used.
 */
function accessor(type: FieldType<unknown>, place: Place, view: DataView): Accessor {
  switch (type.kind) {
    case 'u8':
      return {
        get: () => view.getUint8(place.at),
        set: (value: number) => view.setUint8(place.target(), value),
      };
    case 'port':
      return {
        get: () => view.getUint16(place.at),
        set: (value: number) => view.setUint16(place.target(), value),
      };
    case 'u16':
      return {
        get: () => view.getUint16(place.at, true),
        set: (value: number) => view.setUint16(place.target(), value, true),
      };
    case 'ipv4':
      return {
        get: () => view.getUint32(place.at),
        set: (value: number) => view.setUint32(place.target(), value),
      };
    case 'u32':
      return {
        get: () => view.getUint32(place.at, true),
        set: (value: number) => view.setUint32(place.target(), value, true),
      };
    default:
      return {
        get: () => type.get(view, place.at),
        set: (value: unknown) => type.set(view, place.target(), value),
      };
  }
}
