/**
 * The native addon, typed. Nothing else in the project loads it.
 *
 * Handles (lanes, kernels, tables, queues) are small integers of the calling thread; using one that
 * does not exist throws `ERR_NATIVE_HANDLE`.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Rows taking part: those with every trait of `all` and none of `none`. */
export interface WhereMask {
  readonly all: number;
  readonly none: number;
}

export interface NativePool {
  /** Every packet buffer; offsets in batches count from its start. */
  readonly arena: ArrayBuffer;
  readonly dataMin: number;
  readonly headroom: number;
  readonly room: number;
  readonly capacity: number;
  readonly pool: unknown;
  readonly number?: number;
}

export interface NativeLane {
  readonly block: ArrayBuffer;
  readonly control: ArrayBuffer;
  readonly counters: ArrayBuffer;
  readonly batchSize: number;
  /** Column name to its offset in bytes from the batch's start. */
  readonly columns: Readonly<Record<string, number>>;
  readonly words: Readonly<Record<string, number>>;
  readonly maxInjected: number;
  readonly maxPorts: number;
  readonly latencyBuckets: number;
  /** Settles and receives what `control` says, and leaves there what came of it. */
  readonly breathe: () => void;
}

export interface PortCounters {
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly transmittedPackets: number;
  readonly transmittedBytes: number;
  readonly missed: number;
  readonly receiveErrors: number;
  readonly transmitErrors: number;
  readonly noBuffer: number;
  readonly multiSegment: number;
  readonly resets: number;
  readonly linkUp: boolean;
  readonly gone: boolean;
  readonly exhausted: boolean;
}

export interface DpdkPort {
  readonly mac: Uint8Array;
  readonly ethdev: number;
  readonly maxQueues: number;
  readonly rss: boolean;
  readonly linkUp: boolean;
  readonly linkSpeedMbps: number;
  readonly driver: string;
}

export interface LaneShape {
  readonly batches: number;
  readonly rows: number;
  readonly burst: number;
  readonly strides: readonly number[];
  readonly writer: number;
}

export interface TableShape {
  readonly capacity: number;
  readonly recordSize: number;
  readonly schema: number;
  readonly idleMilliseconds: readonly number[];
  readonly seed: number;
}

/** One lane that has a shared store open, or had it when it died. */
export interface StoreWriter {
  readonly writer: number;
  readonly pid: number;
  readonly instance: string;
  readonly alive: boolean;
}

export interface StoredTable {
  readonly capacity: number;
  /** Bytes that a record may have. */
  readonly recordSize: number;
  readonly schema: number;
  /** The schema of who made the table, as JSON. */
  readonly description: string;
}

export interface TableInfo {
  readonly capacity: number;
  readonly room: number;
  readonly records: number;
  /** Inserts for which there was no room, since the table was made. */
  readonly refused: number;
  readonly description: string;
}

/** Where a server is, and what lets a client in. */
export interface NativeServer {
  readonly scheme: 'unix' | 'redis' | 'rediss' | 'rdma';
  readonly path?: string;
  readonly host?: string;
  readonly port?: number;
  readonly username?: string;
  readonly password?: string;
  readonly database?: number;
  /** PEM; for `rediss`, as certificate and key are. */
  readonly authorities?: string;
  readonly serverName?: string;
  readonly certificate?: string;
  readonly privateKey?: string;
}

/** A server, and how a client behaves towards it. */
export interface NativeRemoteOptions extends NativeServer {
  readonly clientName: string;
  /** Text of the function library, and its revision. */
  readonly library: string;
  readonly revision: number;
  readonly connectMilliseconds: number;
  readonly requestMilliseconds: number;
  /** Requests of a connection at the server at once; absent: no bound. */
  readonly inFlight?: number;
  readonly partitions: number;
  /** Of a cluster, those that are known: they stand in for host and port. */
  readonly nodes?: readonly { readonly host: string; readonly port: number }[];
  /** Numbers of drop reasons. */
  readonly reasons: Readonly<
    Record<'unavailable' | 'timeout' | 'full' | 'refused' | 'schemaMismatch' | 'unproved', number>
  >;
}

export interface NativeRemote {
  readonly client: number;
  /** Of the last poll: kind, number, where in `replies`, how many words. */
  readonly events: ArrayBuffer;
  readonly replies: ArrayBuffer;
}

export interface RemoteTableShape {
  readonly recordSize: number;
  readonly schemaVersion: number;
  /** FNV-1a of the schema's name. */
  readonly schema: number;
  readonly idle: readonly number[];
  /** That must have a version before it counts. */
  readonly replicas: number;
  /** Records of one partition at the most. */
  readonly partitionCapacity: number;
}

export interface RemoteStatus {
  readonly ready: boolean;
  /** Why the connection was lost last; empty while there is one. */
  readonly problem: string;
  /** Requests queued or under way. */
  readonly waiting: number;
  readonly requests: number;
  readonly replies: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly connects: number;
  readonly losses: number;
  readonly timeouts: number;
  /** Requests that came back at once, since the server was away. */
  readonly refusals: number;
}

export interface Native {
  originate(lane: number, batch: number, ingressAndLength: number): number;
  setVlan(lane: number, port: number, identifier: number): void;
  freeBuffer(lane: number, handle: number): void;
  createLane(pool: NativePool, shape: LaneShape): number;
  describeLane(lane: number): NativeLane;
  closeLane(lane: number): void;
  createKernel(lane: number, kind: string, options: object): number;
  /** What runs a kernel over the batch of that index: a function of its own, as a shared one costs more. */
  bindKernel(lane: number, kernel: number): (batch: number) => number;

