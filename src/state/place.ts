/**
 * Where a record's cursor stands: one row of one table's register. Apart from the cursor, so that all of
 * a lane's have one hidden class. The views span the lane's whole block and never change; a batch is a
 * set of offsets into them.
 */
import { looked, type PacketBatch, type RegisterColumns, writeKind } from '../streams/batch.ts';
import type { Packet } from '../streams/packet.ts';

const { none, remove } = writeKind;
const { none: notLooked, hit } = looked;

/** Of the timer column: the record's hits are all seen, and its timer class. */
const watchedBit = 0x80;
const timerMask = 0x03;

export class Place {
  readonly register: number;
  /** The cursor is about its row. */
  private readonly packet: Packet;
  readonly view: DataView;
  readonly bytes: Uint8Array;
  private readonly leaders: Uint16Array;
  batch: PacketBatch;
  stateAt = 0;
  writeAt = 0;
  timerAt = 0;
  keyAt = 0;
  private leaderAt = 0;
  /** Where the record of the batch's first row is, and bytes from one to the next. */
  recordAt = 0;
  stride = 0;
  private nextAt = 0;
  /** Row of the flow's leader, where the record lies; -1: the packet's own. */
  private leader = -1;
  /** Where the record's bytes are: as read, or as staged. */
  at = 0;
  attended = false;
  found = false;
  /**
   * Every row of the batch is a hit of its own, or none was looked up, and nothing is staged: but for
   * where the record is, what holds for one row holds for the next. Set by `begin`, until something is
   * staged or `end` is called.
   */
  private uniform = false;
  /** What was staged when this packet came to it: packets of one flow share it. */
  private keptWrite = 0;
  private keptTimer = 0;
  private kept: Uint8Array | undefined;

  constructor(register: number, packet: Packet) {
    const { batch } = packet;
    this.register = register;
    this.packet = packet;
    this.view = batch.view;
    this.bytes = batch.bytes;
    this.leaders = new Uint16Array(batch.bytes.buffer);
    this.batch = batch;
    this.enter(batch);
  }

  /** From here on, rows are this batch's. */
  enter(batch: PacketBatch): void {
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

  /** The packet's row. */
  get own(): number {
    return this.packet.row;
  }

  /** Row of its flow's leader. */
  get row(): number {
    return this.leader < 0 ? this.packet.row : this.leader;
  }

  /**
   * Before a loop over rows of the packet's batch: what they have in common is seen to once.
   *
   * @returns true where rows are alike: the loop sets `at` to a row's record where there are any
   *   (`found`), and need not `move` this
   */
  begin(): boolean {
    const { batch } = this;
    const hit = batch.isHit(this.register);
    this.uniform = hit || !batch.isTouched(this.register);
    this.attended = hit;
    this.found = hit;
    this.keptWrite = none;
    this.leader = -1;
    return this.uniform;
  }

  /** After the loop. */
  end(): void {
    this.uniform = false;
  }

  /** The record of a row, which is the packet's, is the one now. */
  move(row: number): void {
    const attended = this.bytes[this.stateAt + row] !== notLooked;
    this.attended = attended;
    this.lead(attended ? (this.leaders[this.leaderAt + row] as number) : row);
  }

  /** The record of this row is the one now. */
  lead(row: number): void {
    const write = this.bytes[this.writeAt + row] as number;
    this.leader = row;
    this.keptWrite = write;
    if (write === none) this.asRead(row);
    else this.asStaged(row);
  }

  private asRead(row: number): void {
    this.at = this.recordAt + row * this.stride;
    this.found = this.bytes[this.stateAt + row] === hit;
  }

  private asStaged(row: number): void {
    const { bytes, stride } = this;
    const at = this.nextAt + row * stride;
    this.at = at;
    this.found = this.keptWrite !== remove;
    this.keptTimer = bytes[this.timerAt + row] as number;
    this.kept ??= new Uint8Array(stride);
    for (let i = 0; i < stride; i++) this.kept[i] = bytes[at + i] as number;
  }

  /** After a throw: takes back what this packet staged, and nothing of what others have. */
  restore(): void {
    const { bytes, keptWrite, row } = this;
    const write = this.writeAt + row;
    if (bytes[write] !== none || keptWrite !== none) bytes[this.timerAt + row] = this.keptTimer;
    bytes[write] = keptWrite;
    if (keptWrite !== none && this.kept) bytes.set(this.kept, this.nextAt + row * this.stride);
  }

  get timer(): number {
    return (this.bytes[this.timerAt + this.row] as number) & timerMask;
  }
  get watched(): boolean {
    return ((this.bytes[this.timerAt + this.row] as number) & watchedBit) !== 0;
  }

  stage(kind: number, timer: number, watched: boolean): void {
    this.touch();
    const { row } = this;
    if (this.bytes[this.writeAt + row] === none) {
      this.batch.stage(this.register, row);
      if (this.keptWrite === none) this.keptTimer = this.bytes[this.timerAt + row] as number;
    }
    this.bytes[this.writeAt + row] = kind;
    this.bytes[this.timerAt + row] = (timer & timerMask) | (watched ? watchedBit : 0);
    this.at = this.nextAt + row * this.stride;
    this.found = kind !== remove;
  }

  /** Takes back what was staged: the record is as it was read. */
  unstage(): void {
    const { bytes, row } = this;
    if (this.keptWrite === none && bytes[this.writeAt + row] !== none)
      bytes[this.timerAt + row] = this.keptTimer;
    bytes[this.writeAt + row] = none;
    this.asRead(row);
  }

  /** This row is about to differ from the others. */
  touch(): void {
    const { batch } = this;
    if (this.uniform) this.packet.stirred = true;
    this.uniform = false;
    if (batch.isUnjoined) batch.lane.join(batch);
    if (this.attended && this.bytes[this.writeAt + this.row] === none)
      this.leader = this.leaders[this.leaderAt + this.own] as number;
    batch.touch(this.register);
  }

  /** Where fields may be set: there must be a staged record to set them in. */
  target(): number {
    if (this.bytes[this.writeAt + this.row] === none) {
      throw new Error('a field was set before create() or update()');
    }
    return this.at;
  }
}
