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

/**
 * Two loops, so that each is small enough for all that it calls to be inlined.
 *
 * @param words the lane's whole block
 */
function loopOver(packet: Packet, words: Int32Array): AuthorLoop {
  const alike = rowsAlike(packet, words);
  const mixed = rowsMixed(packet, words);
  return (shown, batch, rows, count) => {
    const { places } = shown;
    packet.move(batch, -1); // nowhere yet
    packet.stirred = false;
    let found = 0;
    for (let k = 0; k < places.length; k++) {
      const place = places[k] as Place;
      if (!place.begin()) packet.stirred = true;
      if (place.found) found++;
    }
    const seen = packet.stirred || found > 1 ? 0 : alike(shown, batch, rows, count);
    if (seen < count) mixed(shown, batch, rows, seen, count);
    for (let k = 0; k < places.length; k++) (places[k] as Place).end();
  };
}

/**
 * While one record at the most is there, and for every row: its place follows from the row.
 *
 * @returns how many rows it has seen when that ends
 */
function rowsAlike(packet: Packet, words: Int32Array) {
  return (
    shown: Shown,
    batch: PacketBatch,
    rows: Uint16Array | undefined,
    count: number,
  ): number => {
    const { run, mask, places, followed } = shown;
    const all = mask.all | 0;
    const none = mask.none | 0;
    const verdictAt = batch.verdict.byteOffset / 4;
    const traitsAt = batch.traits.byteOffset / 4;
    const there = foundIn(places);
    const at = there?.recordAt ?? 0;
    const stride = there?.stride ?? 0;
    for (let i = 0; i < count; i++) {
      const row = rows === undefined ? i : (rows[i] as number);
      const traits = words[traitsAt + row] as number;
      if (words[verdictAt + row] !== 0 || (traits & all) !== all || (traits & none) !== 0) {
        shown.pass(batch, row);
        continue;
      }
      packet.row = row;
      packet.followed = followed;
      if (there !== undefined) there.at = at + row * stride;
      try {
        const decided = run(packet);
        if (decided !== undefined) words[verdictAt + row] = decided;
      } catch (error) {
        shown.threw(batch, row, error);
      }
      if (packet.stirred) return i + 1;
    }
    return count;
  };
}

function foundIn(places: readonly Place[]): Place | undefined {
  for (let k = 0; k < places.length; k++) if (places[k]?.found) return places[k];
  return undefined;
}

/** From the row on that is `from` in the list: each place is moved to each row. */
function rowsMixed(packet: Packet, words: Int32Array) {
  return (
    shown: Shown,
    batch: PacketBatch,
    rows: Uint16Array | undefined,
    from: number,
    count: number,
  ): void => {
    const { run, mask, places, followed } = shown;
    const all = mask.all | 0;
    const none = mask.none | 0;
    const verdictAt = batch.verdict.byteOffset / 4;
    const traitsAt = batch.traits.byteOffset / 4;
    for (let i = from; i < count; i++) {
      const row = rows === undefined ? i : (rows[i] as number);
      const traits = words[traitsAt + row] as number;
      if (words[verdictAt + row] !== 0 || (traits & all) !== all || (traits & none) !== 0) {
        shown.pass(batch, row);
        continue;
      }
      packet.row = row;
      packet.followed = followed;
      for (let k = 0; k < places.length; k++) (places[k] as Place).move(row);
      try {
        const decided = run(packet);
        if (decided !== undefined) words[verdictAt + row] = decided;
      } catch (error) {
        shown.threw(batch, row, error);
      }
    }
  };
}
