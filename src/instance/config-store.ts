/** Where state lives, as it is written in a configuration: `store: shared:/dev/shm/rxnf-nat`. */

export type StoreChoice =
  /** This process; its lanes share it, and it ends with them. */
  | { readonly kind: 'memory' }
  /** Shared memory of this machine: outlives every process. `path` is a folder, best under /dev/shm. */
  | { readonly kind: 'shared'; readonly path: string };

/** How a store is written, for errors and the documentation. */
export const storeForms = ['memory', 'shared:/dev/shm/rxnf-nat'] as const;

/** The choice, or why the text is none; undefined where it is not like any form. */
export function parseStore(text: string): StoreChoice | { readonly why: string } | undefined {
  if (text === 'memory') return { kind: 'memory' };
  const path = text.startsWith('shared:') ? text.slice('shared:'.length) : undefined;
  if (path === undefined) return undefined;
  if (!path.startsWith('/') || path === '/') return { why: 'not an absolute path' };
  return { kind: 'shared', path: path.replace(/\/+$/, '') };
}
