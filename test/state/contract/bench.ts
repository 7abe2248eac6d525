/**
 * Clients of one store on a bench: each a lane of its own, whose batches a test fills with keys and
 * writes by hand, on a clock that they share.
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { Lane, MemoryPort, memoryPool, type PacketBatch, type Store } from 'rxnf';
import type { LookupRequest, Operation, StoreSession } from '../../../src/state/store.ts';
import type { AnyTable } from '../../../src/state/table.ts';
import { type RegisterColumns, writeKind } from '../../../src/streams/batch.ts';
import type { LaneEvent } from '../../../src/streams/lane.ts';
import { everyPacket, noPacket } from '../../../src/streams/traits.ts';

/** A store that the contract is held against, with all that was made for it. */
export interface OpenStore {
  readonly store: Store;
  /** Whether time on the lanes is the store's: then it is virtual, and `pass` lets the store know of it. */
  readonly clock: 'virtual' | 'real';
  pass?(milliseconds: number): void;
  /** Claims that nobody confirms come again within so long; undefined: they live with their claimer. */
  readonly claimsLapseMilliseconds?: number;
  /** Tables hold exactly as many records as they are declared for. */
  readonly exactCapacity: boolean;
  close(): void | Promise<void>;
}

export const rowsAtOnce = 32;
const patienceMilliseconds = 10_000;
const frame = new Uint8Array(60);
let clients = 0;

export class Bench {
  readonly opened: OpenStore;
  readonly clients: Client[] = [];

  constructor(opened: OpenStore) {
    this.opened = opened;
  }

  client(tables: readonly AnyTable[]): Client {
    const client = new Client(this, tables);
    this.clients.push(client);
    return client;
  }

  /** Lets every client run, and a little time pass. */
  async turn(milliseconds = 1): Promise<void> {
    const { clock, pass } = this.opened;
    if (clock === 'virtual') pass?.(milliseconds);
    else if (milliseconds > 1) await setTimeout(milliseconds);
    else await setImmediate();
    for (const { lane } of this.clients) {
      if (clock === 'virtual') lane.advance(milliseconds * 1e6);
      lane.breathe();
    }
  }

  async until(what: string, done: () => boolean): Promise<void> {
    const end = performance.now() + patienceMilliseconds;
    while (!done()) {
      if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
      await this.turn();
    }
  }

  /** Lets time pass, with a turn every few milliseconds. */
  async wait(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    while (this.now < end) await this.turn(Math.min(5, end - this.now));
  }

  get now(): number {
    return (this.clients[0] as Client).lane.nowNanoseconds / 1e6;
  }

  async close(): Promise<void> {
    for (const { lane } of this.clients) lane.close();
    await this.opened.close();
  }
}

/** What a row says after a lookup or a write. */
export interface Row {
  readonly state: 'none' | 'hit' | 'miss' | 'unknown';
  readonly value: number;
  readonly version: bigint;
  readonly timer: number;
  readonly lost: boolean;
  readonly dropped: boolean;
}

const states = ['none', 'hit', 'miss', 'unknown'] as const;

export class Client {
  readonly lane: Lane;
  readonly session: StoreSession;
  /** What its lane has reported. */
  readonly events: LaneEvent[] = [];
  private readonly bench: Bench;
  private readonly port: MemoryPort;
  private readonly tables: readonly AnyTable[];
  private readonly writes = new Map<string, Operation>();
  private readonly lookups = new Map<string, Operation>();
  private readonly batches: PacketBatch[] = [];

  constructor(bench: Bench, tables: readonly AnyTable[]) {
    const { clock, store } = bench.opened;
    const pool = memoryPool(256);
    this.bench = bench;
    this.tables = tables;
    this.port = new MemoryPort({ name: 'port', pool, capacity: 64 });
    this.lane = new Lane({
      pool,
      ports: [this.port],
      tables,
      burst: rowsAtOnce,
      batches: 8,
      spare: 0,
      writer: store.takeWriter?.() ?? 1000 + clients++,
      virtualClock: clock === 'virtual',
      log: (event) => this.events.push(event),
    });
    if (clock === 'virtual' && bench.clients[0])
      this.lane.advance(bench.clients[0].lane.nowNanoseconds);
    this.session = store.open(this.lane);
    this.lane.packets.subscribe((batch) => this.batches.push(batch));
  }

  /** Names of the events that its lane has reported. */
  get reports(): string[] {
    return this.events.map(({ event }) => event);
  }

