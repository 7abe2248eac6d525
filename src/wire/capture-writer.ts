/**
 * Writes pcap with nanoseconds, in the byte order of network packets, as chunks that fill up and
 * go to a sink, which owns each from then on. One chunk is all that a writer holds.
 */
import { concatenate, viewOf } from './bytes.ts';
import { LINK_TYPE } from './link-type.ts';
import { FILE_HEADER_LENGTH, MAGIC_NANOSECONDS, RECORD_HEADER_LENGTH } from './pcap.ts';

/** What tcpdump and Wireshark call "all of it". */
const SNAP_LENGTH = 262_144;
const CHUNK_LENGTH = 1_048_576;

export interface CaptureWriterOptions {
  /** Ethernet where absent. */
  readonly linkType?: number;
  /** Bytes kept of each packet, at most 262,144, which is also what holds where absent. */
  readonly snapLength?: number;
}

/**
 * ```ts
 * const writer = new CaptureWriter((chunk) => writeSync(file, chunk));
 * writer.append(arena, offset, length, seconds, nanoseconds);
 * writer.flush();
 * ```
 */
export class CaptureWriter {
  readonly #sink: (chunk: Uint8Array) => void;
  readonly #snapLength: number;
  #chunk = new Uint8Array(CHUNK_LENGTH);
  #view = viewOf(this.#chunk);
  #used = FILE_HEADER_LENGTH;

  constructor(sink: (chunk: Uint8Array) => void, options: CaptureWriterOptions = {}) {
    this.#sink = sink;
    this.#snapLength = Math.min(options.snapLength ?? SNAP_LENGTH, SNAP_LENGTH);
    this.#view.setUint32(0, MAGIC_NANOSECONDS);
    this.#view.setUint16(4, 2);
    this.#view.setUint16(6, 4);
    this.#view.setUint32(16, this.#snapLength);
    this.#view.setUint32(20, options.linkType ?? LINK_TYPE.ethernet);
  }

  /** Copies `length` bytes of `bytes` from `offset` as the next packet, received at a time since 1970. */
  append(
    bytes: Uint8Array,
    offset: number,
    length: number,
    seconds: number,
    nanoseconds: number,
    originalLength = length,
  ): void {
    const kept = Math.min(length, this.#snapLength);
    // 16 + 262,144 bytes always fit an empty chunk of 1 MiB.
    if (this.#used + RECORD_HEADER_LENGTH + kept > CHUNK_LENGTH) this.flush();
    const at = this.#used;
    this.#view.setUint32(at, seconds);
    this.#view.setUint32(at + 4, nanoseconds);
    this.#view.setUint32(at + 8, kept);
    this.#view.setUint32(at + 12, originalLength);
    this.#chunk.set(bytes.subarray(offset, offset + kept), at + RECORD_HEADER_LENGTH);
    this.#used = at + RECORD_HEADER_LENGTH + kept;
  }

  /** Hands what there is to the sink: call it once more at the end. The writer goes on afterwards. */
  flush(): void {
    if (this.#used === 0) return;
    this.#sink(this.#chunk.subarray(0, this.#used));
    this.#chunk = new Uint8Array(CHUNK_LENGTH);
    this.#view = viewOf(this.#chunk);
    this.#used = 0;
  }
}

/** A whole capture file of some frames, a microsecond apart: for tests and examples. */
export function writeCapture(
  frames: readonly Uint8Array[],
  options: CaptureWriterOptions = {},
): Uint8Array {
  const chunks: Uint8Array[] = [];
  const writer = new CaptureWriter((chunk) => chunks.push(chunk), options);
  frames.forEach((frame, index) => {
    const nanoseconds = (index % 1_000_000) * 1000;
    writer.append(frame, 0, frame.length, Math.floor(index / 1_000_000), nanoseconds);
  });
  writer.flush();
  return concatenate(chunks);
}
