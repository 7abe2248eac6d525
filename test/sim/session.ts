/**
 * One lane's session with a simulated store: the client's half of docs/decisions/0007-state-outside.md.
 * Batches are done in the order of their starting; what a batch depends on is proved to be replicated
 * where its table asks for that, before it is done.
 */

import type {
  Lease,
  LookupRequest,
  NumberPool,
  Operation,
  StoreSession,
} from '../../src/state/store.ts';
import { RecordRows, recordRow } from '../../src/state/store.ts';
import type { Table } from '../../src/state/table.ts';
import type { PacketBatch } from '../../src/streams/batch.ts';
import type { Lane } from '../../src/streams/lane.ts';
import { drop } from '../../src/streams/verdict.ts';
import {
  keyBytes,
  landLookup,
  landWrites,
  nameKey,
  type StagedWrite,
  stageKeys,
  takeStaged,
} from './columns.ts';
import type { HistoryRecorder } from './history.ts';
import { SimLease } from './lease.ts';
import { type Answer, type Done, Link, type LinkFaults } from './link.ts';
import { Prover } from './prover.ts';
import type { Random } from './random.ts';
import type { Call, StoreCluster } from './store-cluster.ts';
import type { StoreFunctions, Value, WriteAnswer } from './store-functions.ts';

export interface SimStoreOptions {
  readonly cluster: StoreCluster;
  readonly random: Random;
  readonly faults: LinkFaults;
  /** Replicas that every table's writes are proved on; 0: what the primary has, counts. */
  readonly replicas: 0 | 1;
  /** Unique among all lives of all instances. */
  readonly writer: number;
  readonly history?: HistoryRecorder;
  /** Numbers of fenced lessees go back once they have been without a record for so long. */
  readonly fencedGraceMilliseconds?: number;
  readonly auditMilliseconds?: number;
  /** Told of each write as it is started and when it is done. */
  readonly watch?: WriteWatch;
}

export interface WriteWatch {
  started(table: Table, keys: readonly string[]): void;
  done(table: Table, keys: readonly string[]): void;
}

const full = drop('table-full');
const timedOut = drop('store-timeout');
const uncommitted = drop('commit-unknown');
/** Records claimed with one request. */
const claimedAtOnce = 64;

/** A batch in the store's hands. */
export interface Batched {
  readonly batch: PacketBatch;
  readonly lease: number;
  readonly done: (batch: PacketBatch) => void;
  finished: boolean;
}

export class SimSession implements StoreSession {
  readonly synchronous = false;
  readonly link: Link;
  readonly options: SimStoreOptions;
  private readonly lane: Lane;
  private readonly prover: Prover;
  /** Bounded by the lane's batches: each is in one operation at a time. */
  private readonly batches: Batched[] = [];
  private readonly sizes = new Map<string, number>();
  private versions = 1n;
  private sequence = 0;
  /** Sequences of mutating calls without an answer, in order. */
  private readonly unanswered = new Set<number>();

  constructor(lane: Lane, options: SimStoreOptions) {
    const { cluster, random, faults, writer } = options;
    this.lane = lane;
    this.options = options;
    this.link = new Link(cluster.world, cluster, writer, random, faults);
    this.prover = new Prover(cluster, writer, random, faults);
    lane.polled(this);
  }

  poll(): void {
    this.link.poll();
    this.prover.poll();
    while (this.batches[0]?.finished) {
      const { batch, lease, done } = this.batches.shift() as Batched;
      if (batch.leased && batch.lease === lease) done(batch);
    }
  }

  /** Requests under way. */
  get waiting(): number {
    return this.link.waiting;
  }

  /** The process has ended. */
  kill(): void {
    this.link.kill();
    this.prover.kill();
  }

  /** Asks without changing anything. */
  ask<T>(run: (functions: StoreFunctions, now: number) => T, done: Done<T>): void {
    this.link.send({ mutates: false, run }, done);
  }

