/**
 * In-flight slots: how a packet sees the write of an earlier batch that its own lookup was too early
 * to read. Only for stores whose operations take time.
 *
 * A slot is made for a key when a write to it is started, holds what the write came to, and dies when
 * no batch is left whose lookup was started before the write settled: forwarding, not a cache. A
 * batch whose lookup has come back waits, at its last lookup, for the writes to its keys that are on
 * their way: so authors' functions never decide on a record that is about to change.
 *
 *   batch 1   lookup K: miss ....... create K ......... settled
 *   batch 2        lookup K: miss ........ waits ............ sees K
 *   batch 3              lookup K: miss ............................ (slot) sees K
 *   batch 4                                     lookup K: hit, slot gone
 *
 * Nothing depends on it but speed: a stale record is refused when it is written back.
 */
import { looked, type PacketBatch, type RegisterColumns, writeKind } from '../streams/batch.ts';
import type { Lane } from '../streams/lane.ts';
import { isAside } from '../streams/verdict.ts';
import { KeyIndex } from './key-index.ts';
import type { Table } from './table.ts';

const maxBatches = 64;
const maxRegisters = 6;
const maxRows = 512;
const watchedBit = 0x80;

/** The slots of one table of the store, whatever fields batches carry it under. */
export class InFlight {
  private readonly size: number;
  private readonly keys: KeyIndex;
  /** By slot: writes begun and not settled. Two batches may both have looked up before either wrote. */
  private readonly writers: Uint16Array;
  /** By slot: lookups started when its last write settled. */
  private readonly until: Float64Array;
  private readonly result: Uint8Array;
  private readonly timer: Uint8Array;
  private readonly versions: Uint8Array;
  private readonly records: Uint8Array;
  /** By batch and register: when the lookup was started; 0: none, or its writes have been started. */
  private readonly issuedAt = new Float64Array(maxBatches * maxRegisters);
  /** By batch that has looked up here: as it was then. */
  private readonly batches: (PacketBatch | undefined)[] = [];
  private readonly leases = new Float64Array(maxBatches);
  private issued = 0;
  /** Scratch of `bringUpToDate`: rows brought up to date, their slots, and who is attended. */
  private readonly rows = new Uint16Array(maxRows);
  private readonly slots = new Uint32Array(maxRows);
  private readonly attends = new Uint8Array(maxRows);

  /** @param slots one per row of all batches: each row has one write under way at the most */
  constructor(recordSize: number, slots: number) {
    this.size = recordSize;
    this.keys = new KeyIndex(slots);
    this.writers = new Uint16Array(slots);
    this.until = new Float64Array(slots);
    this.result = new Uint8Array(slots);
    this.timer = new Uint8Array(slots);
    this.versions = new Uint8Array(slots * 8);
    this.records = new Uint8Array(slots * recordSize);
  }

  /** Keys with a slot now. */
  get count(): number {
    return this.keys.live.length;
  }

  /** A lookup of this batch has been started. */
  issue(batch: PacketBatch, register: number): void {
    const { index } = batch;
    if (this.batches[index] !== batch || this.leases[index] !== batch.lease) this.depart(batch);
    this.batches[index] = batch;
    this.leases[index] = batch.lease;
    this.issuedAt[index * maxRegisters + register] = ++this.issued;
  }

  /** The writes of this batch are being started: what it has read, it has read. */
  depart(batch: PacketBatch): void {
    const at = batch.index * maxRegisters;
    this.issuedAt.fill(0, at, at + maxRegisters);
    this.retire();
  }

  /**
   * Gives a batch's rows what earlier batches have written since its lookups were started. False,
   * to be asked again later, while such a write is under way.
   */
  bringUpToDate(batch: PacketBatch): boolean {
    if (this.count === 0) return true;
    for (let register = 0; register < batch.registers.length; register++) {
      const issuedAt = this.issuedAt[batch.index * maxRegisters + register] as number;
      if (issuedAt !== 0 && !this.refresh(batch, register, issuedAt)) return false;
    }
    return true;
  }

  private refresh(batch: PacketBatch, register: number, issuedAt: number): boolean {
    const columns = batch.registers[register] as RegisterColumns;
    const { state, write, leader } = columns;
    let fresh = 0;
    for (let row = 0; row < batch.count; row++) {
      const verdict = batch.verdict[row] as number;
      if (state[row] === looked.none || (verdict !== 0 && !isAside(verdict))) continue;
      if (write[leader[row] as number] !== writeKind.none) continue; // decided: the write will tell
      const slot = this.keys.find(batch.view, columns.key + row * 16);
      if (slot < 0) continue;
      if (this.writers[slot] !== 0) return false;
      if ((this.until[slot] as number) < issuedAt) continue; // our lookup read it, or later news
      this.copy(slot, batch, columns, row);
      this.rows[fresh] = row;
      this.slots[fresh++] = slot;
    }
    if (fresh > 0) this.attend(batch, register, fresh);
    return true;
  }

