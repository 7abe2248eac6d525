/**
 * A lane: one thread's ports, batch pool and clock, and the observable of its batches.
 *
 * The pool is the ledger. A batch is leased by `breathe`, emitted by `packets`, and settled by
 * passing it to `settle`; its packets are sent, freed and counted in the next breath. A batch that
 * comes back twice is an assertion; one that nobody settles within a second is reported by name.
 *
 * Back-pressure: a batch in hand is the credit to poll. When all batches are out (a slow store),
 * nothing is received, the receive ring fills, and the device counts what it misses.
 */
import { threadId } from 'node:worker_threads';
import { Observable, type Observer, type Subscription } from 'rxjs';
import { type NativeLane, type NativePool, native } from '../native.ts';
import { PacketBatch } from './batch.ts';
import type {
  LaneEvent,
  LaneOptions,
  LanePort,
  LaneStatistics,
  Pollable,
  RegisterSpec,
} from './lane-types.ts';
import { counterNames, maxCounters } from './packet-counters.ts';
import { reason, reasonNames } from './reasons.ts';
import { Tasks } from './tasks.ts';
import { Marks } from './traits.ts';
import { drop, isAside } from './verdict.ts';

export type {
  LaneEvent,
  LaneOptions,
  LanePort,
  LaneStatistics,
  Pollable,
  RegisterSpec,
} from './lane-types.ts';

// A batch that is out for longer is reported before it has been a second.
const unsettledAfterMilliseconds = 750;
const checkMilliseconds = 250;

let lanesMade = 0;

export class Lane {
  readonly number: number;
  /** Unique in this process's life, also among worker threads. */
  readonly id = `${threadId}.${lanesMade++}`;
  readonly pool: NativePool;
  readonly ports: readonly LanePort[];
  readonly burst: number;
  readonly marks = new Marks();
  readonly debug: boolean;
  /** Every batch that this lane receives. Only one subscriber: a batch has one owner. */
  readonly packets: Observable<PacketBatch>;

  /** Packets, by counter: see `countPackets`. */
  readonly counted = new Float64Array(maxCounters);

  /** Everything that keeps packets out of batches. */
  readonly holds: { readonly count: number }[] = [];

  private readonly shape: NativeLane;
  private readonly control: Int32Array;
  private readonly counters: Float64Array;
  private readonly batches: PacketBatch[];
  private readonly free: PacketBatch[] = [];
  private readonly outgoing: PacketBatch[] = [];
  /** The tables that batches have registers for, by register. */
  readonly tables: readonly RegisterSpec[];
  private readonly pollables: Pollable[] = [];
  private readonly pumps: LanePort[];
  private readonly tasks = new Tasks();
  private readonly closers: (() => void)[] = [];
  private readonly log: (event: LaneEvent) => void;
  private readonly lastLogged = new Map<string, number>();
  private readonly virtual: boolean;
  private readonly nativeBreathe: () => void;
  private readonly runJoin: (batch: PacketBatch) => number;
  private readonly arrivedAt: number;
  private readonly transmitAt: number;
  private readonly transmitCountAt: number;
  private observer: Observer<PacketBatch> | undefined;
  private current: PacketBatch | undefined;
  private closed = false;

  constructor(options: LaneOptions) {
    const { pool, ports, tables = [], burst = 128, batches = 16, spare = 32, writer = 1 } = options;
    this.pool = pool;
    this.ports = ports;
    this.burst = burst;
    this.tables = tables;
    this.debug = options.debug ?? false;
    this.virtual = options.virtualClock ?? false;
    this.log = options.log ?? ((event) => process.stderr.write(`${JSON.stringify(event)}\n`));
    const strides = tables.map((table) => (table.schema.size + 7) & ~7);
    const rows = burst + spare;
    this.number = native.createLane(pool, { batches, rows, burst, strides, writer });
    this.shape = native.describeLane(this.number);
    this.control = new Int32Array(this.shape.control);
    this.counters = new Float64Array(this.shape.counters);
    this.nativeBreathe = this.shape.breathe;
    this.runJoin = this.kernel('join', {});
    this.arrivedAt = this.word('arrived');
    this.transmitAt = this.word('transmit');
    this.transmitCountAt = this.word('transmitCount');
    this.batches = Array.from(
      { length: batches },
      (_, i) => new PacketBatch(this, i, rows, this.shape, strides),
    );
    this.free.push(...this.batches.toReversed());
    this.control[this.word('virtualClock')] = this.virtual ? 1 : 0;
    if (this.virtual) this.counters[0] = 0;
    this.every(checkMilliseconds, (now) => this.reportUnsettled(now));
    for (const [number, port] of ports.entries()) {
      port.attach(this, number);
      if (port.vlan !== undefined) native.setVlan(this.number, number, port.vlan);
    }
    this.pumps = ports.filter((port) => port.pump !== undefined);
    this.packets = new Observable((subscriber) => {
      if (this.observer) throw new Error('lane.packets has a subscriber: a batch has one owner');
      this.observer = subscriber;
      return () => {
        this.observer = undefined;
        this.reclaim();
      };
    });
  }

