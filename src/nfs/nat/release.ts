/**
 * What becomes of external ports when their binding ends, or never came to be.
 *
 *   binding expires -> claimed -> port record removed, if it is still this binding's
 *                                    -> its number given back, by who removed it -> claim confirmed
 *
 * A claim that comes twice finds another port record, or none, and does nothing (docs/decisions/0007).
 */
import { sessionOf } from '../../state/sessions.ts';
import { RecordRows, recordRow, type StoreSession } from '../../state/store.ts';
import type { AnyTable } from '../../state/table.ts';
import type { PacketBatch } from '../../streams/batch.ts';
import type { Lane } from '../../streams/lane.ts';
import { externalKey } from './external-key.ts';
import type { NatTimeouts } from './options.ts';
import type { PortAllocator } from './port-allocator.ts';
import type { NatTables } from './tables.ts';

/** Bindings whose port records are removed with one request. */
const releasedAtOnce = 512;

export function releaseExpired(
  lane: Lane,
  tables: NatTables,
  allocator: PortAllocator,
  timeouts: Required<NatTimeouts>,
): void {
  const bindings = tables.bindings as AnyTable;
  const session = sessionOf(lane, bindings);
  const shortest = Math.min(
    timeouts.udp,
    timeouts.tcpTransitory,
    timeouts.tcpEstablished,
    timeouts.icmp,
  );
  const reused = new RecordRows(tables.ports.schema.size, releasedAtOnce);
  session.expire(bindings, (shortest * 1000) / 5, (expired) => {
    for (let from = 0; from < expired.count; from += releasedAtOnce) {
      const released = session.synchronous
        ? reused
        : new RecordRows(tables.ports.schema.size, releasedAtOnce); // kept until the store answers
      portsOf(tables, expired, from, released);
      release(session, tables, allocator, expired, from, released);
    }
  });
  const fragments = tables.fragments as AnyTable;
  const own = sessionOf(lane, fragments);
  const claims = new Uint32Array(fragments.capacity);
  own.expire(fragments, (fragments.idleMilliseconds[0] ?? 1000) / 5, (expired) => {
    for (let i = 0; i < expired.count; i++) claims[i] = claimOf(expired, i);
    own.confirm(fragments, claims, expired.count);
  });
}

function claimOf(rows: RecordRows, i: number): number {
  return rows.view.getUint32(i * rows.stride + recordRow.claim, true);
}

/** The port records that belong to expired bindings. */
function portsOf(
  { bindings, ports }: NatTables,
  expired: RecordRows,
  from: number,
  out: RecordRows,
): void {
  out.count = Math.min(expired.count - from, releasedAtOnce);
  for (let i = 0; i < out.count; i++) {
    const row = (from + i) * expired.stride;
    const record = row + recordRow.record;
    const { bytes, view } = expired;
    const at = i * out.stride;
    externalKey(
      out.bytes,
      at,
      bytes[row + 6] as number,
      view.getUint32(record + bindings.schema.offsets.address),
      view.getUint16(record + bindings.schema.offsets.port),
    );
    const target = at + recordRow.record;
    const { offsets } = ports.schema;
    out.view.setUint32(target + offsets.address, view.getUint32(row));
    out.view.setUint16(target + offsets.port, view.getUint16(row + 4));
    const serial = view.getUint16(record + bindings.schema.offsets.serial, true);
    out.view.setUint16(target + offsets.serial, serial, true);
  }
}

/** Expired bindings that could not be released now come again: they are not confirmed. */
function release(
  session: StoreSession,
  { bindings, ports }: NatTables,
  allocator: PortAllocator,
  expired: RecordRows,
  from: number,
  released: RecordRows,
): void {
  const { count } = released;
  const claims = new Uint32Array(count);
  for (let i = 0; i < count; i++) claims[i] = claimOf(expired, from + i);
  session.discard(ports as AnyTable, released, (removed) => {
    allocator.releaseRows(released, removed);
    session.confirm(bindings as AnyTable, claims, count);
  });
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
