/**
 * The client of a lane, as the native one is (native/store/remote), with the interface that the real session
 * speaks to (src/state/remote/client.ts).
 */
import type { RemoteTableShape } from '../../../src/native.ts';
import type { Done } from '../../../src/state/remote/client.ts';
import { type Reply, ServerRefusal, type Word } from '../../../src/state/remote/command.ts';
import { partitionOf } from '../../../src/state/remote/key-names.ts';
import {
  type KeyKind,
  keyKinds,
  type LookupRequest,
  type Operation,
} from '../../../src/state/store.ts';
import type { Table } from '../../../src/state/table.ts';
import type { Lane } from '../../../src/streams/lane.ts';
import type { HistoryRecorder } from '../history.ts';
import type { LinkFaults } from '../link.ts';
import type { Random } from '../random.ts';
import type { WriteWatch } from '../session.ts';
import { lookups } from './lookup.ts';
import { type Answered, Refusal, type ServerNode } from './node.ts';
import { Proofs, type Standing } from './proofs.ts';
import { Refresher } from './refresher.ts';
import { Routes } from './routes.ts';
import type { Servers } from './servers.ts';
import { bytesOf, textOf } from './value.ts';
import { writes } from './write.ts';

export interface ClientOptions {
  readonly servers: Servers;
  readonly random: Random;
  readonly faults: LinkFaults;
  readonly replicas: 0 | 1;
  readonly writer: number;
  readonly history?: HistoryRecorder;
  readonly watch?: WriteWatch;
}

/** What lookups and writes share. */
export interface ClientParts {
  readonly options: ClientOptions;
  readonly routes: Routes;
  readonly proofs: Proofs;
  readonly partitions: number;
  /** Divides rows into lists of one request each. */
  byPartition<T extends { readonly key: string }>(rows: readonly T[]): Map<number, T[]>;
  /** Of this lane, in the order of sending. */
  nextCall(): number;
  nextVersion(): bigint;
  /** Sets what is proved as committed. */
  mark(proved: readonly Standing[]): void;
}

/** Batches of an operation, done in the order of their starting. */
export interface Flights extends Operation {
  poll(): void;
}

export interface ClientTable {
  readonly table: Table;
  readonly capacity: number;
  readonly refresher: Refresher;
}

/** Commands outside the data path that are under way at the most. */
const mostCalls = 256;
const kindNames = new Map(Object.entries(keyKinds).map(([name, n]) => [n, name as KeyKind]));

interface Call {
  readonly words: readonly string[];
  readonly done: Done;
}

export class SimClient {
  readonly writer: number;
  readonly partitions: number;
  readonly namesAllKeys: boolean;
  private readonly schemas: ReadonlyMap<string, Table>;
  private readonly parts: ClientParts;
  private readonly tables: ClientTable[] = [];
  private readonly flights: Flights[] = [];
  /** By group: calls that go one after the other on a cluster, the first of them under way. */
  private readonly queues = new Map<number, Call[]>();
  private calls = 0;
  private dead = false;

  /** @param schemas tables by their names in the store, as the session names those only */
  constructor(lane: Lane, options: ClientOptions, schemas: ReadonlyMap<string, Table>) {
    const { servers, random, faults, writer } = options;
    this.schemas = schemas;
    this.writer = writer;
    this.partitions = servers.partitions;
    this.namesAllKeys = servers.isCluster;
    const first = servers.nodes[0] as ServerNode;
    let calls = 0;
    let versions = 0n;
    this.parts = {
      options,
      routes: new Routes(servers, writer, random.fork(), faults),
      proofs: new Proofs(first, writer, random.fork(), faults),
      partitions: servers.partitions,
      byPartition: (rows) => this.divide(rows),
      nextCall: () => ++calls,
      nextVersion: () => (BigInt(writer) << 40n) | (++versions << 1n),
      mark: (proved) => this.mark(proved),
    };
    lane.polled(this);
  }

  get waiting(): number {
    return this.parts.routes.underWay;
  }

  kill(): void {
    this.dead = true;
    this.parts.routes.kill();
    this.parts.proofs.kill();
  }