  private word(name: string): number {
    return this.shape.words[name] as number;
  }

  /** The number of a port, by the name it has in the configuration. */
  port(name: string): number {
    const number = this.ports.findIndex((port) => port.name === name);
    if (number < 0)
      throw new Error(
        `no port is named ${name}; there are ${this.ports.map((p) => p.name).join(', ')}`,
      );
    return number;
  }

  /** The register of a table, by its name. */
  register(table: string): number {
    const index = this.tables.findIndex((r) => r.name === table);
    if (index < 0) throw new Error(`table ${table} is not declared by this network function`);
    return index;
  }

  /** Makes a native kernel of this lane; returns what runs it over a batch. */
  kernel(kind: string, options: object): (batch: PacketBatch) => number {
    const run = native.bindKernel(this.number, native.createKernel(this.number, kind, options));
    return (batch) => run(batch.index);
  }

  /** Rows of one key in a batch find their leader, where that was left for later. */
  join(batch: PacketBatch): void {
    this.runJoin(batch);
  }

  /** Calls `run` every `interval` milliseconds of lane time, between breaths. */
  every(interval: number, run: (nowMilliseconds: number) => void): void {
    this.tasks.every(interval, this.nowMilliseconds, run);
  }

  /** Has a store session polled once a breath. */
  polled(pollable: Pollable): void {
    this.pollables.push(pollable);
  }

  /**
   * Blocks the thread until a store that batches wait for has an answer, and for so long at the most.
   *
   * @returns false at once where no store can wake it
   */
  awaitStore(microseconds: number): boolean {
    const store = this.pollables.find((pollable) => pollable.wait);
    store?.wait?.(microseconds);
    return store !== undefined;
  }

  onClose(close: () => void): void {
    this.closers.push(close);
  }

  /** One of the batches, for who needs to know where their columns are. */
  get anyBatch(): PacketBatch {
    return this.batches[0] as PacketBatch;
  }

  /** Rows of all batches together: the most packets that can be in flight. */
  get rowsOut(): number {
    return this.batches.length * (this.batches[0]?.capacity ?? 0);
  }

  /** Batches that were received and are not settled. */
  get batchesOut(): number {
    return this.batches.length - this.free.length - this.outgoing.length - (this.current ? 1 : 0);
  }

  /** Lane clock in nanoseconds. */
  get nowNanoseconds(): number {
    return this.counters[0] as number;
  }
  get nowMilliseconds(): number {
    return Math.floor((this.counters[0] as number) / 1e6) >>> 0;
  }

  /** Moves a virtual clock forward. */
  advance(nanoseconds: number): void {
    this.counters[0] = (this.counters[0] as number) + nanoseconds;
  }

  /** Gives a batch back: its packets leave in the next breath. The last step of every pipeline. */
  readonly settle = (batch: PacketBatch): void => {
    if (!batch.leased || batch.lane !== this)
      throw new Error(`batch ${batch.index} was settled twice (last held by ${batch.holder})`);
    batch.leased = false;
    batch.holder = 'settled';
    this.outgoing.push(batch);
  };

  /**
   * One turn: polls the store, sends what was settled, receives one batch and emits it.
   *
   * @returns packets received
   */
  breathe(): number {
    const now = this.nowMilliseconds;
    for (let i = 0; i < this.pollables.length; i++) (this.pollables[i] as Pollable).poll(now);
    this.tasks.run(now);
    for (let i = 0; i < this.pumps.length; i++) this.pumps[i]?.pump?.(this.nowNanoseconds);
    const { control, outgoing } = this;
    for (let i = 0; i < outgoing.length; i++)
      control[this.transmitAt + i] = (outgoing[i] as PacketBatch).index;
    control[this.transmitCountAt] = outgoing.length;
    // A batch is sent before one is received, so the one just settled, still in the cache, serves again.
    this.current ??= outgoing.pop() ?? this.free.pop();
    const batch = this.observer ? this.current : undefined;
    control[0] = batch ? batch.index : -1;
    this.nativeBreathe();
    const received = control[this.arrivedAt] as number;
    while (outgoing.length > 0) this.free.push(outgoing.pop() as PacketBatch);
    if (received === 0 || !batch) return 0;
    this.current = undefined;
    batch.leased = true;
    batch.leasedAt = now;
    batch.lease++;
    this.observer?.next(batch);
    return received;
  }

  private reportUnsettled(now: number): void {
    for (const batch of this.batches) {
      const milliseconds = (now - batch.leasedAt) >>> 0;
      if (!batch.leased || milliseconds < unsettledAfterMilliseconds) continue;
      this.report({ event: 'batch-unsettled', holder: batch.holder, milliseconds });
    }
  }

  /** Writes a report, at most one of a kind (and holder) a second. */
  report(event: LaneEvent): void {
    const kind = `${event.event} ${String(event.holder ?? '')}`;
    const now = this.nowMilliseconds;
    const last = this.lastLogged.get(kind);
    if (last !== undefined && (now - last) >>> 0 < 1000) return;
    this.lastLogged.set(kind, now);
    this.log(event);
  }

