import { AssertionError } from 'node:assert';
import { authorPacket } from '../state/author-packet.ts';
import type { RecordCursor } from '../state/cursor.ts';
import type { Place } from '../state/place.ts';
import type { AnyTable, Table } from '../state/table.ts';
import type { Decider, PacketBatch } from '../streams/batch.ts';
import { callbackError, type Lane } from '../streams/lane.ts';
import {
  type BatchOperator,
  type BatchOperatorOn,
  synchronousOperator,
} from '../streams/operator.ts';
import type { Packet } from '../streams/packet.ts';
import { everyPacket, type WhereMask } from '../streams/traits.ts';
import type { Verdict } from '../streams/verdict.ts';
import { AttendedRows } from './attended-rows.ts';
import { type AuthorLoop, authorLoop, type Shown } from './author-loop.ts';
import { Decisions } from './decisions.ts';
import type { LookedTables } from './looked-tables.ts';

/**
 * An author's function: sees the packet and its records, stages header edits and writes, and returns
 * a verdict, or nothing to leave the packet pending. It must be rerunnable: when a write that it
 * staged loses to another instance's, its edits are discarded and it runs again on the winner.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: "returns nothing" is what an author writes
export type Decide<F> = (packet: Packet & F) => Verdict | undefined | void;

export interface TransformOptions {
  /** Packets that the function sees. Default: all that are pending. */
  readonly where?: WhereMask;
}

/**
 * Runs an author's function for each packet that the named tables' lookups attended (see
 * `LookupOptions.attend`), in order; with no tables, for each pending packet.
 *
 * @example
 * transform([bindings], (packet) => {
 *   if (!packet.binding.found) return drop('unknown');
 *   packet.setDestination(packet.binding.address, packet.binding.port);
 * })
 */
export function transform<F>(decide: Decide<F>, options?: TransformOptions): BatchOperator<F>;
export function transform<const T extends readonly AnyTable[]>(
  tables: T,
  decide: Decide<LookedTables<T>>,
  options?: TransformOptions,
): BatchOperatorOn<LookedTables<T>>;
export function transform<F>(
  first: Decide<F> | readonly Table[],
  second?: Decide<F> | TransformOptions,
  third?: TransformOptions,
): BatchOperator<F> {
  const listed = Array.isArray(first);
  const tables = listed ? (first as readonly Table[]) : [];
  const decide = (listed ? second : first) as Decide<F>;
  const options = ((listed ? third : second) ?? {}) as TransformOptions;
  return synchronousOperator('transform', (lane) => {
    const registers = listed ? tables.map((table) => lane.register(table.name)) : undefined;
    const author = new Author(
      lane,
      decide as Decide<unknown>,
      registers,
      options.where ?? everyPacket,
    );
    if (!registers) return (batch) => author.everyRow(batch);
    return (batch) => author.attendedRows(batch, registers);
  });
}

/** One author's function at work in one lane. */
class Author implements Decider, Shown {
  private readonly lane: Lane;
  readonly run: Decide<unknown>;
  readonly mask: WhereMask;
  readonly places: readonly Place[];
  readonly followed: number;
  private readonly loop: AuthorLoop;
  /** Whose attended rows it is shown; undefined: every row. */
  private readonly registers: readonly number[] | undefined;
  private readonly packet: Packet;
  private readonly cursors: readonly RecordCursor[];
  /** By batch. */
  private readonly decisions: Decisions[] = [];
  private readonly rows: AttendedRows;

  constructor(
    lane: Lane,
    run: Decide<unknown>,
    registers: readonly number[] | undefined,
    mask: WhereMask,
  ) {
    const { packet, cursors } = authorPacket(lane);
    this.lane = lane;
    this.run = run;
    this.registers = registers;
    this.packet = packet;
    this.cursors = cursors;
    this.rows = new AttendedRows(registers ?? []);
    this.loop = authorLoop(lane);
    this.mask = mask;
    const named = [...new Set(registers ?? [])];
    this.places = named.map((register) => (cursors[register] as RecordCursor).place);
    this.followed = named.reduce((bits, register) => bits | (1 << register), 0);
  }

  everyRow(batch: PacketBatch): void {
    for (let r = 0; r < batch.registers.length; r++) batch.deciders[r] = this;
    this.show(batch, undefined, batch.count);
  }

  /** Rows that any of the registers attended, each once, in the batch's order. */
  attendedRows(batch: PacketBatch, registers: readonly number[]): void {
    for (let k = 0; k < registers.length; k++) batch.deciders[registers[k] as number] = this;
    const count = this.rows.collect(batch);
    if (count > 0) this.show(batch, count === batch.count ? undefined : this.rows.list, count);
  }

  private show(batch: PacketBatch, rows: Uint16Array | undefined, count: number): void {
    const decisions = this.of(batch);
    decisions.begin(batch);
    this.packet.keeper = decisions;
    this.loop(this, batch, rows, count);
    this.packet.keeper = undefined;
    decisions.end(batch);
    if (this.lane.debug) this.packet.expire();
  }

  private of(batch: PacketBatch): Decisions {
    let decisions = this.decisions[batch.index];
    if (!decisions) {
      decisions = new Decisions(batch.capacity);
      this.decisions[batch.index] = decisions;
    }
    return decisions;
  }

  pass(batch: PacketBatch, row: number): void {
    this.of(batch).pass(row);
  }

  threw(batch: PacketBatch, row: number, error: unknown): void {
    if (error instanceof AssertionError) throw error;
    batch.verdict[row] = -callbackError;
    this.cursors.forEach((cursor, register) => {
      if ((this.packet.followed & (1 << register)) !== 0) cursor.place.restore();
    });
    this.lane.report({ event: 'callback-error', message: String(error) });
  }

  decided(batch: PacketBatch, row: number): boolean {
    return this.of(batch).has(batch, row, this.registers);
  }

  withdraw(batch: PacketBatch, row: number): void {
    this.of(batch).withdraw(batch, row);
  }

  /** Called by `writeState`, when a write lost. */
  decide(batch: PacketBatch, row: number): void {
    const { packet } = this;
    const decisions = this.of(batch);
    packet.keeper = decisions;
    packet.move(batch, row);
    try {
      const decided = this.run(packet);
      if (decided !== undefined) batch.verdict[row] = decided as number;
    } catch (error) {
      this.threw(batch, row, error);
    }
    packet.keeper = undefined;
    decisions.decidedAgain(batch, row);
    if (this.lane.debug) packet.expire();
  }
}