  poll(): void {
    const { routes, proofs } = this.parts;
    routes.poll();
    proofs.poll();
    for (const { refresher } of this.tables) refresher.poll();
    for (const flights of this.flights) flights.poll();
  }

  addTable(name: string, { partitionCapacity: capacity }: RemoteTableShape): number {
    const table = this.schemas.get(name) as Table;
    const refresher = new Refresher(this.parts, table);
    return this.tables.push({ table, capacity, refresher }) - 1;
  }

  lookup(table: number, request: object): Operation {
    const { key, ...rest } = request as Omit<LookupRequest, 'key'> & { readonly key: number };
    const kind = kindNames.get(key as (typeof keyKinds)[KeyKind]) as KeyKind;
    const made = lookups(this.parts, this.tables[table] as ClientTable, { ...rest, key: kind });
    this.flights.push(made);
    return made;
  }

  write(table: number, register: number): Operation {
    const made = writes(this.parts, this.tables[table] as ClientTable, register);
    this.flights.push(made);
    return made;
  }

  call(partition: number, given: readonly Word[], done: Done): boolean {
    if (this.dead || this.calls === mostCalls) return false;
    this.calls++;
    const words = given.map((word) => (word instanceof Uint8Array ? textOf(word) : String(word)));
    const call = { words, done };
    if (!this.namesAllKeys) {
      this.send(partition, call, () => undefined);
      return true;
    }
    const queue = this.queues.get(partition) ?? [];
    this.queues.set(partition, queue);
    if (queue.push(call) === 1) this.sendFirst(partition, queue);
    return true;
  }

  private sendFirst(partition: number, queue: Call[]): void {
    const [call] = queue;
    if (!call) return;
    this.send(partition, call, () => {
      queue.shift();
      this.sendFirst(partition, queue);
    });
  }

  private send(partition: number, { words, done }: Call, ended: () => void): void {
    const finish = (reply: Reply) => {
      this.calls--;
      ended();
      done(reply);
    };
    this.parts.routes.submit({
      partition,
      mutates: words[0] === 'FCALL',
      encode: () => [words],
      read: ([reply]) => {
        if (reply instanceof Refusal && reply.why !== 'error') return false;
        finish(replyOf(reply as Answered));
        return true;
      },
      lost: () => finish(new ServerRefusal('the store is away')),
    });
  }

  /** One that is lost is proved anew by who meets it. */
  private mark(proved: readonly Standing[]): void {
    if (proved.length === 0) return;
    const keys = proved.map(({ key }) => key);
    const versions = proved.map(({ version }) => version);
    const words = ['FCALL', 'rxnf1_mark', String(keys.length), ...keys, ...versions];
    this.parts.routes.submit({
      partition: 0,
      mutates: true,
      encode: () => [words],
      read: () => true,
      lost: () => undefined,
    });
  }

  partitionsOf(rows: Uint8Array, stride: number, count: number): Uint8Array {
    return Uint8Array.from({ length: count }, (_, i) =>
      partitionOf(rows.subarray(i * stride, i * stride + 16), this.partitions),
    );
  }

  byGroup(partitions: Uint8Array): number[][] {
    const groups = new Map<number, number[]>();
    partitions.forEach((partition, row) => {
      const group = this.namesAllKeys ? partition : 0;
      groups.set(group, [...(groups.get(group) ?? []), row]);
    });
    return [...groups.values()];
  }

  groups(): number[][] {
    return this.byGroup(Uint8Array.from({ length: this.partitions }, (_, p) => p));
  }

  private divide<T extends { readonly key: string }>(rows: readonly T[]): Map<number, T[]> {
    const divided = new Map<number, T[]>();
    for (const row of rows) {
      const partition = this.namesAllKeys ? partitionOf(bytesOf(row.key), this.partitions) : 0;
      divided.set(partition, [...(divided.get(partition) ?? []), row]);
    }
    return divided;
  }
}

function replyOf(reply: Answered): Reply {
  if (reply instanceof Refusal)
    return new ServerRefusal('ERR a script reached for a key elsewhere');
  if (typeof reply === 'string') return bytesOf(reply);
  if (Array.isArray(reply)) return reply.map(replyOf);
  return reply as number | null;
}
