/**
 * A lane's session on a Redis or Valkey server. Lookups and writes are the native client's; what is not
 * of the data path goes as commands of its own, each row with those of its partition's group.
 *
 * Where the store is away, a command's `done` is not called, except of `add`: what was claimed comes
 * again, what is swept is met by the next sweep.
 */
import type { Lane } from '../../streams/lane.ts';
import { countOffsets } from '../record.ts';
import {
  keyKinds,
  type Lease,
  type LookupRequest,
  type NumberPool,
  type Operation,
  RecordRows,
  recordRow,
  type StoreSession,
} from '../store.ts';
import type { Table } from '../table.ts';
import type { RemoteClient } from './client.ts';
import { functionCall, listOf, type Reply, textOf, type Word } from './command.ts';
import { RemoteExpiry } from './expiry.ts';
import {
  accountsKey,
  deadlinesKey,
  fnv1a,
  recordKey,
  recordPattern,
  sizeKey,
} from './key-names.ts';
import { auditNumbers } from './number-audit.ts';
import { RemoteLease } from './remote-lease.ts';
import { copyRecord, headerTail, timerOf } from './value.ts';

export interface SessionOptions {
  /** Unconfirmed claims come again after so long. */
  readonly claimLapseMilliseconds: number;
}

const sizeTick = 500;
const scanTick = 50;
const keyBytes = 16;
/** Keeps the versions of additions apart from those of the lane's writes. */
const additionBit = 1n << 39n;

export class RemoteSession implements StoreSession {
  readonly synchronous = false;
  private readonly lane: Lane;
  private readonly client: RemoteClient;
  private readonly options: SessionOptions;
  private readonly tables = new Map<string, number>();
  private readonly expiries = new Map<string, RemoteExpiry>();
  private readonly leases = new Map<string, RemoteLease>();
  private readonly sizes = new Map<string, number>();
  private additions = 0;

  constructor(lane: Lane, client: RemoteClient, options: SessionOptions) {
    this.lane = lane;
    this.client = client;
    this.options = options;
  }

  lookup(request: LookupRequest): Operation {
    const options = { ...request, key: keyKinds[request.key] };
    return this.client.lookup(this.number(request.table), options);
  }

  write(table: Table, register: number): Operation {
    return this.client.write(this.number(table), register);
  }

  private number(table: Table): number {
    let number = this.tables.get(table.storage);
    if (number === undefined) {
      const { schema } = table;
      number = this.client.addTable(table.storage, {
        recordSize: schema.size,
        schemaVersion: schema.version,
        schema: fnv1a(schema.name),
        idle: table.idleMilliseconds,
        replicas: table.commit === 'primary' ? 0 : table.commit.replicas,
        partitionCapacity: this.partitionCapacity(table),
      });
      this.tables.set(table.storage, number);
    }
    return number;
  }

  /** Hashing fills partitions unevenly: by four standard deviations at the most. */
  private partitionCapacity({ capacity }: Table): number {
    const { partitions } = this.client;
    if (partitions === 1) return capacity;
    const mean = capacity / partitions;
    return Math.ceil(mean + 4 * Math.sqrt(mean));
  }

  lease(pool: NumberPool): Lease {
    let lease = this.leases.get(pool.name);
    if (!lease) {
      const { client, lane } = this;
      lease = new RemoteLease(lane, client, pool);
      this.leases.set(pool.name, lease);
      auditNumbers(lane, client, this, pool);
    }
    return lease;
  }

  expire(table: Table, sweepMilliseconds: number, claimed: (rows: RecordRows) => void): void {
    this.expiryOf(table).claim(sweepMilliseconds, claimed);
  }

  confirm(table: Table, claims: Uint32Array, count: number): void {
    this.expiryOf(table).confirm(claims, count);
  }

  private expiryOf(table: Table): RemoteExpiry {
    let expiry = this.expiries.get(table.storage);
    if (!expiry) {
      const { client, lane, options } = this;
      expiry = new RemoteExpiry(lane, client, table, options.claimLapseMilliseconds);
      this.expiries.set(table.storage, expiry);
    }
    return expiry;
  }

  discard(table: Table, rows: RecordRows, done: (removed: Uint8Array) => void): boolean {
    const records = (row: number): Word => {
      const at = row * rows.stride;
      return rows.bytes.slice(at + recordRow.record, at + rows.stride);
    };
    const ask = (keys: Word[], of: readonly number[], partition: number) =>
      functionCall('discard', [...keys, ...this.others(table, partition)], ...of.map(records));
    return this.ask(table, rows, ask, { done, take: (reply) => (reply === 1 ? 1 : 0) });
  }

  add(table: Table, rows: RecordRows, done: (added: Uint8Array) => void): boolean {
    const { client } = this;
    const idle = Array.from({ length: 4 }, (_, i) => table.idleMilliseconds[i] ?? 0);
    const offsets = [...countOffsets(table.schema)].join(',');
    const addition = (row: number): Word => {
      const at = row * rows.stride;
      const head = Buffer.alloc(16);
      const sequence = BigInt(++this.additions);
      head.writeBigUInt64LE(sequence, 0);
      head.writeBigUInt64LE((BigInt(client.writer) << 40n) | additionBit | (sequence << 1n), 8);
      const timer = rows.bytes[at + recordRow.timer] as number;
      const record = rows.bytes.subarray(at + recordRow.record, at + rows.stride);
      return Buffer.concat([head, headerTail(table, timer), record]);
    };
    const common = [...idle, this.partitionCapacity(table), client.writer, offsets];
    const ask = (keys: Word[], of: readonly number[], partition: number) =>
      functionCall(
        'add',
        [...keys, ...this.others(table, partition)],
        ...common,
        ...of.map(addition),
      );
    const take = (reply: Reply) => (reply === 1 ? 1 : 0);
    return this.ask(table, rows, ask, { done, take, evenIfAway: true });
  }

