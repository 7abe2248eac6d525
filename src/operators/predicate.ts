/**
 * An author's yes-or-no question about single packets, asked through the lane's one cursor. A throw
 * drops that packet with `callback-error`, is reported at a limited rate, and counts as no.
 */
import { AssertionError } from 'node:assert';
import { authorPacket } from '../state/author-packet.ts';
import type { PacketBatch } from '../streams/batch.ts';
import { callbackError, type Lane } from '../streams/lane.ts';
import type { Packet } from '../streams/packet.ts';

/** Looks and answers: it must neither edit the packet nor stage writes. */
export type PacketPredicate<F> = (packet: Packet & F) => boolean;

export class Predicate {
  private readonly lane: Lane;
  private readonly ask: PacketPredicate<unknown>;
  private readonly packet: Packet;

  constructor(lane: Lane, ask: PacketPredicate<never>) {
    this.lane = lane;
    this.ask = ask as PacketPredicate<unknown>;
    this.packet = authorPacket(lane).packet;
  }

  /** The answer about one pending row. */
  holds(batch: PacketBatch, row: number): boolean {
    this.packet.move(batch, row);
    try {
      return this.ask(this.packet);
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      batch.verdict[row] = -callbackError;
      this.lane.report({ event: 'callback-error', message: String(error) });
      return false;
    }
  }

  /** After the last row of a batch: a packet that the author kept is of no use from here on. */
  finish(): void {
    if (this.lane.debug) this.packet.expire();
  }
}
