/**
 * The packet cursor that authors' functions get, with a property for each of the lane's tables. One
 * per lane, whoever asks: functions run one at a time, and one hidden class keeps them fast.
 *
 * A record's cursor follows the packet when it is first asked for: what a function does not look at
 * costs nothing.
 */
import type { PacketBatch } from '../streams/batch.ts';
import type { Lane } from '../streams/lane.ts';
import { Packet } from '../streams/packet.ts';
import { cursorFor, type RecordCursor } from './cursor.ts';
import type { Place } from './place.ts';
import type { AnyTable } from './table.ts';

export interface AuthorPacket {
  readonly packet: Packet;
  /** By register. */
  readonly cursors: readonly RecordCursor[];
}

const made = new WeakMap<Lane, AuthorPacket>();

export function authorPacket(lane: Lane): AuthorPacket {
  let author = made.get(lane);
  if (!author) {
    const cursors: RecordCursor[] = [];
    class LanePacket extends Packet {
      protected override enter(batch: PacketBatch): void {
        super.enter(batch);
        for (const { place } of cursors) place.enter(batch);
      }
    }
    const packet = new LanePacket(lane.pool.arena, lane.anyBatch);
    for (const [register, table] of lane.tables.entries()) {
      const cursor = cursorFor(table as AnyTable, register, packet);
      cursors.push(cursor);
      Object.defineProperty(LanePacket.prototype, table.name, {
        get: recordOf(cursor, cursor.place, 1 << register),
      });
    }
    author = { packet, cursors };
    made.set(lane, author);
  }
  return author;
}

/**
 * Two functions, so that the one asked every time is small: V8 inlines getters of up to 27 bytes of
 * bytecode always, and larger ones last of all.
 *
 * @param bit of `Packet.followed`
 */
function recordOf(cursor: RecordCursor, place: Place, bit: number): (this: Packet) => RecordCursor {
  const follow = (packet: Packet) => {
    packet.followed |= bit;
    place.move(packet.row);
    return cursor;
  };
  return followed(cursor, follow, bit);
}

function followed(cursor: RecordCursor, follow: (packet: Packet) => RecordCursor, bit: number) {
  return function record(this: Packet) {
    return this.followed & bit ? cursor : follow(this);
  };
}