  fetch(table: Table, rows: RecordRows, done: (found: Uint8Array) => void): boolean {
    const ask = (keys: Word[]) => ['MGET', ...keys];
    return this.ask(table, rows, ask, {
      done,
      take(value, row) {
        if (!(value instanceof Uint8Array) || timerOf(table, value) === undefined) return 0;
        const at = row * rows.stride;
        copyRecord(value, rows.bytes.subarray(at + recordRow.record, at + rows.stride));
        return 1;
      },
    });
  }

  /** Keys of a partition that go with those of its records, where they have to be named. */
  private others(table: Table, partition: number): Word[] {
    if (!this.client.namesAllKeys) return [];
    const { storage } = table;
    return [deadlinesKey(partition, storage), sizeKey(partition, storage), accountsKey(partition)];
  }

  /** One command for each group of rows, whose replies are lists with an element for each row. */
  private ask(
    table: Table,
    rows: RecordRows,
    command: (keys: Word[], of: readonly number[], partition: number) => Word[],
    answer: Answer,
  ): boolean {
    const { client } = this;
    const partitions = client.partitionsOf(rows.bytes, rows.stride, rows.count);
    const result = new Uint8Array(rows.count);
    const groups = client.byGroup(partitions);
    let left = groups.length;
    let isComplete = true;
    const finish = () => {
      if (--left === 0 && (isComplete || answer.evenIfAway)) answer.done(result);
    };
    if (left === 0) answer.done(result);
    for (const of of groups) {
      const keys = of.map((row) => {
        const key = rows.bytes.subarray(row * rows.stride, row * rows.stride + keyBytes);
        return recordKey(partitions[row] as number, table.storage, key);
      });
      const partition = partitions[of[0] as number] as number;
      const isSent = client.call(partition, command(keys, of, partition), (reply) => {
        const replies = listOf(reply);
        if (replies.length !== of.length) isComplete = false;
        else
          of.forEach((row, i) => {
            result[row] = answer.take(replies[i] as Reply, row);
          });
        finish();
      });
      if (isSent) continue;
      if (left === groups.length && of === groups[0]) return false;
      isComplete = false;
      finish();
    }
    return true;
  }

  scan(table: Table, sweepMilliseconds: number, seen: (rows: RecordRows) => void): void {
    for (const partitions of this.client.groups())
      this.scanGroup(table, partitions[0] as number, sweepMilliseconds, seen);
  }

  /** All keys of a server are gone through, as there is no list of a table's own. */
  private scanGroup(
    table: Table,
    partition: number,
    sweepMilliseconds: number,
    seen: (rows: RecordRows) => void,
  ): void {
    const { client, lane } = this;
    const steps = Math.max(1, sweepMilliseconds / scanTick);
    const pattern = recordPattern(table.storage, client.namesAllKeys ? partition : undefined);
    let cursor = '0';
    let keysThere = 0;
    let busy = false;
    lane.every(sizeTick, () => {
      client.call(partition, ['DBSIZE'], (reply) => {
        if (typeof reply === 'number') keysThere = reply;
      });
    });
    lane.every(Math.min(scanTick, sweepMilliseconds), () => {
      if (busy) return;
      const step = Math.max(100, Math.ceil((2 * keysThere) / steps));
      const words = ['SCAN', cursor, 'MATCH', pattern, 'COUNT', step];
      busy = client.call(partition, words, (reply) => {
        busy = false;
        const [next, keys] = listOf(reply);
        if (keys === undefined) return;
        cursor = textOf(next ?? null) ?? '0';
        this.show(table, listOf(keys) as Uint8Array[], seen);
      });
    });
  }

  private show(table: Table, keys: readonly Uint8Array[], seen: (rows: RecordRows) => void): void {
    if (keys.length === 0) return;
    const rows = new RecordRows(table.schema.size, keys.length);
    rows.count = keys.length;
    keys.forEach((key, i) => {
      rows.bytes.set(key.subarray(-keyBytes), i * rows.stride);
    });
    this.fetch(table, rows, (found) => {
      let kept = 0;
      for (let i = 0; i < found.length; i++) {
        if (found[i] === 0) continue;
        rows.bytes.copyWithin(kept * rows.stride, i * rows.stride, (i + 1) * rows.stride);
        kept++;
      }
      rows.count = kept;
      if (kept > 0) seen(rows);
    });
  }

  size(table: Table): number {
    const known = this.sizes.get(table.storage);
    if (known === undefined) {
      this.sizes.set(table.storage, 0);
      this.lane.every(sizeTick, () => this.count(table));
    }
    return known ?? 0;
  }

  private count(table: Table): void {
    const { client } = this;
    const groups = client.groups();
    let total = 0;
    let left = groups.length;
    for (const partitions of groups) {
      const keys = partitions.map((partition) => sizeKey(partition, table.storage));
      client.call(partitions[0] as number, ['MGET', ...keys], (reply) => {
        for (const text of listOf(reply)) total += Number(textOf(text) ?? 0);
        if (Array.isArray(reply) && --left === 0) this.sizes.set(table.storage, total);
      });
    }
  }
}

/** What becomes of the replies to one request. */
interface Answer {
  readonly done: (result: Uint8Array) => void;
  readonly take: (reply: Reply, row: number) => number;
  /** `done` is called where the store did not answer, with zeros. */
  readonly evenIfAway?: boolean;
}
