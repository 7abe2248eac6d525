/** Which nodes there are, and which of them may become primary. */
import type { Redis } from 'ioredis';
import { type Access, type Node, nodeName, StoreControlError, withServer } from './connection.ts';

export interface Topology {
  /** Each primary with its replicas; more than one primary in a cluster. */
  readonly shards: readonly Shard[];
}

export interface Shard {
  readonly primary: Node;
  readonly replicas: readonly Replica[];
}

export interface Replica extends Node {
  /** False for a replica that is configured never to be made primary (`replica-priority 0`). */
  readonly promotable: boolean;
  /** In step with its primary's stream of writes, as far as is known now. */
  readonly online: boolean;
}

/**
 * Asks the server of the URL, its primary where it is a replica, or its whole cluster.
 *
 * @throws {StoreControlError}
 */
export function discover(access: Access): Promise<Topology> {
  return withServer(access, async (server) => {
    if (await isCluster(server)) return { shards: await clusterShards(access, server) };
    const primary = await primaryOf(access, server);
    return { shards: [{ primary, replicas: await replicasOf(access, server, primary) }] };
  });
}

/** Every node that is primary or may become it: where an instance must lose its access to be fenced. */
export function promotable({ shards }: Topology): Node[] {
  return shards.flatMap(({ primary, replicas }) => [
    primary,
    ...replicas.filter((replica) => replica.promotable),
  ]);
}

async function isCluster(server: Redis): Promise<boolean> {
  return field(await server.info('cluster'), 'cluster_enabled') === '1';
}

/** `name:value` of an INFO reply. */
function field(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
}

async function primaryOf(access: Access, server: Redis): Promise<Node> {
  const info = await server.info('replication');
  if (field(info, 'role') !== 'slave') return addressOf(access, server);
  return { host: field(info, 'master_host') ?? '', port: Number(field(info, 'master_port')) };
}

/** The server that we are connected to, by an address that others can use too. */
async function addressOf(access: Access, server: Redis): Promise<Node> {
  if (!access.url.startsWith('unix:')) {
    const { host = '127.0.0.1', port = 6379 } = server.options;
    return { host, port };
  }
  const port = Number(field(await server.info('server'), 'tcp_port'));
  return { host: '127.0.0.1', port };
}

async function replicasOf(access: Access, server: Redis, primary: Node): Promise<Replica[]> {
  const own = await addressOf(access, server);
  const isPrimary = nodeName(own) === nodeName(primary);
  const info = isPrimary
    ? await server.info('replication')
    : await withServer(access, (other) => other.info('replication'), primary);
  const lines = [...info.matchAll(/^slave\d+:(.*?)\r?$/gm)].map(([, line = '']) => line);
  return Promise.all(
    lines.map(async (line) => {
      const of = new Map(line.split(',').map((part) => part.split('=') as [string, string]));
      const node = { host: of.get('ip') ?? '', port: Number(of.get('port')) };
      const online = of.get('state') === 'online';
      return { ...node, online, promotable: await mayBePromoted(access, node) };
    }),
  );
}

/** A replica that cannot be asked may be promotable: what is not proven is not assumed. */
async function mayBePromoted(access: Access, node: Node): Promise<boolean> {
  try {
    const info = await withServer(access, (replica) => replica.info('replication'), node);
    return field(info, 'slave_priority') !== '0';
  } catch (error) {
    if (error instanceof StoreControlError) return true;
    throw error;
  }
}

async function clusterShards(access: Access, server: Redis): Promise<Shard[]> {
  const lines = String(await server.cluster('NODES'))
    .trim()
    .split('\n');
  const nodes = lines.map((line) => {
    const [id = '', address = '', flags = '', parent = '', , , , link] = line.split(' ');
    const [, host = '', port = '0'] = /^(.*):(\d+)@/.exec(address) ?? [];
    return { id, host, port: Number(port), flags: flags.split(','), parent, link };
  });
  const known = nodes.filter(({ flags }) => !flags.includes('noaddr'));
  const primaries = known.filter(({ flags }) => flags.includes('master'));
  return Promise.all(
    primaries.map(async ({ id, host, port }) => ({
      primary: { host, port },
      replicas: await Promise.all(
        known
          .filter(({ parent }) => parent === id)
          .map(async (node) => ({
            host: node.host,
            port: node.port,
            online: node.link === 'connected' && !node.flags.some((f) => f.startsWith('fail')),
            promotable: await mayBePromoted(access, node),
          })),
      ),
    })),
  );
}
