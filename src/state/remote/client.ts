/**
 * A lane's client of a remote store: batches go out as numbers and come back in the order of their
 * starting; commands that are not of the data path have a callback each.
 */
import { type NativeRemoteOptions, native, type RemoteTableShape } from '../../native.ts';
import type { PacketBatch } from '../../streams/batch.ts';
import type { Lane } from '../../streams/lane.ts';
import type { Operation } from '../store.ts';
import { decodeReply, encodeCommand, type Reply, ServerRefusal, type Word } from './command.ts';

/** Kinds of `native/store/remote/client.h`; 2, a failure, says nothing that a callback could use. */
const event = { batch: 0, reply: 1 } as const;
const eventWords = 4;
/** For what is under way when the lane closes: what is being given back. */
const flushMilliseconds = 250;
const statusTick = 100;

export type Done = (reply: Reply) => void;

export class RemoteClient {
  /** Names this lane's writes and leases. */
  readonly writer: number;
  readonly partitions: number;
  /** Requests name every key that they touch: keys may be on their way to another node. */
  readonly namesAllKeys: boolean;
  private readonly number: number;
  private readonly events: Int32Array;
  private readonly replies: Uint32Array;
  private readonly trips: Trips[] = [];
  private readonly calls = new Map<number, Done>();
  private isThere = true;
  private isClosed = false;

  constructor(lane: Lane, writer: number, options: NativeRemoteOptions) {
    this.writer = writer;
    this.partitions = options.partitions;
    this.namesAllKeys = options.nodes !== undefined;
    const { client, events, replies } = native.openRemote(lane.number, options);
    this.number = client;
    this.events = new Int32Array(events);
    this.replies = new Uint32Array(replies);
    lane.polled(this);
    lane.every(statusTick, () => this.watch(lane));
    lane.onClose(() => this.close());
  }

  /** Waits for the connection, for so long at the most, so that the first packets find it. */
  connect(milliseconds: number): void {
    const end = performance.now() + milliseconds;
    while (!this.status.ready && performance.now() < end) {
      native.pollRemote(this.number);
      pause(1);
    }
  }

  addTable(name: string, shape: RemoteTableShape): number {
    return native.addRemoteTable(this.number, name, shape);
  }

  lookup(table: number, options: object): Operation {
    return this.operation(native.addRemoteLookup(this.number, table, options));
  }

  write(table: number, register: number): Operation {
    return this.operation(native.addRemoteWrite(this.number, table, register));
  }

  private operation(number: number): Operation {
    const trips = new Trips(this.number, number);
    this.trips[number] = trips;
    return trips;
  }

  /**
   * Sends a command to whoever serves a partition. `done` gets the reply, or a refusal where the store is
   * away. False when too many commands are under way.
   *
   * @param replicas how many have to have what the reply says before it counts; a command that changes
   *   nothing, where that is not 0
   */
  call(partition: number, words: readonly Word[], done: Done, replicas = 0): boolean {
    const number = native.callRemote(this.number, partition, encodeCommand(words), replicas);
    if (number < 0) return false;
    this.calls.set(number, done);
    return true;
  }

  /** The partition of each of the keys that rows begin with. */
  partitionsOf(rows: Uint8Array, stride: number, count: number): Uint8Array {
    const partitions = new Uint8Array(count);
    native.remotePartitions(this.number, rows, stride, count, partitions);
    return partitions;
  }

  /** Row numbers by their partitions, in lists whose keys one command may name. */
  byGroup(partitions: Uint8Array): number[][] {
    const groups = new Map<number, number[]>();
    partitions.forEach((partition, row) => {
      const group = native.remoteGroup(this.number, partition);
      const rows = groups.get(group);
      if (rows) rows.push(row);
      else groups.set(group, [row]);
    });
    return [...groups.values()];
  }

  /** Every partition, likewise. */
  groups(): number[][] {
    return this.byGroup(Uint8Array.from({ length: this.partitions }, (_, partition) => partition));
  }

  get status() {
    return native.remoteStatus(this.number);
  }

  poll(): void {
    for (const trips of this.trips) trips.forgetReclaimed();
    const count = native.pollRemote(this.number);
    for (let i = 0; i < count; i++) this.take(i * eventWords);
  }

  wait(microseconds: number): void {
    native.waitRemote(this.number, microseconds);
  }

  private take(at: number): void {
    const { events } = this;
    const id = events[at + 1] as number;
    if (events[at] === event.batch) {
      this.trips[id]?.arrive();
      return;
    }
    const done = this.calls.get(id);
    this.calls.delete(id);
    if (events[at] === event.reply) {
      const from = events[at + 2] as number;
      done?.(decodeReply(this.replies.subarray(from, from + (events[at + 3] as number))));
    } else {
      done?.(unavailable);
    }
  }

  /** The server is elsewhere; nothing happens where it is known to be there. */
  redirect(host: string, port: number): void {
    if (!this.isClosed) native.redirectRemote(this.number, host, port);
  }

  /** Reports when the store goes away, why, and when it is back. */
  private watch(lane: Lane): void {
    const { ready, problem } = this.status;
    if (ready === this.isThere || (!ready && problem === '')) return;
    this.isThere = ready;
    lane.report(ready ? { event: 'store-back' } : { event: 'store-away', message: problem });
  }

  private close(): void {
    const end = performance.now() + flushMilliseconds;
    while (this.calls.size > 0 && performance.now() < end) this.poll();
    native.closeRemote(this.number);
    this.isClosed = true;
  }
}

/** Blocks the thread. */
function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

const unavailable = new ServerRefusal('the store is away');

/** As many as a lane may have batches. */
const most = 64;

/** Batches of one operation that are under way, in the order of their starting. */
class Trips implements Operation {
  private readonly client: number;
  private readonly operation: number;
  private readonly batches: PacketBatch[] = [];
  private readonly leases = new Float64Array(most);
  private readonly flights = new Int32Array(most);
  private readonly dones: ((batch: PacketBatch) => void)[] = [];
  private from = 0;
  private to = 0;

  constructor(client: number, operation: number) {
    this.client = client;
    this.operation = operation;
  }

  start(batch: PacketBatch, done: (batch: PacketBatch) => void): boolean {
    const flight = native.startRemote(this.client, this.operation, batch.index);
    if (flight < 0) return true;
    const at = this.to++ % most;
    this.batches[at] = batch;
    this.leases[at] = batch.lease;
    this.flights[at] = flight;
    this.dones[at] = done;
    return false;
  }

  arrive(): void {
    const at = this.from++ % most;
    (this.dones[at] as (batch: PacketBatch) => void)(this.batches[at] as PacketBatch);
  }

  /** Batches that were taken back are about to be used again: nothing may be written into them. */
  forgetReclaimed(): void {
    let kept = this.from;
    for (let i = this.from; i < this.to; i++) {
      const at = i % most;
      const batch = this.batches[at] as PacketBatch;
      if (!batch.leased || batch.lease !== this.leases[at]) {
        native.cancelRemote(this.client, this.operation, this.flights[at] as number);
        continue;
      }
      if (kept !== i) this.move(at, kept % most);
      kept++;
    }
    this.to = kept;
  }

  private move(from: number, to: number): void {
    this.batches[to] = this.batches[from] as PacketBatch;
    this.leases[to] = this.leases[from] as number;
    this.flights[to] = this.flights[from] as number;
    this.dones[to] = this.dones[from] as (batch: PacketBatch) => void;
  }
}
