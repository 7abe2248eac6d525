/**
 * Capture files, read whole into an index over their bytes: pcap (either byte order, microseconds
 * or nanoseconds) and pcapng (sections of either byte order, several interfaces). Columns of
 * numbers, no object per packet. The index keeps the file's bytes alive and copies none.
 */

import { viewOf } from './bytes.ts';
import { CaptureBuilder } from './capture-builder.ts';
import { CaptureError } from './capture-error.ts';
import type { Capture } from './capture-index.ts';
import { toEthernet } from './link-type.ts';
import { isPcap, readPcap } from './pcap.ts';
import { isPcapng, readPcapng } from './pcapng.ts';

export type { CaptureErrorCode } from './capture-error.ts';
export { CaptureError } from './capture-error.ts';
export type { Capture } from './capture-index.ts';
export type { CaptureWriterOptions } from './capture-writer.ts';
export { CaptureWriter, writeCapture } from './capture-writer.ts';
export { LINK_TYPE, linkTypeName, toEthernet } from './link-type.ts';

/**
 * ```ts
 * const capture = readCapture(readFileSync('in.pcap'));
 * for (let i = 0; i < capture.count; i++) console.log(dissect(packetAt(capture, i)));
 * ```
 *
 * Throws `CaptureError`, and nothing else, for a malformed file.
 */
export function readCapture(bytes: Uint8Array): Capture {
  if (bytes.length > 0xffff_ffff) {
    throw new CaptureError('too-large', 0, `${bytes.length} bytes`, undefined);
  }
  const view = viewOf(bytes);
  if (isPcap(view)) return readPcap(view, new CaptureBuilder(bytes));
  if (isPcapng(view)) return readPcapng(view, new CaptureBuilder(bytes));
  const found = bytes.length < 4 ? 'fewer than 4 bytes' : `0x${view.getUint32(0).toString(16)}`;
  throw new CaptureError('not-a-capture', 0, found, undefined);
}

/** A window on the bytes of packet `index`, in its interface's link type. */
export function packetAt(capture: Capture, index: number): Uint8Array {
  const offset = capture.offsets[index];
  return capture.bytes.subarray(offset, offset + capture.lengths[index]);
}

export function linkTypeAt(capture: Capture, index: number): number {
  return capture.linkTypes[capture.interfaces[index]];
}

/** Packet `index` as an Ethernet frame, its link header replaced; undefined where that is unknown. */
export function frameAt(capture: Capture, index: number): Uint8Array | undefined {
  return toEthernet(linkTypeAt(capture, index), packetAt(capture, index));
}
