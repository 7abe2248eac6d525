/** A record as it lies in a server's string: docs/decisions/0007-state-outside.md. Little-endian. */
import type { Table } from '../table.ts';
import { fnv1a } from './key-names.ts';

const headerBytes = 24;
const at = { timer: 16, schemaVersion: 18, schema: 20 } as const;

/** Timer, flags and schema: the last 8 bytes of a value's header, as functions take them. */
export function headerTail(table: Table, timer: number): Uint8Array {
  const tail = Buffer.alloc(8);
  tail.writeUInt8(timer, 0);
  tail.writeUInt16LE(table.schema.version, 2);
  tail.writeUInt32LE(fnv1a(table.schema.name), 4);
  return tail;
}

/** The timer byte of a value; undefined where it is none of this table's. */
export function timerOf(table: Table, value: Uint8Array): number | undefined {
  if (value.length < headerBytes) return undefined;
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  if (view.getUint32(at.schema, true) !== fnv1a(table.schema.name)) return undefined;
  return view.getUint8(at.timer);
}

/** Writes a value's record, as far as this release knows it; what the value lacks is zero. */
export function copyRecord(value: Uint8Array, to: Uint8Array): void {
  const record = value.subarray(headerBytes, headerBytes + to.length);
  to.set(record);
  to.fill(0, record.length);
}
