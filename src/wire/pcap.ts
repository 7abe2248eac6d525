/** The classic capture format (draft-ietf-opsawg-pcap): a file header, then records. */
import type { CaptureBuilder } from './capture-builder.ts';
import type { Capture } from './capture-index.ts';

export const FILE_HEADER_LENGTH = 24;
export const RECORD_HEADER_LENGTH = 16;

export const MAGIC_MICROSECONDS = 0xa1b2c3d4;
export const MAGIC_NANOSECONDS = 0xa1b23c4d;

export function isPcap(view: DataView): boolean {
  return view.byteLength >= 4 && (isMagic(view, true) || isMagic(view, false));
}

export function readPcap(view: DataView, builder: CaptureBuilder): Capture {
  const end = view.byteLength;
  if (end < FILE_HEADER_LENGTH) builder.fail('cut-short', 0, `a file header of ${end} bytes`);
  const little = isMagic(view, true);
  const unit = view.getUint32(0, little) === MAGIC_NANOSECONDS ? 1n : 1000n;
  // The upper bits tell of a frame check sequence, not of the link type.
  builder.addInterface(view.getUint32(20, little) & 0xffff, 20);
  let at = FILE_HEADER_LENGTH;
  while (at < end) {
    const data = at + RECORD_HEADER_LENGTH;
    if (data > end) builder.fail('cut-short', at, `a record header of ${end - at} bytes`);
    const length = view.getUint32(at + 8, little);
    if (length > end - data) {
      builder.fail('cut-short', at, `a packet of ${length} bytes with ${end - data} left`);
    }
    const seconds = BigInt(view.getUint32(at, little));
    const fraction = BigInt(view.getUint32(at + 4, little));
    const timestamp = seconds * 1_000_000_000n + fraction * unit;
    builder.addPacket(0, data, length, view.getUint32(at + 12, little), timestamp);
    at = data + length;
  }
  return builder.build();
}

function isMagic(view: DataView, little: boolean): boolean {
  const magic = view.getUint32(0, little);
  return magic === MAGIC_MICROSECONDS || magic === MAGIC_NANOSECONDS;
}