  /** Appends a packet of `length` bytes to a batch; its row, or -1 when there is no room. */
  originate(batch: PacketBatch, ingress: number, length: number): number {
    return native.originate(this.number, batch.index, ((ingress & 0xff) << 24) | length);
  }

  /** Packets received from a port so far. */
  receivedFrom(port: number): number {
    return this.counters[this.word('received') + port] as number;
  }

  /** Packets that each further breath may receive from a port at the most; -1: no limit. */
  setBudget(port: number, packets: number): void {
    this.control[this.word('budget') + port] = packets;
  }

  /**
   * Sends a frame that no received packet asked for (an ARP probe). False when there is no free batch
   * or buffer; the caller tries again later.
   */
  transmit(port: number, frame: Uint8Array): boolean {
    const batch = this.free.pop();
    if (!batch) return false;
    batch.header.fill(0);
    batch.view.setFloat64(batch.header.byteOffset + 8, this.nowNanoseconds, true);
    const row = this.originate(batch, port, frame.length);
    if (row >= 0) {
      new Uint8Array(this.pool.arena).set(frame, batch.data[row] as number);
      batch.verdict[row] = port + 1;
    }
    batch.leased = true;
    batch.lease++;
    this.settle(batch);
    return row >= 0;
  }

  /** Lets a held packet in again, ahead of what the next breath receives. False when the queue is full. */
  inject(handle: number, data: number, length: number, ingress: number): boolean {
    const count = this.control[this.word('injectCount')] as number;
    if (count >= Math.min(this.shape.maxInjected, this.burst)) return false;
    const at = this.word('inject') + count * 4;
    this.control[at] = handle;
    this.control[at + 1] = data;
    this.control[at + 2] = length;
    this.control[at + 3] = ingress;
    this.control[this.word('injectCount')] = count + 1;
    return true;
  }

  /** Packets let in again that no breath will receive. */
  private dropInjected(): void {
    const why = -drop('unsubscribed');
    const count = this.control[this.word('injectCount')] as number;
    for (let i = 0; i < count; i++) {
      this.dropHeld(this.control[this.word('inject') + i * 4] as number, why);
    }
    this.control[this.word('injectCount')] = 0;
  }

  /** Frees a held packet and counts it as dropped. */
  dropHeld(handle: number, why: number): void {
    native.freeBuffer(this.number, handle);
    const at = this.word('dropped') + why;
    this.counters[at] = (this.counters[at] as number) + 1;
  }

  /** Everything counted since the lane was made. */
  statistics(): LaneStatistics {
    const c = this.counters;
    const list = (name: string) => this.ports.map((_, i) => c[this.word(name) + i] as number);
    const dropped: Record<string, number> = {};
    reasonNames().forEach((name, i) => {
      if (i > 0) dropped[name] = c[this.word('dropped') + i] as number;
    });
    return {
      received: list('received'),
      forwarded: list('forwarded'),
      originated: c[this.word('originated')] as number,
      held: this.holds.reduce((sum, hold) => sum + hold.count, 0),
      dropped,
      breaths: c[this.word('breaths')] as number,
      emptyPolls: c[this.word('emptyPolls')] as number,
      batches: c[this.word('batches')] as number,
      freeBuffers: native.available(this.pool),
      batchesOut: this.batches.length - this.free.length - (this.current ? 1 : 0),
    };
  }

  /** What `countPackets` counted on this lane, by name; every name is there, at zero from the start. */
  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(counterNames().map((name, i) => [name, this.counted[i] as number]));
  }

  /** Packets sent, by receive-to-transmit latency: see `src/telemetry/latency.ts` for the buckets. */
  latency(): Float64Array {
    const at = this.word('latency');
    return this.counters.slice(at, at + this.shape.latencyBuckets);
  }

  /** Takes back every batch that is out, dropping its packets. */
  private reclaim(): void {
    const why = drop('unsubscribed');
    for (const batch of this.batches) {
      if (!batch.leased) continue;
      for (let row = 0; row < batch.count; row++) {
        const verdict = batch.verdict[row] as number;
        if (verdict === 0 || isAside(verdict)) batch.verdict[row] = why;
      }
      batch.lease++;
      this.settle(batch);
    }
  }

  /** Ends the stream and frees everything. Packets still out are dropped and counted. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.observer?.complete();
    this.reclaim();
    this.breathe();
    this.dropInjected();
    for (const close of this.closers.toReversed()) close();
    native.closeLane(this.number);
  }

  /** Runs a pipeline over this lane's packets until the subscription ends or the lane is closed. */
  run(pipeline: (packets: Observable<PacketBatch>) => Observable<PacketBatch>): Subscription {
    return pipeline(this.packets).subscribe({
      next: this.settle,
      error: (error: unknown) => this.report({ event: 'pipeline-failed', message: String(error) }),
    });
  }
}

/** Registered here so that it exists before the first packet. */
export const callbackError = reason('callback-error');
