/** Batches of one operation, each through when all its parts are: done in the order of their starting. */
import type { PacketBatch } from '../../../src/streams/batch.ts';

interface Flight {
  readonly batch: PacketBatch;
  readonly lease: number;
  readonly done: (batch: PacketBatch) => void;
  readonly land: () => void;
  partsOut: number;
}

export class InOrder {
  private readonly flights: Flight[] = [];

  get isEmpty(): boolean {
    return this.flights.length === 0;
  }

  /** Returns what each part calls when it is through. */
  begin(
    batch: PacketBatch,
    done: (batch: PacketBatch) => void,
    parts: number,
    land: () => void,
  ): () => void {
    const flight = { batch, lease: batch.lease, done, land, partsOut: parts };
    this.flights.push(flight);
    return () => {
      flight.partsOut--;
    };
  }

  poll(): void {
    while (this.flights[0]?.partsOut === 0) {
      const { batch, lease, land, done } = this.flights.shift() as Flight;
      if (!batch.leased || batch.lease !== lease) continue;
      land();
      done(batch);
    }
  }
}
