/**
 * Takes back numbers of a pool on a server that were leased long ago and have no record where their use
 * would show: those of lessees that died. A number is taken back when it was found so twice, under the
 * same lease, with as long in between as a write may take.
 */
import type { Lane } from '../../streams/lane.ts';
import { leaseMilliseconds, type NumberPool, RecordRows, type StoreSession } from '../store.ts';
import type { RemoteClient } from './client.ts';
import { functionCall, listOf, textOf } from './command.ts';
import { fnv1a, poolKeys } from './key-names.ts';

const tick = 1000;
const lookedAtOnce = 512;
const maxSuspects = 65_536;
/** Last tokens of writers that are long gone. */
const forgottenMilliseconds = 24 * 3600 * 1000;

export function auditNumbers(
  lane: Lane,
  client: RemoteClient,
  session: StoreSession,
  pool: NumberPool,
): void {
  const partition = fnv1a(pool.name) % client.partitions;
  const keys = poolKeys(partition, pool.name);
  const suspects = new Map<string, Suspect>();
  let cursor = '0';
  let busy = false;

  /** Of the server; the leases' times are its own. */
  function look(): void {
    busy = client.call(partition, ['TIME'], (reply) => {
      const now = Number(textOf(listOf(reply)[0] ?? null)) * 1000;
      busy =
        Number.isFinite(now) &&
        client.call(partition, ['HSCAN', keys[1], cursor, 'COUNT', lookedAtOnce], (found) => {
          busy = false;
          const [next, fields] = listOf(found);
          if (fields === undefined) return;
          cursor = textOf(next ?? null) ?? '0';
          examine(listOf(fields).map(textOf) as string[], now);
        });
    });
  }

  function examine(fields: readonly string[], now: number): void {
    const held: Suspect[] = [];
    const forgotten: string[] = [];
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const [field, value] = [fields[i] as string, fields[i + 1] as string];
      if (/^[gw]/.test(field)) {
        if (now - Number.parseInt(value, 10) > forgottenMilliseconds) forgotten.push(field, value);
      } else if (now - Number(value.split(':')[1]) > 2 * leaseMilliseconds) {
        held.push({ field, value, since: lane.nowMilliseconds });
      }
    }
    if (forgotten.length > 0)
      client.call(partition, functionCall('audit', keys, ...forgotten), ignore);
    if (held.length > 0) askForUse(held);
  }

  function askForUse(held: readonly Suspect[]): void {
    const rows = new RecordRows(pool.use.table.schema.size, held.length);
    rows.count = held.length;
    held.forEach(({ field }, i) => {
      pool.use.key(Number(field), rows.bytes.subarray(i * rows.stride, i * rows.stride + 16));
    });
    session.fetch(pool.use.table, rows, (found) => {
      takeBack(held.filter((suspect, i) => isDue(suspect, found[i] === 1)));
    });
  }

  function isDue(suspect: Suspect, isUsed: boolean): boolean {
    const known = suspects.get(suspect.field);
    if (isUsed) suspects.delete(suspect.field);
    else if (known?.value === suspect.value) {
      return (suspect.since - known.since) >>> 0 >= leaseMilliseconds / 10;
    } else {
      if (suspects.size >= maxSuspects) suspects.clear(); // found again by the next rounds
      suspects.set(suspect.field, suspect);
    }
    return false;
  }

  function takeBack(due: readonly Suspect[]): void {
    if (due.length === 0) return;
    for (const { field } of due) suspects.delete(field);
    const pairs = due.flatMap(({ field, value }) => [field, value]);
    client.call(partition, functionCall('audit', keys, ...pairs), ignore);
  }

  lane.every(tick, () => {
    if (!busy) look();
  });
}

/** A number and what it had in the set of those out, first seen at a lane's time. */
interface Suspect {
  readonly field: string;
  readonly value: string;
  readonly since: number;
}

const ignore = () => undefined;
