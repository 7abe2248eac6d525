/**
 * The store on a Redis or Valkey server: every lane has a connection of its own, over a unix socket, TCP,
 * TLS or RDMA. docs/decisions/0007-state-outside.md says what lies there.
 */
import { type NativeRemoteOptions, native } from '../../native.ts';
import type { Lane } from '../../streams/lane.ts';
import { reason } from '../../streams/reasons.ts';
import type { Store, StoreSession } from '../store.ts';
import type { StoredSchema } from '../stored-schema.ts';
import type { Table } from '../table.ts';
import { parseAddress, withoutPassword } from './address.ts';
import { RemoteClient } from './client.ts';
import { findNodesNow } from './cluster-nodes.ts';
import { decodeReply, encodeCommand, type Reply, textOf, type Word } from './command.ts';
import { libraryRevision, libraryText } from './library.ts';
import { checkRdma } from './rdma-checks.ts';
import { systemRdmaProbes } from './rdma-probes.ts';
import { RemoteSession } from './remote-session.ts';
import { registerSchema, registerStored, registerTable } from './schemas.ts';
import { findPrimary, findPrimaryNow, type Watch } from './sentinels.ts';

export interface RemoteStoreOptions {
  /**
   * `unix:/path`, `redis://user:password@host:port/db`, `rediss://...`, `rdma://host:port`,
   * `redis+sentinel://host:port,host:port/name`, `redis+cluster://host:port,host:port`.
   */
  readonly url: string;
  /** In place of the URL's. */
  readonly username?: string;
  readonly password?: string;
  /** Shown by the server's list of clients. Default: the process. */
  readonly instance?: string;
  /** Packets are dropped after so long without an answer. Default 1000. */
  readonly requestMilliseconds?: number;
  /**
   * Requests that a lane has at one server at once; more are prepared, and wait in the lane for a reply.
   * For a server that many lanes share. Default: no bound.
   */
  readonly inFlight?: number;
  /** For a connection to come up. Default 1000. */
  readonly connectMilliseconds?: number;
  /** What was claimed and not confirmed comes again after so long. Default 30,000. */
  readonly claimLapseMilliseconds?: number;
  /**
   * Parts of each table's keys, at most 256; the same for every user of a server. Default 1, on a cluster
   * 16: a part lies on one of its nodes, and each costs its own accounts.
   */
  readonly partitions?: number;
}

export interface RemoteStore extends Store {
  takeWriter(): number;
  /**
   * Registers a schema that nothing here declares, as a dump describes it, and as the one of a table.
   *
   * @throws {SchemaError} naming the field that the server knows otherwise
   */
  register(table: string, name: string, schema: StoredSchema): void;
}

/** A server that is not as this release needs it. */
export class RemoteStoreError extends Error {
  readonly code: string;

  constructor(code: string, url: string, message: string) {
    super(`store ${withoutPassword(url)}: ${message}`);
    this.name = 'RemoteStoreError';
    this.code = code;
  }
}

/** Writers are numbered with 23 bits (native/store/hand.h). */
const maxWriters = 2 ** 23;

/**
 * Asks the server for what a lane needs when it is opened, waiting for it; after that nothing waits.
 *
 * @throws `ERR_STORE_URL`, {@link RdmaError}; when a lane is opened `ERR_STORE_UNREACHABLE`, `ERR_STORE_REFUSED` (user,
 *   password, permissions), `ERR_STORE_PARTITIONS`, `ERR_STORE_WRITERS`, `ERR_SCHEMA`
 * @example openLane(nf, remoteStore({ url: 'unix:/run/valkey/valkey.sock' }), ...)
 */
