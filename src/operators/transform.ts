import { AssertionError } from 'node:assert';
import { authorPacket } from '../state/author-packet.ts';
import type { Place, RecordCursor } from '../state/cursor.ts';
import type { AnyTable, Table } from '../state/table.ts';
import type { Decider, PacketBatch, RegisterColumns } from '../streams/batch.ts';
import { callbackError, type Lane } from '../streams/lane.ts';
import {
  type BatchOperator,
  type BatchOperatorOn,
  synchronousOperator,
} from '../streams/operator.ts';
import type { Packet } from '../streams/packet.ts';
import { everyPacket, matches, type WhereMask } from '../streams/traits.ts';
import type { Verdict } from '../streams/verdict.ts';
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
    const author = new Author(lane, decide as Decide<unknown>, listed ? tables : lane.tables);
    if (!listed) return (batch) => author.everyRow(batch, options.where ?? everyPacket);
    const registers = tables.map((table) => lane.register(table.name));
    return (batch) => author.attendedRows(batch, registers, options.where ?? everyPacket);
  });
}

/** One author's function at work in one lane. */
class Author implements Decider {
  private readonly lane: Lane;
  private readonly run: Decide<unknown>;
  private readonly packet: Packet;
  /** By batch, by row: the lease in which this function decided it last. */
  private readonly leases: Float64Array[] = [];
  private readonly cursors: readonly RecordCursor[];
  private readonly places: readonly Place[];

  constructor(lane: Lane, run: Decide<unknown>, tables: readonly { readonly name: string }[]) {
    this.lane = lane;
    this.run = run;
    const { packet, cursors } = authorPacket(lane);
    this.packet = packet;
    this.cursors = tables.map((table) => cursors[lane.register(table.name)] as RecordCursor);
    this.places = this.cursors.map((cursor) => cursor.place);
  }

  everyRow(batch: PacketBatch, mask: WhereMask): void {
    for (let r = 0; r < batch.registers.length; r++) batch.deciders[r] = this;
    const { count, verdict, traits } = batch;
    for (let row = 0; row < count; row++) {
      if (verdict[row] === 0 && matches(traits[row] as number, mask)) this.first(batch, row);
    }
    if (this.lane.debug) this.packet.expire();
  }

  /** Rows that any of the registers attended, each once, in the batch's order. */
  attendedRows(batch: PacketBatch, registers: readonly number[], mask: WhereMask): void {
    let attending = 0;
    let only = 0;
    for (let k = 0; k < registers.length; k++) {
      const r = registers[k] as number;
      batch.deciders[r] = this;
      if (batch.attendedCount(r) === 0) continue;
      attending++;
      only = r;
    }
    if (attending === 0) return;
    if (attending > 1) this.merge(batch, registers, mask);
    else
      this.list(
        batch,
        (batch.registers[only] as RegisterColumns).attended,
        batch.attendedCount(only),
        mask,
      );
    if (this.lane.debug) this.packet.expire();
  }

  private list(batch: PacketBatch, rows: Uint16Array, count: number, mask: WhereMask): void {
    for (let i = 0; i < count; i++) {
      this.decideIf(batch, rows[i] as number, mask);
    }
  }

  private readonly positions = new Uint16Array(8);

  private merge(batch: PacketBatch, registers: readonly number[], mask: WhereMask): void {
    this.positions.fill(0);
    for (;;) {
      let next = 0xffff;
      for (let k = 0; k < registers.length; k++) {
        const r = registers[k] as number;
        const at = this.positions[k] as number;
        if (at < batch.attendedCount(r)) {
          const row = (batch.registers[r] as RegisterColumns).attended[at] as number;
          if (row < next) next = row;
        }
      }
      if (next === 0xffff) return;
      for (let k = 0; k < registers.length; k++) {
        const r = registers[k] as number;
        const at = this.positions[k] as number;
        if (
          at < batch.attendedCount(r) &&
          (batch.registers[r] as RegisterColumns).attended[at] === next
        ) {
          this.positions[k] = at + 1;
        }
      }
      this.decideIf(batch, next, mask);
    }
  }

  private decideIf(batch: PacketBatch, row: number, mask: WhereMask): void {
    if (batch.verdict[row] === 0 && matches(batch.traits[row] as number, mask))
      this.first(batch, row);
  }

  private first(batch: PacketBatch, row: number): void {
    let leases = this.leases[batch.index];
    if (!leases) {
      leases = new Float64Array(batch.capacity);
      this.leases[batch.index] = leases;
    }
    leases[row] = batch.lease;
    batch.beginAuthor(row);
    this.decide(batch, row);
  }

  decided(batch: PacketBatch, row: number): boolean {
    return this.leases[batch.index]?.[row] === batch.lease;
  }

  /** Also called by `writeState`, when a write lost. A throw drops the packet; the pipe lives. */
  decide(batch: PacketBatch, row: number): void {
    this.packet.move(batch, row);
    for (let i = 0; i < this.places.length; i++) (this.places[i] as Place).move(batch, row);
    try {
      const verdict = this.run(this.packet);
      if (verdict !== undefined) batch.verdict[row] = verdict as number;
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      batch.verdict[row] = -callbackError;
      for (const place of this.places) place.restore();
      this.lane.report({ event: 'callback-error', message: String(error) });
    }
  }
}
