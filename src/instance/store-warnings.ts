/** What the configured commit class is worth on the servers that there are, asked once at start. */

import { type Access, withServer } from '../state/redis-control/connection.ts';
import { checkDurability } from '../state/redis-control/durability.ts';
import { type Host, parseAddress, type ServerAddress } from '../state/remote/address.ts';
import { findPrimary } from '../state/remote/sentinels.ts';
import type { CommitClass } from '../state/table.ts';
import type { StoreChoice } from './config-store.ts';

/** A sentence for each thing that can be lost; none where nothing can, or where there is no server. */
export async function storeWarnings(store: StoreChoice, commit: CommitClass): Promise<string[]> {
  if (store.kind !== 'remote') return [];
  const address = parseAddress(store.url);
  // The control side speaks neither RDMA nor to a server whose certificate it was not given.
  if (address.scheme === 'rdma' || address.scheme === 'rediss') return [];
  const field = 'nat.commit';
  try {
    const replicas = commit === 'primary' ? 0 : commit.replicas;
    const { findings } = await checkDurability(await accessTo(store.url, address), replicas);
    return findings.map((finding) => `${field}: ${finding}`);
  } catch (error) {
    return [`${field}: not known what it is worth: ${(error as Error).message}`];
  }
}

/** One of the servers: it knows of the others. */
async function accessTo(url: string, { watch, seeds, username, password }: ServerAddress) {
  const given = { ...(username && { username }), ...(password && { password }) };
  const at = ({ host, port }: Host) => ({
    url: `redis://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ...given,
  });
  if (seeds) return at(await firstThatAnswers(seeds.map((seed) => [seed, at(seed)])));
  if (!watch) return { url };
  const primary = await findPrimary(watch);
  if (!primary) throw new Error(`no sentinel knows ${watch.name}`);
  return at(primary);
}

async function firstThatAnswers(nodes: readonly (readonly [Host, Access])[]): Promise<Host> {
  let problem: unknown;
  for (const [node, access] of nodes) {
    try {
      await withServer(access, (server) => server.ping());
      return node;
    } catch (error) {
      problem = error;
    }
  }
  throw problem;
}
