/** Values and numbers as they lie on a server (docs/decisions/0007-state-outside.md), one byte a character. */
import type { Value } from '../store-functions.ts';

export const zeroVersion = '\0'.repeat(8);

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

export function u64(value: bigint | number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes.toString('latin1');
}

export function readValue(text: string): Value {
  const bytes = Buffer.from(text, 'latin1');
  return {
    version: bytes.readBigUInt64LE(0),
    deadline: Number(bytes.readBigUInt64LE(8)),
    timer: bytes.readUInt8(16),
    committed: (bytes.readUInt8(17) & 1) === 1,
    record: Uint8Array.from(bytes.subarray(24)),
  };
}

/** The partition in a key's name. */
export function partitionIn(key: string): number {
  return Number.parseInt(key.slice(1, 3), 16);
}