  openTable(name: string, shape: TableShape): number;
  closeTable(table: number): void;
  tableSize(table: number): number;
  tableExtent(table: number): number;
  sweepTable(
    table: number,
    nowMilliseconds: number,
    from: number,
    entries: number,
    out: Uint8Array,
  ): number;
  confirmClaims(table: number, claims: Uint32Array, count: number): number;
  dumpTable(table: number, out: Uint8Array): number;
  scanTable(table: number, from: number, entries: number, out: Uint8Array): number;
  fetchRecords(table: number, rows: Uint8Array, count: number, found: Uint8Array): void;
  readRecord(table: number, key: Uint8Array, out: Uint8Array): number;
  putRecord(
    lane: number,
    table: number,
    key: Uint8Array,
    record: Uint8Array,
    timer: number,
    nowMilliseconds: number,
  ): boolean;
  removeRecord(table: number, key: Uint8Array): boolean;
  addRecords(
    lane: number,
    table: number,
    rows: Uint8Array,
    count: number,
    nowMilliseconds: number,
    offsets: Uint32Array,
    added: Uint8Array,
  ): void;
  discardRecords(table: number, rows: Uint8Array, count: number, removed: Uint8Array): void;

  openNumbers(name: string, first: number, count: number): number;
  takeNumbers(pool: number, out: Uint32Array, writer: number, nowSeconds: number): number;
  staleNumbers(
    pool: number,
    from: number,
    limit: number,
    untilSeconds: number,
    numbers: Uint32Array,
    leased: Uint32Array,
  ): number;
  reclaimNumber(pool: number, number: number, leased: number): boolean;
  expireLeases(pool: number, writer: number): void;
  giveNumbers(pool: number, numbers: Uint32Array, count: number): number;

  openStore(folder: string, instance: string): { readonly store: number; readonly writer: number };
  closeStore(store: number): void;
  openStoreTable(store: number, name: string, shape: TableShape, description: string): number;
  openStoreNumbers(store: number, name: string, first: number, count: number): number;
  storeWriters(folder: string): readonly StoreWriter[];
  fenceInstance(folder: string, instance: string, limitMilliseconds: number): readonly number[];
  tableInfo(table: number): TableInfo;
  tableOfStore(folder: string, name: string): StoredTable | undefined;

  askServer(options: NativeRemoteOptions, command: Uint8Array): Uint32Array;
  openRemote(lane: number, options: NativeRemoteOptions): NativeRemote;
  closeRemote(client: number): void;
  redirectRemote(client: number, host: string, port: number): void;
  addRemoteTable(client: number, name: string, shape: RemoteTableShape): number;
  addRemoteLookup(client: number, table: number, options: object): number;
  addRemoteWrite(client: number, table: number, register: number): number;
  /** The flight's number; -1 where the batch is done. */
  startRemote(client: number, operation: number, batch: number): number;
  cancelRemote(client: number, operation: number, flight: number): void;
  /** How many events there are. */
  pollRemote(client: number): number;
  /** Blocks the thread until a server has something for the client, and for so long at the most. */
  waitRemote(client: number, microseconds: number): void;
  /** The call's number; -1 where too many are under way. */
  callRemote(client: number, partition: number, command: Uint8Array, replicas: number): number;
  remotePartitions(
    client: number,
    rows: Uint8Array,
    stride: number,
    count: number,
    out: Uint8Array,
  ): void;
  remoteGroup(client: number, partition: number): number;
  remoteStatus(client: number): RemoteStatus;

  openPool(buffers: number): NativePool;
  closePool(pool: number): void;
  available(pool: NativePool): number;
  openQueue(pool: NativePool, capacity: number): number;
  closeQueue(queue: number): void;
  addQueue(lane: number, port: number, queue: number): void;
  push(
    queue: number,
    bytes: Uint8Array,
    offsets: Uint32Array,
    lengths: Uint32Array,
    from: number,
    count: number,
  ): number;
  take(queue: number, out: Uint8Array): number;
  waiting(queue: number): number;
  unread(queue: number): number;
  setQueue(
    queue: number,
    options: { discard?: boolean; refuse?: boolean; linkUp?: boolean; gone?: boolean },
  ): void;
  countQueue(queue: number): PortCounters;

  startDpdk(library: string, argv: readonly string[]): string;
  openDpdkPool(buffers: number, room: number): NativePool;
  openDpdkPort(config: object): DpdkPort;
  /** True where the device refuses promiscuous mode: it takes frames to its own address and groups alone. */
  startDpdkPort(ethdev: number): boolean;
  closeDpdkPort(ethdev: number): void;
  addDpdkQueue(lane: number, port: number, ethdev: number, queue: number): () => PortCounters;

  readonly reasons: readonly string[];
  readonly traits: Readonly<Record<string, number>>;
  readonly firstMarkBit: number;
}

/** Where the native build lies: beside src in a checkout, beside dist in a package. */
export const buildFolder = join(dirname(fileURLToPath(import.meta.url)), '..', 'build');

function load(): Native {
  const file = join(buildFolder, 'rxnf.node');
  if (!existsSync(file)) {
    throw Object.assign(
      new Error(`the native addon is not built (${file}): run "npm run setup" first`),
      { code: 'ERR_NOT_BUILT' },
    );
  }
  return createRequire(import.meta.url)(file) as Native;
}

export const native: Native = load();