  /** Changes something, exactly once however often it is sent. */
  change<T>(run: (functions: StoreFunctions, now: number) => T, done: Done<T>): void {
    const { writer } = this.options;
    const sequence = ++this.sequence;
    this.unanswered.add(sequence);
    const [answered] = this.unanswered;
    const call: Call<T> = {
      mutates: true,
      run: (functions, now) =>
        functions.once(writer, sequence, answered, () => run(functions, now)),
    };
    this.link.send(call, (answer) => {
      this.unanswered.delete(sequence);
      done(answer);
    });
  }

  /** As `change`, and done only once what it changed is committed. */
  changeCommitted<T>(
    run: (functions: StoreFunctions, now: number) => T,
    done: (value: T | undefined) => void,
  ): void {
    this.change(run, (answer) => {
      if (!answer) done(undefined);
      else this.committed(answer, (proved) => done(proved ? answer.value : undefined));
    });
  }

  /** Everything that was executed until an answer was given is committed, or this is not known. */
  protected committed(answer: Answer<unknown>, done: (proved: boolean) => void): void {
    if (this.options.replicas === 0) done(true);
    else this.prover.prove(answer.epoch, done);
  }

  protected begin(batch: PacketBatch, done: (batch: PacketBatch) => void): Batched {
    const batched = { batch, lease: batch.lease, done, finished: false };
    this.batches.push(batched);
    return batched;
  }

  lookup(request: LookupRequest): Operation {
    return {
      start: (batch, done) => {
        const rows = stageKeys(batch, request);
        if (rows.length === 0 && this.batches.length === 0) return true;
        const batched = this.begin(batch, done);
        if (rows.length === 0) batched.finished = true;
        else this.look(request, rows, batched);
        return false;
      },
    };
  }

  private look(request: LookupRequest, rows: ReturnType<typeof stageKeys>, batched: Batched): void {
    const { batch, lease } = batched;
    const table = request.table;
    const keys = [...new Set(rows.map(({ key }) => key))];
    const wanted = new Set(
      rows
        .filter(({ row }) => {
          const { all, none } = request.refresh;
          return (batch.traits[row] & all) >>> 0 === all && (batch.traits[row] & none) === 0;
        })
        .map(({ key }) => key),
    );
    const values = new Map<string, Value | undefined>();
    const finish = (verdict: number) => {
      batched.finished = true;
      if (!batch.leased || batch.lease !== lease) return;
      landLookup(batch, request, rows, values);
      if (verdict === 0) {
        read?.end(keys.map((key) => values.get(key)));
        return;
      }
      for (const { row } of rows) batch.verdict[row] = verdict;
    };
    const { history } = this.options;
    const read = history?.beginReads(table, keys);
    this.ask(
      (functions, now) => ({ values: functions.get(table, keys), now }),
      (answer) => {
        if (!answer) return finish(timedOut);
        for (const [i, key] of keys.entries()) values.set(key, answer.value.values[i]);
        const refreshed = keys.filter(
          (key) => wanted.has(key) && isDue(table, values.get(key), answer.value.now),
        );
        this.refresh(table, values, refreshed, answer, (last) => {
          if (!last) finish(timedOut);
          else this.commitReads(table, values, last, (proved) => finish(proved ? 0 : uncommitted));
        });
      },
    );
  }

  /** Prolongs lives; a record that has changed or gone meanwhile is seen as it is now. */
  private refresh(
    table: Table,
    values: Map<string, Value | undefined>,
    keys: readonly string[],
    read: Answer<unknown>,
    done: (last: Answer<unknown> | undefined) => void,
  ): void {
    if (keys.length === 0) {
      done(read);
      return;
    }
    const entries = keys.map((key) => ({ key, version: (values.get(key) as Value).version }));
    this.change(
      (functions, now) => functions.touch(table, entries, now),
      (answer) => {
        if (!answer) return done(undefined);
        // An answer of before a failover says nothing of what was read after it, and the reverse.
        if (answer.epoch !== read.epoch) return done(undefined);
        answer.value.forEach((stands, i) => {
          if (stands !== 'stands') values.set(keys[i], stands);
        });
        done(answer);
      },
    );
  }

