/** Names of keys on a server: docs/decisions/0007-state-outside.md. */

/** `{pp}`, the hash tag of a partition. */
const tag = (partition: number) => `{${partition.toString(16).padStart(2, '0')}}`;

/** A record's key: the 16 raw bytes behind the name of table and partition. */
export function recordKey(partition: number, table: string, key: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${tag(partition)}${table}/`), key]);
}

/** Deadlines of a partition's records. */
export const deadlinesKey = (partition: number, table: string) => `${tag(partition)}${table}!`;
/** Its claimed and unconfirmed expiries. */
export const claimsKey = (partition: number, table: string) => `${tag(partition)}${table}?`;
/** How many records it has. */
export const sizeKey = (partition: number, table: string) => `${tag(partition)}${table}=`;

/** Each writer's last call, in a partition. */
export const accountsKey = (partition: number) => `${tag(partition)}+`;

/** A pool's numbers: those that came back, and those that are out. */
export function poolKeys(partition: number, pool: string): [free: string, out: string] {
  return [`${tag(partition)}#${pool}`, `${tag(partition)}#${pool}:out`];
}

/** The partition of a key of 16 bytes: `partition_of` of native/store/remote/key_space.h. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  const view = new DataView(key.buffer, key.byteOffset, key.length);
  const low = view.getBigUint64(0, true) ^ 0x9e3779b97f4a7c15n;
  const high = view.getBigUint64(8, true) ^ 0xd1b54a32d192ed03n;
  const product = low * high;
  const hash = BigInt.asUintN(64, product ^ (product >> 64n));
  return Number(((hash >> 32n) * BigInt(partitions)) >> 32n);
}

/** What a key is that SCAN found; undefined for one that is not of rxnf's making. */
export function parseKey(name: Uint8Array): StoredKey | undefined {
  const text = Buffer.from(name).toString('latin1');
  const [, table = '', raw] = /^\{[0-9a-f]{2}\}([^/]+)\/(.{16})$/s.exec(text) ?? [];
  if (raw !== undefined) return { kind: 'record', table, key: name.subarray(-16) };
  const [, of = '', sign] = /^\{[0-9a-f]{2}\}([^/]+)([!?=])$/.exec(text) ?? [];
  if (sign !== undefined) return { kind: sign === '=' ? 'size' : 'timers', table: of };
  return /^\{[0-9a-f]{2}\}(\+|\+proof:\d+|#.+)$/.test(text) ? { kind: 'accounts' } : undefined;
}

export type StoredKey =
  | { readonly kind: 'record'; readonly table: string; readonly key: Uint8Array }
  | { readonly kind: 'size' | 'timers'; readonly table: string }
  | { readonly kind: 'accounts' };

/** The pattern of `SCAN` that all records of a table match, or those of one partition. */
export function recordPattern(table: string, partition?: number): string {
  return `${partition === undefined ? '{??}' : tag(partition)}${table.replace(/[*?[\]\\^]/g, '\\$&')}/*`;
}

/** FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/. Names schemas in values, and places pools. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
