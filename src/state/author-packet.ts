/**
 * The packet cursor that authors' functions get, with a property for each of the lane's tables. One
 * per lane, whoever asks: functions run one at a time, and one hidden class keeps them fast.
 */
import type { Lane } from '../streams/lane.ts';
import { Packet } from '../streams/packet.ts';
import { cursorFor, type RecordCursor } from './cursor.ts';
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
    const cursors = lane.tables.map((table, register) =>
      cursorFor(table as AnyTable, register, lane.anyBatch),
    );
    const packet = new Packet(lane.pool.arena);
    for (const [register, table] of lane.tables.entries()) {
      Object.assign(packet, { [table.name]: cursors[register] });
    }
    author = { packet, cursors };
    made.set(lane, author);
  }
  return author;
}
