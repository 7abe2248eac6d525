/** Names of keys on a server, one byte a character: docs/decisions/0007-state-outside.md. */
import { partitionOf, recordKey } from '../../../src/state/remote/key-names.ts';
import type { Table } from '../../../src/state/table.ts';
import { bytesOf, textOf } from './value.ts';

/** Of the record with a key of 16 bytes. */
export function storedName(partitions: number, { storage }: Table, key: string): string {
  const bytes = bytesOf(key);
  return textOf(recordKey(partitionOf(bytes, partitions), storage, bytes));
}

export function siblingName(partition: number, { storage }: Table, sign: '!' | '='): string {
  return `{${partition.toString(16).padStart(2, '0')}}${storage}${sign}`;
}
