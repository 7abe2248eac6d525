/**
 * The expiry stream of a table on a server: records whose deadline has passed are claimed, some at once,
 * and each claim is confirmed when it has been dealt with, or comes again.
 */
import type { Lane } from '../../streams/lane.ts';
import { RecordRows, recordRow } from '../store.ts';
import type { Table } from '../table.ts';
import type { RemoteClient } from './client.ts';
import { functionCall, listOf, type Reply, type Word } from './command.ts';
import { claimsKey, deadlinesKey, sizeKey } from './key-names.ts';
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
      const words = this.question(partitions);
      let out = false;
      const ask = () => {
        if (out || this.claims.size > maxClaims) return;
        out = this.client.call(partitions[0] as number, words, (reply) => {
          out = false;
          const members = listOf(reply) as Uint8Array[];
          if (members.length === 0) return;
          this.prove(partitions[0] as number, members, (proved) => this.take(proved, claimed));
          if (members.length === claimedAtOnce) ask();
        });
      };
      this.lane.every(tick, ask);
    }
    this.lane.every(this.lapse, (now) => this.forgetLapsed(now));
  }

  private question(partitions: readonly number[]): Word[] {
    const { storage } = this.table;
    const due = partitions.map((partition) => deadlinesKey(partition, storage));
    const others = this.client.namesAllKeys
      ? partitions.flatMap((partition) => [
          claimsKey(partition, storage),
          sizeKey(partition, storage),
        ])
      : [];
    return functionCall('claim', [...due, ...others], claimedAtOnce, this.lapse, due.length);
  }

  /**
   * What a claim leads to must not outlive it: a failover between the two would bring the record back
   * without what belonged to it. What is not proved comes again.
   */
  private prove(
    partition: number,
    members: readonly Uint8Array[],
    proved: (members: readonly Uint8Array[]) => void,
  ): void {
    const { client, table } = this;
    if (table.commit === 'primary') {
      proved(members);
      return;
    }
    const words = ['FCALL_RO', 'rxnf1_claimed', 1, claimsKey(partition, table.storage), ...members];
    const { replicas } = table.commit;
    const done = (reply: Reply) => {
      const stand = listOf(reply);
      proved(members.filter((_, i) => stand[i] === 1));
    };
    client.call(partition, words, done, replicas);
  }

  private take(members: readonly Uint8Array[], claimed: (rows: RecordRows) => void): void {
    const { lane, rows, table } = this;
    rows.count = 0;
    for (const bytes of members) {
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