  /** A reader of a record that is not marked as committed waits as its writer does, and marks it. */
  protected commitReads(
    table: Table,
    values: ReadonlyMap<string, Value | undefined>,
    answer: Answer<unknown>,
    done: (proved: boolean) => void,
  ): void {
    const unproved = Array.from(values, ([key, value]) => ({ key, value })).filter(
      ({ value }) => value && !value.committed,
    );
    if (this.options.replicas === 0 || unproved.length === 0) {
      done(true);
      return;
    }
    this.committed(answer, (proved) => {
      if (proved)
        this.mark(
          table,
          unproved.map(({ key, value }) => ({ key, version: (value as Value).version })),
        );
      done(proved);
    });
  }

  private mark(table: Table, entries: { key: string; version: bigint }[]): void {
    if (entries.length === 0) return;
    this.change(
      (functions) => functions.mark(table, entries),
      () => undefined, // whoever reads it next marks it then
    );
  }

  write(table: Table, register: number): Operation {
    return {
      start: (batch, done) => {
        const writes = takeStaged(batch, register, table.schema.size, () => this.version());
        const batched = this.begin(batch, done);
        this.perform(table, register, writes, batched);
        return false;
      },
    };
  }

  private version(): bigint {
    return (BigInt(this.options.writer) << 40n) | (this.versions++ << 1n);
  }

  protected perform(
    table: Table,
    register: number,
    writes: readonly StagedWrite[],
    batched: Batched,
  ): void {
    const { batch, lease } = batched;
    const { history, watch } = this.options;
    const calls = writes.map(({ call }) => call);
    const keys = calls.map(({ key }) => key);
    watch?.started(table, keys);
    const written = history?.beginWrites(table, calls);
    const finish = (answers: readonly (WriteAnswer | undefined)[]) => {
      batched.finished = true;
      written?.end(answers);
      watch?.done(table, keys);
      if (batch.leased && batch.lease === lease) landWrites(batch, register, full, writes, answers);
    };
    this.change(
      (functions, now) => functions.write(table, calls, now),
      (answer) => {
        if (!answer) return finish(calls.map(() => undefined));
        this.commitWrites(table, calls, answer, (proved) =>
          finish(proved ? answer.value : calls.map(() => undefined)),
        );
      },
    );
  }

  private commitWrites(
    table: Table,
    calls: readonly StagedWrite['call'][],
    answer: Answer<readonly WriteAnswer[]>,
    done: (proved: boolean) => void,
  ): void {
    this.committed(answer, (proved) => {
      if (proved && this.options.replicas > 0) {
        const stand = calls.filter(({ kind }, i) => answer.value[i].won && kind !== 'remove');
        this.mark(table, stand);
      }
      done(proved);
    });
  }

  lease(pool: NumberPool): Lease {
    return new SimLease(this.lane, this, pool);
  }

  expire(table: Table, sweepMilliseconds: number, claimed: (rows: RecordRows) => void): void {
    const rows = new RecordRows(table.schema.size, claimedAtOnce);
    let asking = false;
    const claim = () => {
      asking = true;
      this.changeCommitted(
        (functions, now) => functions.claim(table, claimedAtOnce, now),
        (claims) => {
          asking = false;
          if (!claims || claims.length === 0) return;
          rows.count = claims.length;
          claims.forEach(({ id, key, value }, i) => {
            fill(rows, i, key, value.record);
            rows.bytes[i * rows.stride + recordRow.timer] = value.timer;
            rows.view.setUint32(i * rows.stride + recordRow.claim, id, true);
          });
          claimed(rows);
          if (claims.length === claimedAtOnce) claim();
        },
      );
    };
    this.lane.every(Math.max(1, sweepMilliseconds), () => {
      if (!asking) claim();
    });
  }

