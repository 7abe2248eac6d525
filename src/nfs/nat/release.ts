/** What becomes of external ports when their binding ends, or never came to be. */

import { sessionOf } from '../../state/sessions.ts';
import type { StoreSession } from '../../state/store.ts';
import type { AnyTable } from '../../state/table.ts';
import type { PacketBatch } from '../../streams/batch.ts';
import type { Lane } from '../../streams/lane.ts';
import type { NatTimeouts } from './options.ts';
import type { PortAllocator } from './port-allocator.ts';
import type { NatTables } from './tables.ts';

/** Removes the port record of each expired binding, then gives its number back: in this order, since a
 *  number that is free while its record stands would be refused to its next holder. */
export function releaseExpired(
  lane: Lane,
  tables: NatTables,
  allocator: PortAllocator,
  timeouts: Required<NatTimeouts>,
): void {
  const session = sessionOf(lane, tables.bindings as AnyTable);
  const shortest = Math.min(
    timeouts.udp,
    timeouts.tcpTransitory,
    timeouts.tcpEstablished,
    timeouts.icmp,
  );
  const { offsets } = tables.bindings.schema;
  const key = new Uint8Array(16);
  session.expire(tables.bindings as AnyTable, (shortest * 1000) / 5, (expired) => {
    const address = expired.record.getUint32(offsets.address);
    const port = expired.record.getUint16(offsets.port);
    const protocol = expired.key[6] as number;
    externalKey(key, protocol, address, port);
    session.remove(tables.ports as AnyTable, key);
    allocator.release(protocol, address, port);
  });
  expireQuietly(session, tables.fragments as AnyTable);
}

function expireQuietly(session: StoreSession, table: AnyTable): void {
  session.expire(table, (table.idleMilliseconds[0] ?? 1000) / 5, () => undefined);
}

function externalKey(key: Uint8Array, protocol: number, address: number, port: number): void {
  const view = new DataView(key.buffer);
  view.setUint32(0, address);
  view.setUint16(4, port);
  key[6] = protocol;
}

/** For `writeState`: the number of a reservation that was taken back. */
export function takenBack(allocator: PortAllocator, reservedRegister: number) {
  return (batch: PacketBatch, row: number): void => {
    const at = (batch.registers[reservedRegister]?.key ?? 0) + row * 16;
    allocator.release(
      batch.view.getUint8(at + 6),
      batch.view.getUint32(at),
      batch.view.getUint16(at + 4),
    );
  };
}