  /** An empty batch of so many rows, with keys. */
  batch(table: AnyTable, keys: readonly number[]): Rows {
    for (const _ of keys) this.port.push(frame);
    this.lane.breathe();
    const batch = this.batches.shift();
    if (!batch || batch.count !== keys.length) throw new Error('the bench has no batch to spare');
    return new Rows(this, this.bench, table, batch, keys);
  }

  lookupOf(table: AnyTable, options: Partial<LookupRequest>): Operation {
    const name = `${table.storage} ${JSON.stringify(options)}`;
    const made = this.lookups.get(name) ?? this.session.lookup(this.request(table, options));
    this.lookups.set(name, made);
    return made;
  }

  writeOf(table: AnyTable): Operation {
    const made =
      this.writes.get(table.storage) ?? this.session.write(table, this.registerOf(table));
    this.writes.set(table.storage, made);
    return made;
  }

  registerOf(table: AnyTable): number {
    return this.tables.indexOf(table);
  }

  private request(table: AnyTable, options: Partial<LookupRequest>): LookupRequest {
    const register = this.registerOf(table);
    const standard = { key: 'staged', where: everyPacket, refresh: noPacket } as const;
    const attend = { attendAll: true, attendMisses: true, attendAny: 0 };
    return { table, register, ...standard, ...attend, ...options };
  }
}

/** One batch in a test's hands. */
export class Rows {
  readonly batch: PacketBatch;
  readonly columns: RegisterColumns;
  private readonly client: Client;
  private readonly bench: Bench;
  private readonly table: AnyTable;
  private readonly register: number;

  constructor(
    client: Client,
    bench: Bench,
    table: AnyTable,
    batch: PacketBatch,
    keys: readonly number[],
  ) {
    this.client = client;
    this.bench = bench;
    this.table = table;
    this.batch = batch;
    this.register = client.registerOf(table);
    this.columns = batch.registers[this.register];
    for (const [row, key] of keys.entries())
      batch.bytes.set(keyOf(key), this.columns.key + row * 16);
  }

  /** Starts the lookup; the result is for `until`. */
  startLookup(options: Partial<LookupRequest> = {}): () => boolean {
    return this.start(this.client.lookupOf(this.table, options));
  }

  startWrite(): () => boolean {
    return this.start(this.client.writeOf(this.table));
  }

  private start(operation: Operation): () => boolean {
    let done = false;
    if (
      operation.start(this.batch, () => {
        done = true;
      })
    )
      done = true;
    return () => done;
  }

  async lookup(options: Partial<LookupRequest> = {}): Promise<this> {
    await this.bench.until('a lookup', this.startLookup(options));
    return this;
  }

  async write(): Promise<this> {
    await this.bench.until('a write', this.startWrite());
    return this;
  }

  /** Stages a write of a row's key: of what it found, or of what is not there. */
  stage(row: number, kind: 'insert' | 'swap' | 'remove', value = 0, timer = 0): this {
    const { batch, columns } = this;
    columns.write[row] = writeKind[kind];
    columns.timer[row] = timer;
    const at = columns.next + row * columns.stride;
    batch.bytes.fill(0, at, at + columns.stride);
    batch.view.setUint32(at, value, true);
    batch.stage(this.register, row);
    return this;
  }

  row(row: number): Row {
    const { batch, columns } = this;
    const lost = columns.lost.subarray(0, batch.lostCount(this.register));
    return {
      state: states[columns.state[row]] as Row['state'],
      value: batch.view.getUint32(columns.record + row * columns.stride, true),
      version: batch.view.getBigUint64(columns.version + row * 8, true),
      timer: columns.timer[row],
      lost: lost.includes(row),
      dropped: batch.verdict[row] < 0,
    };
  }

  get rows(): Row[] {
    return Array.from({ length: this.batch.count }, (_, row) => this.row(row));
  }

  get attended(): number[] {
    return [...this.columns.attended.subarray(0, this.batch.attendedCount(this.register))];
  }

  /** Gives the batch back to its lane. */
  end(): void {
    this.client.lane.settle(this.batch);
    this.client.lane.breathe();
  }
}

export function keyOf(key: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, key);
  // Spread over all bytes, so that every partition and bucket is met.
  view.setUint32(12, Math.imul(key + 1, 0x9e3779b1) >>> 0);
  return bytes;
}

export function keyNumber(view: DataView, at: number): number {
  return view.getUint32(at);
}