  confirm(table: Table, claims: Uint32Array, count: number): void {
    const confirmed = [...claims.subarray(0, count)];
    this.change(
      (functions) => functions.confirm(table, confirmed),
      () => undefined, // not confirmed, they come again
    );
  }

  discard(table: Table, rows: RecordRows, done: (removed: Uint8Array) => void): boolean {
    const { count, stride, bytes } = rows;
    const given = Array.from({ length: count }, (_, i) => ({
      key: nameKey(bytes, i * stride),
      record: bytes.slice(i * stride + recordRow.record, (i + 1) * stride),
    }));
    this.changeCommitted(
      (functions) => functions.discard(table, given),
      (removed) => {
        // Unknown: nobody does what follows a removal, and whoever looks after leftovers finds them.
        if (removed) done(Uint8Array.from(removed, Number));
      },
    );
    return true;
  }

  add(table: Table, rows: RecordRows, done: (added: Uint8Array) => void): boolean {
    const { count, stride, bytes } = rows;
    const fields = Object.entries(table.schema.fields as Record<string, { kind: string }>);
    const offsets = table.schema.offsets as Record<string, number>;
    const counts = fields.filter(([, { kind }]) => kind === 'count').map(([name]) => offsets[name]);
    const sums = Array.from({ length: count }, (_, i) => ({
      key: nameKey(bytes, i * stride),
      timer: bytes[i * stride + recordRow.timer],
      record: bytes.slice(i * stride + recordRow.record, (i + 1) * stride),
      version: this.version(),
    }));
    this.changeCommitted(
      (functions, now) => functions.add(table, counts, sums, now),
      (added) => done(added ? Uint8Array.from(added, Number) : new Uint8Array(count)),
    );
    return true;
  }

  scan(table: Table, sweepMilliseconds: number, seen: (rows: RecordRows) => void): void {
    this.lane.every(sweepMilliseconds, () => {
      this.ask(
        (functions) => [...functions.entries(table.storage)],
        (answer) => {
          if (!answer || answer.value.length === 0) return;
          const rows = new RecordRows(table.schema.size, answer.value.length);
          rows.count = answer.value.length;
          for (const [i, [key, { record }]] of answer.value.entries()) fill(rows, i, key, record);
          seen(rows);
        },
      );
    });
  }

  fetch(table: Table, rows: RecordRows, done: (found: Uint8Array) => void): boolean {
    const { count, stride, bytes } = rows;
    const keys = Array.from({ length: count }, (_, i) => nameKey(bytes, i * stride));
    this.ask(
      (functions) => functions.get(table, keys),
      (answer) => {
        if (!answer) return;
        const found = new Uint8Array(count);
        answer.value.forEach((value, i) => {
          if (!value) return;
          found[i] = 1;
          fill(rows, i, keys[i], value.record);
        });
        done(found);
      },
    );
    return true;
  }

  size(table: Table): number {
    const known = this.sizes.get(table.storage);
    this.ask(
      (functions) => functions.entries(table.storage).size,
      (answer) => answer && this.sizes.set(table.storage, answer.value),
    );
    return known ?? 0;
  }
}

function fill(rows: RecordRows, i: number, key: string, record: Uint8Array): void {
  rows.bytes.set(keyBytes(key), i * rows.stride + recordRow.key);
  rows.bytes.set(record, i * rows.stride + recordRow.record);
}

/** Less than T + T/16 is left: see docs/decisions/0007, Timers. */
function isDue(table: Table, value: Value | undefined, now: number): boolean {
  if (!value || value.deadline === 0) return false;
  const idle = table.idleMilliseconds[value.timer & 3] ?? 0;
  return value.deadline - now < idle + idle / 16;
}
