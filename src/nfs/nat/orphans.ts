/**
 * Port records without a binding: their NAT died after it had reserved and before it published, or after
 * it had claimed an expired binding and before it released its port. Whoever finds one that stays so for
 * longer than a write can take removes it and gives its number back.
 */
import { sessionOf } from '../../state/sessions.ts';
import { leaseMilliseconds, RecordRows, recordRow, type StoreSession } from '../../state/store.ts';
import type { AnyTable } from '../../state/table.ts';
import type { Lane } from '../../streams/lane.ts';
import type { PortAllocator } from './port-allocator.ts';
import type { NatTables } from './tables.ts';

const sweepMilliseconds = leaseMilliseconds;
/** An instance that was paused for longer between its two writes must have been fenced. */
const graceMilliseconds = 2 * leaseMilliseconds;
/** Orphans under watch at once: those beyond are found by a later sweep. */
const maxSuspects = 4096;
const rowsAtOnce = 256;

export function sweepOrphans(lane: Lane, tables: NatTables, allocator: PortAllocator): void {
  const ports = tables.ports as AnyTable;
  const bindings = tables.bindings as AnyTable;
  const session = sessionOf(lane, ports);
  const suspects = new Suspects();
  session.scan(ports, sweepMilliseconds, (found) => {
    for (let from = 0; from < found.count; from += rowsAtOnce) {
      const held = copyRows(found, from, tables.ports.schema.size);
      const wanted = insideKeys(held, tables);
      session.fetch(bindings, wanted, (present) => {
        const orphans = orphansOf(held, wanted, present, tables);
        const due = suspects.meet(orphans, lane.nowMilliseconds);
        if (due.count > 0) remove(session, ports, due, allocator);
      });
    }
  });
}

/** Orphans seen before, with the time of the first sight. */
class Suspects {
  private readonly since = new Map<string, number>();

  /** Those that have been orphans for long enough. */
  meet(orphans: RecordRows, now: number): RecordRows {
    const due = new RecordRows(orphans.stride - recordRow.record, Math.max(1, orphans.count));
    for (let i = 0; i < orphans.count; i++) {
      const row = orphans.bytes.subarray(i * orphans.stride, (i + 1) * orphans.stride);
      const name = row.join(' ');
      const first = this.since.get(name);
      if (first === undefined) {
        if (this.since.size >= maxSuspects) this.forget(now);
        if (this.since.size < maxSuspects) this.since.set(name, now);
      } else if ((now - first) >>> 0 >= graceMilliseconds) {
        this.since.delete(name);
        due.bytes.set(row, due.count++ * due.stride);
      }
    }
    return due;
  }

  /** Those that no later sweep has met are orphans no more. */
  private forget(now: number): void {
    for (const [name, first] of this.since) {
      if ((now - first) >>> 0 > graceMilliseconds + 2 * sweepMilliseconds) this.since.delete(name);
    }
  }
}

function copyRows(rows: RecordRows, from: number, recordSize: number): RecordRows {
  const count = Math.min(rowsAtOnce, rows.count - from);
  const copy = new RecordRows(recordSize, count);
  copy.bytes.set(rows.bytes.subarray(from * rows.stride, (from + count) * rows.stride));
  copy.count = count;
  return copy;
}

/** The keys of the bindings that port records should belong to. */
function insideKeys(held: RecordRows, { ports, bindings }: NatTables): RecordRows {
  const wanted = new RecordRows(bindings.schema.size, held.count);
  wanted.count = held.count;
  const { offsets } = ports.schema;
  for (let i = 0; i < held.count; i++) {
    const from = i * held.stride;
    const to = i * wanted.stride;
    const record = from + recordRow.record;
    wanted.view.setUint32(to, held.view.getUint32(record + offsets.address));
    wanted.view.setUint16(to + 4, held.view.getUint16(record + offsets.port));
    wanted.bytes[to + 6] = held.bytes[from + 6] as number;
  }
  return wanted;
}

/** Port records whose binding is missing, or is another's. */
function orphansOf(
  held: RecordRows,
  fetched: RecordRows,
  present: Uint8Array,
  { ports, bindings }: NatTables,
): RecordRows {
  const orphans = new RecordRows(ports.schema.size, held.count);
  const own = bindings.schema.offsets;
  for (let i = 0; i < held.count; i++) {
    const from = i * held.stride;
    const binding = i * fetched.stride + recordRow.record;
    const { view } = fetched;
    const belongs =
      present[i] === 1 &&
      view.getUint32(binding + own.address) === held.view.getUint32(from) &&
      view.getUint16(binding + own.port) === held.view.getUint16(from + 4) &&
      view.getUint16(binding + own.serial, true) ===
        held.view.getUint16(from + recordRow.record + ports.schema.offsets.serial, true);
    if (belongs) continue;
    const row = held.bytes.subarray(from, from + held.stride);
    orphans.bytes.set(row, orphans.count++ * orphans.stride);
  }
  return orphans;
}

function remove(
  session: StoreSession,
  ports: AnyTable,
  due: RecordRows,
  allocator: PortAllocator,
): void {
  session.discard(ports, due, (removed) => allocator.releaseRows(due, removed));
}