export function remoteStore(options: RemoteStoreOptions): RemoteStore {
  const {
    url,
    username,
    password,
    instance = `pid-${process.pid}`,
    claimLapseMilliseconds = 30_000,
    inFlight,
  } = options;
  if (inFlight !== undefined && !(Number.isInteger(inFlight) && inFlight >= 1))
    throw new RangeError(`inFlight ${inFlight} is not a whole number from 1 on`);
  const { watch, seeds, ...address } = parseAddress(url);
  const { partitions = seeds ? 16 : 1 } = options;
  if (!(Number.isInteger(partitions) && partitions >= 1 && partitions <= 256))
    throw new RangeError(`partitions ${partitions} is not 1 to 256`);
  const connection: NativeRemoteOptions = {
    ...address,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    clientName: `rxnf-${instance}`.replace(/[^\w.-]/g, '_'),
    library: libraryText,
    revision: libraryRevision,
    connectMilliseconds: options.connectMilliseconds ?? 1000,
    requestMilliseconds: options.requestMilliseconds ?? 1000,
    ...(inFlight !== undefined && { inFlight }),
    partitions,
    reasons: {
      unavailable: reason('store-unavailable'),
      timeout: reason('store-timeout'),
      full: reason('store-full'),
      refused: reason('store-refused'),
      schemaMismatch: reason('schema-mismatch'),
      unproved: reason('commit-unknown'),
    },
  };
  const askAt = (options: NativeRemoteOptions, words: readonly Word[]): Reply => {
    const reply = decodeReply(native.askServer(options, encodeCommand(words)));
    if (reply instanceof Error) throw new RemoteStoreError('ERR_STORE_REFUSED', url, reply.message);
    return reply;
  };
  const ask = (words: readonly Word[]): Reply => askAt(located(), words);
  const taken: number[] = [];
  if (address.scheme === 'rdma') mustBeReachable(address.host as string);

  /** The connection, to where the primary or primaries are now. */
  function located(): NativeRemoteOptions {
    if (seeds) {
      const nodes = findNodesNow(seeds, (seed, words) =>
        askAt({ ...connection, ...seed, library: '' }, words),
      );
      if (nodes) return { ...connection, ...nodes[0], nodes };
      const named = seeds.map(({ host, port }) => `${host}:${port}`).join(', ');
      throw new RemoteStoreError(
        'ERR_STORE_UNREACHABLE',
        url,
        `none of ${named} knows of a cluster: is cluster-enabled set, and are slots assigned?`,
      );
    }
    if (!watch) return connection;
    const { username: _, password: __, ...open } = connection;
    const primary = findPrimaryNow(watch, (sentinel, words) =>
      askAt({ ...open, ...sentinel, database: 0, library: '' }, words),
    );
    if (primary) return { ...connection, ...primary };
    throw new RemoteStoreError('ERR_STORE_UNREACHABLE', url, `no sentinel knows ${watch.name}`);
  }

  function take(): number {
    checkPartitions();
    const writer = ask(['INCR', 'rxnf:writers']) as number;
    if (writer >= maxWriters) {
      throw new RemoteStoreError(
        'ERR_STORE_WRITERS',
        url,
        `all ${maxWriters} writer numbers have been used: move to an empty server`,
      );
    }
    return writer;
  }

  function checkPartitions(): void {
    const known = textOf(ask(['SET', 'rxnf:partitions', partitions, 'NX', 'GET']));
    if (known === undefined || Number(known) === partitions) return;
    throw new RemoteStoreError(
      'ERR_STORE_PARTITIONS',
      url,
      `partitions: ${partitions} here and ${known} on the server, where records lie by them`,
    );
  }

  function mustBeRegistered(registered: boolean): void {
    if (registered) return;
    const why = 'the registry of schemas was being written all the time';
    throw new RemoteStoreError('ERR_SCHEMA', url, why);
  }

  return {
    register(table, name, schema) {
      mustBeRegistered(registerStored(name, schema, ask));
      registerTable(table, name, ask);
    },
    takeWriter() {
      const writer = take();
      taken.push(writer);
      return writer;
    },
    open(lane: Lane): StoreSession {
      for (const table of lane.tables as readonly Table[]) {
        if (table.scope !== 'shared') continue;
        mustBeRegistered(registerSchema(table.schema, ask));
        registerTable(table.storage, table.schema.name, ask);
      }
      const writer = taken.shift() ?? take();
      const client = new RemoteClient(lane, writer, located());
      client.connect(connection.connectMilliseconds);
      if (watch) follow(lane, client, watch);
      return new RemoteSession(lane, client, { claimLapseMilliseconds });
    },
  };
}

/** What is in the way on this machine, before a connection that could only say that it failed. */
function mustBeReachable(address: string): void {
  const problem = checkRdma({ field: 'store', address, connections: 1 }, systemRdmaProbes());
  if (problem) throw problem;
}

/** Keeps a client at the primary that the sentinels name. */
function follow(lane: Lane, client: RemoteClient, watch: Watch): void {
  let asking = false;
  lane.every(followTick, () => {
    if (asking) return;
    asking = true;
    void findPrimary(watch)
      .then((primary) => primary && client.redirect(primary.host, primary.port))
      .finally(() => {
        asking = false;
      });
  });
}

const followTick = 250;
