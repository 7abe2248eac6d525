/**
 * The servers on which a store lies, for who looks after it: one, or every primary of a cluster. While slots
 * move, what is asked of their keys is refused, and the whole is to be repeated.
 */
import type { Redis } from 'ioredis';
import { parseAddress } from '../remote/address.ts';
import { type Access, type Node, nodeName, StoreControlError, withServer } from './connection.ts';

export class StoreServers {
  readonly all: readonly Redis[];
  /** Who had the keys of a tag when last asked: bounded by partitions, pools and our few names. */
  private readonly holders = new Map<string, Redis>();

  constructor(all: readonly Redis[]) {
    this.all = all;
  }

  /**
   * Runs a command on the server that has its keys; elsewhere it is refused, and has done nothing.
   *
   * @param tag what the keys' slot follows from: their hash tag, or their name
   */
  async holding<T>(tag: string, run: (server: Redis) => Promise<T>): Promise<T> {
    const known = this.holders.get(tag);
    const order = known ? [known, ...this.all.filter((server) => server !== known)] : this.all;
    let refusal: unknown;
    for (const server of order) {
      try {
        const result = await run(server);
        this.holders.set(tag, server);
        return result;
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('MOVED '))) throw error;
        refusal = error;
      }
    }
    throw refusal;
  }
}

/** @throws {StoreControlError} `ERR_STORE_CLUSTER` for one node of a cluster, as {@link withServer} */
export async function withStore<T>(
  access: Access,
  use: (servers: StoreServers) => Promise<T>,
): Promise<T> {
  if (isClusterUrl(access.url)) {
    const { seed, primaries } = await primariesOf(access);
    return withEach(seed, primaries, [], (servers) => use(new StoreServers(servers)));
  }
  return withServer(access, async (server) => {
    if (/^cluster_enabled:1/m.test(await server.info('cluster'))) {
      const why =
        'a node of a cluster has a part of the records only: name it as redis+cluster://host:port';
      throw new StoreControlError('ERR_STORE_CLUSTER', storeName(access), why);
    }
    return use(new StoreServers([server]));
  });
}

/** How a store is named where it has to be named exactly: `host:port/database`, a socket's path, a cluster's nodes as given. */
export function storeName({ url }: Access): string {
  if (url.startsWith('unix:')) return url.slice('unix:'.length);
  if (isClusterUrl(url)) return (parseAddress(url).seeds ?? []).map(nodeName).join(',');
  const { host, pathname } = new URL(url);
  const database = pathname.length > 1 ? pathname : '/0';
  return `${/:\d+$/.test(host) ? host : `${host}:6379`}${database}`;
}

const isClusterUrl = (url: string) => /^rediss?\+cluster:/.test(url);

/** Who owns slots, by the first node that can be asked, and the access that holds for all of them. */
async function primariesOf(access: Access): Promise<{ seed: Access; primaries: readonly Node[] }> {
  const { seeds = [], scheme, username, password } = parseAddress(access.url);
  let away: unknown;
  for (const { host, port } of seeds) {
    const seed = {
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...access,
      url: `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    };
    try {
      const primaries = await withServer(seed, (server) => slotOwners(server, host));
      if (primaries.length > 0) return { seed, primaries };
    } catch (error) {
      if (!(error instanceof StoreControlError) || error.code !== 'ERR_STORE_UNREACHABLE')
        throw error;
      away = error;
    }
  }
  if (away !== undefined) throw away;
  const why = 'no node knows who owns slots: are they assigned?';
  throw new StoreControlError('ERR_STORE_UNREACHABLE', storeName(access), why);
}

/** https://redis.io/docs/latest/commands/cluster-slots: a node that does not know its own host is at `asked`. */
async function slotOwners(server: Redis, asked: string): Promise<Node[]> {
  const ranges = (await server.call('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
  const owners = new Map<string, Node>();
  for (const [, , [host, port]] of ranges) {
    const node = { host: host === '' || host === '?' ? asked : (host ?? asked), port };
    owners.set(nodeName(node), node);
  }
  return [...owners.values()];
}

/** Opens a connection to each, as deep as there are nodes. */
function withEach<T>(
  access: Access,
  [next, ...rest]: readonly Node[],
  opened: readonly Redis[],
  use: (servers: readonly Redis[]) => Promise<T>,
): Promise<T> {
  if (!next) return use(opened);
  return withServer(access, (server) => withEach(access, rest, [...opened, server], use), next);
}
