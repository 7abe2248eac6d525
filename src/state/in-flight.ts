/**
 * In-flight slots: how a packet sees the write of an earlier batch that its own lookup was too early
 * to read. Only for stores whose operations take time.
 *
 * A slot is made for a key when a write to it is started, holds what the write came to, and dies when
 * no batch is left whose lookup was started before the write settled: forwarding, not a cache. Bound:
 * one slot per staged row of the batches that can be out at once.
 *
 *   batch 1   lookup K: miss ....... create K ......... settled
 *   batch 2        lookup K: miss ........ deferred ....... sees K, is decided again
 *   batch 3              lookup K: miss ............................ (slot) sees K
 *   batch 4                                     lookup K: hit, slot gone
 */
import { looked, type PacketBatch, type RegisterColumns } from '../streams/batch.ts';
import type { Lane } from '../streams/lane.ts';
import type { Table } from './table.ts';

const free = 0;
const pending = 1;
const settled = 2;

export class InFlight {
  private readonly register: number;
  private readonly size: number;
  /** By slot number. */
  private readonly keys: Uint32Array;
  private readonly state: Uint8Array;
  /** Writes begun and not settled: two batches may both have looked up before either wrote. */
  private readonly writers: Uint16Array;
  /** Rows that wait for the slot's result. */
  private readonly waiters: Uint32Array;
  private readonly until: Float64Array;
  private readonly result: Uint8Array;
  private readonly timer: Uint8Array;
  private readonly versions: Uint8Array;
  private readonly records: Uint8Array;
  private readonly unused: number[] = [];
  private readonly live: number[] = [];
  /** By batch: when its lookup was started, and its rows that wait. */
  private readonly issuedAt = new Float64Array(64);
  private readonly deferredRows: Uint16Array[] = [];
  private readonly deferredSlots: Uint32Array[] = [];
  private readonly deferredCount = new Uint16Array(64);
  private issued = 0;

  constructor(register: number, recordSize: number, slots: number) {
    this.register = register;
    this.size = recordSize;
    this.keys = new Uint32Array(slots * 4);
    this.state = new Uint8Array(slots);
    this.writers = new Uint16Array(slots);
    this.waiters = new Uint32Array(slots);
    this.until = new Float64Array(slots);
    this.result = new Uint8Array(slots);
    this.timer = new Uint8Array(slots);
    this.versions = new Uint8Array(slots * 8);
    this.records = new Uint8Array(slots * recordSize);
    for (let i = slots - 1; i >= 0; i--) this.unused.push(i);
  }

  /** Keys with a slot now. */
  get count(): number {
    return this.live.length;
  }

  private columns(batch: PacketBatch): RegisterColumns {
    return batch.registers[this.register] as RegisterColumns;
  }

  /** The slot of a row's key, or -1. Linear: only keys being written have slots. */
  private find(batch: PacketBatch, row: number): number {
    const at = this.columns(batch).key + row * 16;
    const { view } = batch;
    const a = view.getUint32(at, true);
    const b = view.getUint32(at + 4, true);
    const c = view.getUint32(at + 8, true);
    const d = view.getUint32(at + 12, true);
    for (const slot of this.live) {
      const k = slot * 4;
      if (
        this.keys[k] === a &&
        this.keys[k + 1] === b &&
        this.keys[k + 2] === c &&
        this.keys[k + 3] === d
      )
        return slot;
    }
    return -1;
  }

  /** A lookup of this batch has been started. */
  issue(batch: PacketBatch): void {
    this.issuedAt[batch.index] = ++this.issued;
    this.release(batch); // of a batch that was reclaimed while it waited
  }

  /** A batch's lookup has come back: brings its rows up to date, or defers them. */
  refresh(batch: PacketBatch): void {
    if (this.live.length === 0) return;
    const columns = this.columns(batch);
    for (let row = 0; row < batch.count; row++) {
      if (columns.state[row] === looked.none || batch.verdict[row] !== 0) continue;
      const slot = this.find(batch, row);
      if (slot < 0) continue;
      if (this.state[slot] === settled) this.copy(slot, batch, row);
      else this.defer(slot, batch, row);
    }
    this.withdraw(batch);
    this.retire(this.issuedAt[batch.index] as number);
  }

  private copy(slot: number, batch: PacketBatch, row: number): void {
    const columns = this.columns(batch);
    columns.state[row] = this.result[slot] as number;
    columns.timer[row] = this.timer[slot] as number;
    batch.bytes.set(this.versions.subarray(slot * 8, slot * 8 + 8), columns.version + row * 8);
    batch.bytes.set(
      this.records.subarray(slot * this.size, (slot + 1) * this.size),
      columns.record + row * columns.stride,
    );
  }

  private defer(slot: number, batch: PacketBatch, row: number): void {
    this.columns(batch).state[row] = looked.deferred;
    const rows = this.deferredRows[batch.index] ?? new Uint16Array(batch.capacity);
    const slots = this.deferredSlots[batch.index] ?? new Uint32Array(batch.capacity);
    this.deferredRows[batch.index] = rows;
    this.deferredSlots[batch.index] = slots;
    const count = this.deferredCount[batch.index] as number;
    rows[count] = row;
    slots[count] = slot;
    this.deferredCount[batch.index] = count + 1;
    this.waiters[slot] = (this.waiters[slot] as number) + 1;
  }