  private copy(slot: number, batch: PacketBatch, columns: RegisterColumns, row: number): void {
    columns.state[row] = this.result[slot] as number;
    columns.timer[row] = this.timer[slot] as number;
    batch.bytes.set(this.versions.subarray(slot * 8, slot * 8 + 8), columns.version + row * 8);
    batch.bytes.set(
      this.records.subarray(slot * this.size, (slot + 1) * this.size),
      columns.record + row * columns.stride,
    );
  }

  /** Rows that became misses or watched are attended too, in order; rows of one key get one leader. */
  private attend(batch: PacketBatch, register: number, fresh: number): void {
    const { attends, rows, slots } = this;
    const { state, timer, attended, leader } = batch.registers[register] as RegisterColumns;
    attends.fill(0, 0, batch.count);
    const before = batch.attendedCount(register);
    for (let i = 0; i < before; i++) attends[attended[i] as number] = 1;
    for (let i = 0; i < fresh; i++) {
      const row = rows[i] as number;
      if (state[row] === looked.miss || ((timer[row] as number) & watchedBit) !== 0)
        attends[row] = 1;
    }
    let count = 0;
    for (let row = 0; row < batch.count; row++) if (attends[row] === 1) attended[count++] = row;
    batch.header[4 + register] = count;
    for (let i = 0; i < fresh; i++) {
      const row = rows[i] as number;
      let first = i;
      for (let k = 0; k < i; k++) {
        if (slots[k] === slots[i] && attends[rows[k] as number] === 1) {
          first = k;
          break;
        }
      }
      leader[row] = rows[first] as number;
    }
  }

  /** A write of this row's key is being started. Returns its slot, for `settle` or `abandon`. */
  begin(batch: PacketBatch, register: number, row: number): number {
    const { key } = batch.registers[register] as RegisterColumns;
    let slot = this.keys.find(batch.view, key + row * 16);
    if (slot < 0) {
      if (this.keys.full) this.forgetOne();
      slot = this.keys.add(batch.view, key + row * 16);
    }
    this.writers[slot] = (this.writers[slot] as number) + 1;
    return slot;
  }

  /** The write has settled; the row's columns hold what it came to, which may not be known. */
  settle(slot: number, batch: PacketBatch, register: number, row: number): void {
    const columns = batch.registers[register] as RegisterColumns;
    if (columns.state[row] === looked.unknown) {
      this.abandon(slot);
      return;
    }
    this.writers[slot] = (this.writers[slot] as number) - 1;
    this.until[slot] = this.issued;
    this.result[slot] = columns.state[row] as number;
    this.timer[slot] = columns.timer[row] as number;
    const version = columns.version + row * 8;
    this.versions.set(batch.bytes.subarray(version, version + 8), slot * 8);
    const record = columns.record + row * columns.stride;
    this.records.set(batch.bytes.subarray(record, record + this.size), slot * this.size);
    this.retire();
  }

  /** Nobody will know what the write came to: later batches go by what they have read themselves. */
  abandon(slot: number): void {
    this.writers[slot] = (this.writers[slot] as number) - 1;
    if (this.writers[slot] === 0) this.keys.remove(slot);
  }

  /** Lets go of the slots that no batch still out looked up too early for. */
  private retire(): void {
    const { live } = this.keys;
    if (live.length === 0) return;
    const oldest = this.oldestLookup();
    for (let i = live.length - 1; i >= 0; i--) {
      const slot = live[i] as number;
      if (this.writers[slot] === 0 && (this.until[slot] as number) < oldest) this.keys.remove(slot);
    }
  }

  private oldestLookup(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (let index = 0; index < this.batches.length; index++) {
      const batch = this.batches[index];
      if (!batch?.leased || batch.lease !== this.leases[index]) continue;
      for (let register = 0; register < maxRegisters; register++) {
        const issuedAt = this.issuedAt[index * maxRegisters + register] as number;
        if (issuedAt !== 0 && issuedAt < oldest) oldest = issuedAt;
      }
    }
    return oldest;
  }

  /** The settled slot that has been there for the longest: who needed it will see a conflict. */
  private forgetOne(): void {
    let oldest = -1;
    for (const slot of this.keys.live) {
      if (this.writers[slot] !== 0) continue;
      if (oldest < 0 || (this.until[slot] as number) < (this.until[oldest] as number))
        oldest = slot;
    }
    if (oldest < 0) throw new Error('more writes in flight than batches have rows');
    this.keys.remove(oldest);
  }
}

const flights = new WeakMap<Lane, Map<string, InFlight>>();

/** The slots of one table in one lane; the same for every operator that asks, and for its aliases. */
export function inFlight(lane: Lane, table: Table): InFlight {
  let tables = flights.get(lane);
  if (!tables) {
    tables = new Map();
    flights.set(lane, tables);
  }
  let flight = tables.get(table.storage);
  if (!flight) {
    flight = new InFlight(table.schema.size, lane.rowsOut);
    tables.set(table.storage, flight);
  }
  return flight;
}

/** True when every record that a batch has read so far is up to date with this lane's writes. */
export function isUpToDate(lane: Lane, batch: PacketBatch): boolean {
  const tables = flights.get(lane);
  if (!tables) return true;
  for (const flight of tables.values()) {
    if (!flight.bringUpToDate(batch)) return false;
  }
  return true;
}
