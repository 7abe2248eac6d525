/** Where the primary is, as the sentinels that watch it say (https://redis.io/docs/reference/sentinel-clients). */
import { withServer } from '../redis-control/connection.ts';
import type { Host, ServerAddress } from './address.ts';
import { listOf, type Reply, textOf, type Word } from './command.ts';

export type Watch = NonNullable<ServerAddress['watch']>;

const limitMilliseconds = 500;
const question = (name: string): Word[] => ['SENTINEL', 'get-master-addr-by-name', name];

/** Asks one after the other; the first that knows is believed. Undefined where none does. */
export async function findPrimary({ sentinels, name }: Watch): Promise<Host | undefined> {
  for (const { host, port } of sentinels) {
    const access = {
      url: `redis://${host.includes(':') ? `[${host}]` : host}:${port}`,
      timeoutMilliseconds: limitMilliseconds,
    };
    try {
      const found = await withServer(access, (sentinel) =>
        sentinel.call('SENTINEL', 'get-master-addr-by-name', name),
      );
      if (Array.isArray(found)) return { host: String(found[0]), port: Number(found[1]) };
    } catch {
      // the next one may know
    }
  }
  return undefined;
}

/** Likewise, where nothing else can be done before it is known. */
export function findPrimaryNow(
  { sentinels, name }: Watch,
  ask: (sentinel: Host, words: Word[]) => Reply,
): Host | undefined {
  for (const sentinel of sentinels) {
    try {
      const [host, port] = listOf(ask(sentinel, question(name))).map(textOf);
      if (host !== undefined) return { host, port: Number(port) };
    } catch {
      // the next one may know
    }
  }
  return undefined;
}
