/** Collects a capture's columns, which double when full: a file of n bytes has under n / 8 rows. */

import type { CaptureErrorCode } from './capture-error.ts';
import { CaptureError } from './capture-error.ts';
import type { Capture } from './capture-index.ts';

/** Interfaces are counted in 16 bits, as pcapng's packet blocks did. */
const MAXIMUM_INTERFACES = 0x10000;

export class CaptureBuilder {
  readonly bytes: Uint8Array;
  readonly #linkTypes: number[] = [];
  #count = 0;
  #interfaces = new Uint16Array(64);
  #offsets = new Uint32Array(64);
  #lengths = new Uint32Array(64);
  #originalLengths = new Uint32Array(64);
  #timestamps = new BigInt64Array(64);

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The new interface's index. */
  addInterface(linkType: number, byteOffset: number): number {
    if (this.#linkTypes.length === MAXIMUM_INTERFACES) {
      this.fail('bad-record', byteOffset, `more than ${MAXIMUM_INTERFACES} interfaces`);
    }
    return this.#linkTypes.push(linkType) - 1;
  }

  addPacket(
    index: number,
    offset: number,
    length: number,
    originalLength: number,
    timestampNanoseconds: bigint,
  ): void {
    if (this.#count === this.#offsets.length) this.#grow();
    this.#interfaces[this.#count] = index;
    this.#offsets[this.#count] = offset;
    this.#lengths[this.#count] = length;
    this.#originalLengths[this.#count] = originalLength;
    this.#timestamps[this.#count] = timestampNanoseconds;
    this.#count += 1;
  }

  build(): Capture {
    const first = this.#linkTypes[0];
    const isShared = this.#linkTypes.every((linkType) => linkType === first);
    return {
      bytes: this.bytes,
      count: this.#count,
      linkType: isShared ? first : undefined,
      linkTypes: this.#linkTypes,
      interfaces: this.#interfaces.slice(0, this.#count),
      offsets: this.#offsets.slice(0, this.#count),
      lengths: this.#lengths.slice(0, this.#count),
      originalLengths: this.#originalLengths.slice(0, this.#count),
      timestampsNanoseconds: this.#timestamps.slice(0, this.#count),
    };
  }

  /** Throws, handing over the packets so far. */
  fail(code: CaptureErrorCode, byteOffset: number, found: string): never {
    throw new CaptureError(code, byteOffset, found, this.build());
  }

  #grow(): void {
    const size = this.#count * 2;
    const interfaces = new Uint16Array(size);
    const offsets = new Uint32Array(size);
    const lengths = new Uint32Array(size);
    const originalLengths = new Uint32Array(size);
    const timestamps = new BigInt64Array(size);
    interfaces.set(this.#interfaces);
    offsets.set(this.#offsets);
    lengths.set(this.#lengths);
    originalLengths.set(this.#originalLengths);
    timestamps.set(this.#timestamps);
    this.#interfaces = interfaces;
    this.#offsets = offsets;
    this.#lengths = lengths;
    this.#originalLengths = originalLengths;
    this.#timestamps = timestamps;
  }
}
