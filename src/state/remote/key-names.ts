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
