/**
 * The expiry stream of a table on a server: records whose deadline has passed are claimed, some at once,
 * and each claim is confirmed when it has been dealt with, or comes again.
 */
import type { Lane } from '../../streams/lane.ts';
import { RecordRows, recordRow } from '../store.ts';
import type { Table } from '../table.ts';
import type { RemoteClient } from './client.ts';
import { functionCall, listOf, type Reply } from './command.ts';
import { claimsKey, deadlinesKey } from './key-names.ts';
import { copyRecord, timerOf } from './value.ts';

const claimedAtOnce = 512;
/** Ticks of one sweep. */
const ticks = 8;
const shortestTick = 10;
const longestTick = 250;
/** Unconfirmed and not lapsed: no more are claimed while there are so many. */
const maxClaims = 65_536;
const keyBytes = 16;

interface Claim {
  /** Key and value, as the server knows it. */
  readonly member: Uint8Array;
  readonly lapses: number;
}

export class RemoteExpiry {
  private readonly lane: Lane;
  private readonly client: RemoteClient;
  private readonly table: Table;
  private readonly lapse: number;
  private readonly rows: RecordRows;
  private readonly claims = new Map<number, Claim>();
  private next = 0;

  constructor(lane: Lane, client: RemoteClient, table: Table, lapseMilliseconds: number) {
    this.lane = lane;
    this.client = client;
    this.table = table;
    this.lapse = lapseMilliseconds;
    this.rows = new RecordRows(table.schema.size, claimedAtOnce);
  }

  claim(sweepMilliseconds: number, claimed: (rows: RecordRows) => void): void {
    const tick = Math.min(longestTick, Math.max(shortestTick, sweepMilliseconds / ticks));
    for (const partitions of this.client.groups()) {
      const due = partitions.map((partition) => deadlinesKey(partition, this.table.storage));
      const words = functionCall('claim', due, claimedAtOnce, this.lapse);
      let out = false;
      const ask = () => {
        if (out || this.claims.size > maxClaims) return;
        out = this.client.call(partitions[0] as number, words, (reply) => {
          out = false;
          const members = listOf(reply);
          if (members.length === 0) return;
          this.take(members, claimed);
          if (members.length === claimedAtOnce) ask();
        });
      };
      this.lane.every(tick, ask);
    }
    this.lane.every(this.lapse, (now) => this.forgetLapsed(now));
  }

  private take(members: readonly Reply[], claimed: (rows: RecordRows) => void): void {
    const { lane, rows, table } = this;
    rows.count = 0;
    for (const member of members) {
      const bytes = member as Uint8Array;
      const value = bytes.subarray(keyBytes);
      const timer = timerOf(table, value);
      if (timer === undefined) continue; // of another schema: not ours to release
      const at = rows.count++ * rows.stride;
      rows.bytes.set(bytes.subarray(0, keyBytes), at);
      rows.bytes[at + recordRow.timer] = timer;
      copyRecord(value, rows.bytes.subarray(at + recordRow.record, at + rows.stride));
      this.next = (this.next + 1) >>> 0;
      rows.view.setUint32(at + recordRow.claim, this.next, true);
      this.claims.set(this.next, { member: bytes, lapses: lane.nowMilliseconds + this.lapse });
    }
    if (rows.count > 0) claimed(rows);
  }

  /** A confirmation that is lost comes again, as its claim does. */
  confirm(claims: Uint32Array, count: number): void {
    const members: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const claim = this.claims.get(claims[i] as number);
      if (claim) members.push(claim.member);
      this.claims.delete(claims[i] as number);
    }
    const { client, table } = this;
    const partitions = client.partitionsOf(
      Buffer.concat(members.map(keyOfMember)),
      keyBytes,
      members.length,
    );
    for (const rows of client.byGroup(partitions)) {
      const sets = rows.map((row) => claimsKey(partitions[row] as number, table.storage));
      const words = functionCall('confirm', sets, ...rows.map((row) => members[row] as Uint8Array));
      client.call(partitions[rows[0] as number] as number, words, ignore);
    }
  }

  private forgetLapsed(now: number): void {
    for (const [number, { lapses }] of this.claims) {
      if (((now - lapses) | 0) > 0) this.claims.delete(number);
    }
  }
}

const keyOfMember = (member: Uint8Array) => member.subarray(0, keyBytes);
const ignore = () => undefined;
