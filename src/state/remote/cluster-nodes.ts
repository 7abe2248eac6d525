/** Which nodes a cluster has, as one of them says (https://redis.io/docs/latest/commands/cluster-slots). */
import type { Host } from './address.ts';
import { listOf, type Reply, textOf, type Word } from './command.ts';

/** The primaries, asked of one seed after the other; undefined where none knows any. */
export function findNodesNow(
  seeds: readonly Host[],
  ask: (seed: Host, words: Word[]) => Reply,
): Host[] | undefined {
  for (const seed of seeds) {
    try {
      const primaries = primariesOf(ask(seed, ['CLUSTER', 'SLOTS']), seed.host);
      if (primaries.length > 0) return primaries;
    } catch {
      // the next one may know
    }
  }
  return undefined;
}

/** Of `[[first, last, [host, port, ...], replicas...], ...]`; who does not know its own host is at `asked`. */
function primariesOf(reply: Reply, asked: string): Host[] {
  const known = new Map<string, Host>();
  for (const range of listOf(reply)) {
    const [host = null, port] = listOf(listOf(range)[2] ?? null);
    const name = textOf(host) || asked;
    known.set(`${name}:${port}`, { host: name === '?' ? asked : name, port: Number(port) });
  }
  return [...known.values()];
}
