/** Where state lives, as it is written in a configuration: `store: shared:/dev/shm/rxnf-nat`. */
import { parseAddress, StoreUrlError } from '../state/remote/address.ts';

export type StoreChoice =
  /** This process; its lanes share it, and it ends with them. */
  | { readonly kind: 'memory' }
  /** Shared memory of this machine: outlives every process. `path` is a folder, best under /dev/shm. */
  | { readonly kind: 'shared'; readonly path: string }
  /** Redis or Valkey servers. */
  | { readonly kind: 'remote'; readonly url: string };

/** How a store is written, for errors and the documentation. */
export const storeForms = [
  'memory',
  'shared:/dev/shm/rxnf-nat',
  'unix:/run/valkey/valkey.sock',
  'redis://USER:PASSWORD@HOST:6379/0',
  'rediss://HOST:6379',
  'rdma://HOST:6379',
  'redis+sentinel://HOST:26379,HOST:26379/NAME',
  'redis+cluster://HOST:6379,HOST:6379',
] as const;

/** The choice, or why the text is none; undefined where it is not like any form. */
export function parseStore(text: string): StoreChoice | { readonly why: string } | undefined {
  if (text === 'memory') return { kind: 'memory' };
  if (/^(unix|redis|rediss|rdma|redis\+sentinel|rediss?\+cluster):/.test(text)) return remote(text);
  const path = text.startsWith('shared:') ? text.slice('shared:'.length) : undefined;
  if (path === undefined) return undefined;
  if (!path.startsWith('/') || path === '/') return { why: 'not an absolute path' };
  return { kind: 'shared', path: path.replace(/\/+$/, '') };
}

function remote(url: string): StoreChoice | { readonly why: string } {
  try {
    parseAddress(url);
    return { kind: 'remote', url };
  } catch (error) {
    if (error instanceof StoreUrlError) return { why: error.why };
    throw error;
  }
}