  /** Nothing of a batch waits any longer. */
  private release(batch: PacketBatch): void {
    const count = this.deferredCount[batch.index] as number;
    const slots = this.deferredSlots[batch.index];
    for (let i = 0; slots && i < count; i++) {
      const slot = slots[i] as number;
      this.waiters[slot] = (this.waiters[slot] as number) - 1;
    }
    this.deferredCount[batch.index] = 0;
  }

  /** Takes deferred rows out of the attended list. */
  private withdraw(batch: PacketBatch): void {
    if (this.deferredCount[batch.index] === 0) return;
    const columns = this.columns(batch);
    const before = batch.attendedCount(this.register);
    let kept = 0;
    for (let i = 0; i < before; i++) {
      const row = columns.attended[i] as number;
      if (columns.state[row] !== looked.deferred) columns.attended[kept++] = row;
    }
    batch.header[4 + this.register] = kept;
  }

  /** Slots that every batch still out has seen are done with. */
  private retire(sequence: number): void {
    for (let i = this.live.length - 1; i >= 0; i--) {
      const slot = this.live[i] as number;
      if (this.state[slot] !== settled || (this.until[slot] as number) > sequence) continue;
      if (this.waiters[slot] !== 0) continue;
      this.state[slot] = free;
      this.unused.push(slot);
      this.live[i] = this.live[this.live.length - 1] as number;
      this.live.pop();
    }
  }

  /** A write of this row's key is being started. */
  begin(batch: PacketBatch, row: number): void {
    let slot = this.find(batch, row);
    if (slot < 0) {
      const taken = this.unused.pop();
      if (taken === undefined) throw new Error('more writes in flight than batches have rows');
      slot = taken;
      const at = this.columns(batch).key + row * 16;
      for (let i = 0; i < 4; i++) this.keys[slot * 4 + i] = batch.view.getUint32(at + i * 4, true);
      this.live.push(slot);
    }
    this.state[slot] = pending;
    this.writers[slot] = (this.writers[slot] as number) + 1;
  }

  /** The write of this row's key has settled; its columns hold what it came to. */
  settle(batch: PacketBatch, row: number): void {
    const slot = this.find(batch, row);
    if (slot < 0) throw new Error('a write settled that was never begun');
    const columns = this.columns(batch);
    this.writers[slot] = (this.writers[slot] as number) - 1;
    if (this.writers[slot] === 0) this.state[slot] = settled;
    this.until[slot] = this.issued;
    this.result[slot] = columns.state[row] as number;
    this.timer[slot] = columns.timer[row] as number;
    const version = columns.version + row * 8;
    this.versions.set(batch.bytes.subarray(version, version + 8), slot * 8);
    const record = columns.record + row * columns.stride;
    this.records.set(batch.bytes.subarray(record, record + this.size), slot * this.size);
    this.retire(this.oldest(batch));
  }

  /** Nothing is retired on settling unless no lookup is in flight. */
  private oldest(batch: PacketBatch): number {
    return this.issuedAt[batch.index] === this.issued ? this.issued : 0;
  }

  /**
   * The batch is the oldest: all writes that its deferred rows wait for have settled. Gives them the
   * results and puts them in the attended list, under their first as leader. Returns how many.
   */
  resume(batch: PacketBatch): number {
    const waiting = this.deferredCount[batch.index] as number;
    if (waiting === 0) return 0;
    const columns = this.columns(batch);
    const rows = this.deferredRows[batch.index] as Uint16Array;
    const slots = this.deferredSlots[batch.index] as Uint32Array;
    this.release(batch);
    let attended = batch.attendedCount(this.register);
    const first = attended;
    for (let i = 0; i < waiting; i++) {
      const row = rows[i] as number;
      this.copy(slots[i] as number, batch, row);
      let leader = row;
      for (let k = first; k < attended; k++) {
        const other = columns.attended[k] as number;
        if (this.sameKey(batch, other, row)) {
          leader = columns.leader[other] as number;
          break;
        }
      }
      columns.leader[row] = leader;
      columns.attended[attended++] = row;
    }
    batch.header[4 + this.register] = attended;
    return waiting;
  }

  private sameKey(batch: PacketBatch, a: number, b: number): boolean {
    const { key } = this.columns(batch);
    for (let i = 0; i < 16; i += 4) {
      if (batch.view.getUint32(key + a * 16 + i) !== batch.view.getUint32(key + b * 16 + i))
        return false;
    }
    return true;
  }
}

const flights = new WeakMap<Lane, Map<string, InFlight>>();

/** The slots of one table in one lane; the same for every operator that asks. */
export function inFlight(lane: Lane, table: Table, register: number): InFlight {
  let tables = flights.get(lane);
  if (!tables) {
    tables = new Map();
    flights.set(lane, tables);
  }
  let flight = tables.get(table.name);
  if (!flight) {
    flight = new InFlight(register, table.schema.size, lane.rowsOut);
    tables.set(table.name, flight);
  }
  return flight;
}
