/**
 * The loop that shows packets to authors' functions. One closure for all of a lane's: what it closes
 * over is then constant to the optimising compiler, which puts the function, its packet and the
 * columns' addresses straight into the loop.
 */
import { authorPacket } from '../state/author-packet.ts';
import type { Place } from '../state/place.ts';
import type { PacketBatch } from '../streams/batch.ts';
import type { Lane } from '../streams/lane.ts';
import type { Packet } from '../streams/packet.ts';
import type { WhereMask } from '../streams/traits.ts';

/** One author's function. */
export interface Shown {
  // biome-ignore lint/suspicious/noConfusingVoidType: "returns nothing" is what an author writes
  readonly run: (packet: Packet) => number | undefined | void;
  readonly mask: WhereMask;
  /** Of the records that the function surely looks at: they follow the packet from the start. */
  readonly places: readonly Place[];
  /** Their bits of `Packet.followed`. */
  readonly followed: number;
  /** A row that the function was not shown: it is settled, or the mask does not take it. */
  pass(batch: PacketBatch, row: number): void;
  threw(batch: PacketBatch, row: number, error: unknown): void;
}

/** Shows a function each listed row, or each of the first `count`. */
export type AuthorLoop = (
  shown: Shown,
  batch: PacketBatch,
  rows: Uint16Array | undefined,
  count: number,
) => void;

const made = new WeakMap<Lane, AuthorLoop>();

export function authorLoop(lane: Lane): AuthorLoop {
  let loop = made.get(lane);
  if (!loop) {
    loop = loopOver(authorPacket(lane).packet, new Int32Array(lane.anyBatch.bytes.buffer));
    made.set(lane, loop);
  }
  return loop;
}

/** @param words the lane's whole block */
function loopOver(packet: Packet, words: Int32Array): AuthorLoop {
  const movers: Place[] = [];
  return (shown, batch, rows, count) => {
    const { run, mask, places, followed } = shown;
    const all = mask.all | 0;
    const none = mask.none | 0;
    const verdictAt = batch.verdict.byteOffset / 4;
    const traitsAt = batch.traits.byteOffset / 4;
    packet.move(batch, -1); // nowhere yet
    let moving = 0;
    for (let k = 0; k < places.length; k++) {
      const place = places[k] as Place;
      if (place.begin()) movers[moving++] = place;
    }
    for (let i = 0; i < count; i++) {
      const row = rows === undefined ? i : (rows[i] as number);
      const traits = words[traitsAt + row] as number;
      if (words[verdictAt + row] !== 0 || (traits & all) !== all || (traits & none) !== 0) {
        shown.pass(batch, row);
        continue;
      }
      packet.move(batch, row);
      for (let k = 0; k < moving; k++) (movers[k] as Place).move(row);
      packet.followed = followed;
      try {
        const decided = run(packet);
        if (decided !== undefined) words[verdictAt + row] = decided;
      } catch (error) {
        shown.threw(batch, row, error);
      }
      if (packet.stirred) {
        packet.stirred = false;
        moving = places.length;
        for (let k = 0; k < moving; k++) movers[k] = places[k] as Place;
      }
    }
    for (let k = 0; k < places.length; k++) (places[k] as Place).end();
  };
}
