/**
 * TCP options: maximum segment size (RFC 9293 section 3.2), window scale and timestamps (RFC
 * 7323), selective acknowledgement permitted (RFC 2018).
 */
import { HEADER_LENGTH, headerLength } from './tcp.ts';

export const OPTION = {
  end: 0,
  noOperation: 1,
  maximumSegmentSize: 2,
  windowScale: 3,
  selectiveAcknowledgementPermitted: 4,
  timestamps: 8,
} as const;

export interface TcpOptions {
  readonly maximumSegmentSize?: number;
  readonly windowScale?: number;
  readonly selectiveAcknowledgementPermitted?: boolean;
  readonly timestamp?: number;
  /** 0 where absent; only sent with a timestamp. */
  readonly timestampEcho?: number;
}

/**
 * The offset in `view` of the first option of a kind, or -1, in a header at `offset` that passed
 * its check. An option whose length is impossible ends the search (RFC 9293 MUST-7).
 */
export function findOption(view: DataView, offset: number, kind: number): number {
  const end = offset + headerLength(view, offset);
  let at = offset + HEADER_LENGTH;
  while (at < end) {
    const found = view.getUint8(at);
    if (found === OPTION.end) return -1;
    if (found === OPTION.noOperation) {
      if (kind === found) return at;
      at += 1;
      continue;
    }
    if (at + 2 > end) return -1;
    const length = view.getUint8(at + 1);
    if (length < 2 || at + length > end) return -1;
    if (found === kind) return at;
    at += length;
  }
  return -1;
}

/** Undefined without the option, or where its length is not 4. */
export function maximumSegmentSize(view: DataView, offset: number): number | undefined {
  const at = findOption(view, offset, OPTION.maximumSegmentSize);
  return at < 0 || view.getUint8(at + 1) !== 4 ? undefined : view.getUint16(at + 2);
}

/** Overwrites the option's value; false, and nothing changed, where it is absent. The checksum is the caller's. */
export function setMaximumSegmentSize(view: DataView, offset: number, value: number): boolean {
  const at = findOption(view, offset, OPTION.maximumSegmentSize);
  if (at < 0 || view.getUint8(at + 1) !== 4) return false;
  view.setUint16(at + 2, value);
  return true;
}

/**
 * The bytes of some options in one fixed order: maximum segment size, selective acknowledgement,
 * timestamps, window scale, then End of Option List up to a multiple of 4.
 */
export function encodeOptions(options: TcpOptions): Uint8Array {
  const bytes: number[] = [];
  const { maximumSegmentSize: size, windowScale: scale, timestamp } = options;
  if (size !== undefined) bytes.push(OPTION.maximumSegmentSize, 4, size >>> 8, size & 255);
  if (options.selectiveAcknowledgementPermitted) {
    bytes.push(OPTION.selectiveAcknowledgementPermitted, 2);
  }
  if (timestamp !== undefined) {
    bytes.push(OPTION.timestamps, 10, ...word(timestamp), ...word(options.timestampEcho ?? 0));
  }
  if (scale !== undefined) bytes.push(OPTION.windowScale, 3, scale);
  while (bytes.length % 4 !== 0) bytes.push(OPTION.end);
  return Uint8Array.from(bytes);
}

/** The known options among the bytes of a header; unknown and malformed ones are passed over. */
export function decodeOptions(bytes: Uint8Array): TcpOptions {
  const view = new DataView(new ArrayBuffer(HEADER_LENGTH + 40));
  new Uint8Array(view.buffer).set(bytes.subarray(0, 40), HEADER_LENGTH);
  view.setUint8(12, (HEADER_LENGTH + Math.min(40, (bytes.length + 3) & ~3)) << 2);
  const sized = (kind: number, length: number) => {
    const at = findOption(view, 0, kind);
    return at >= 0 && view.getUint8(at + 1) === length ? at : -1;
  };
  const size = maximumSegmentSize(view, 0);
  const scale = sized(OPTION.windowScale, 3);
  const stamps = sized(OPTION.timestamps, 10);
  const permitted = sized(OPTION.selectiveAcknowledgementPermitted, 2) >= 0;
  return {
    ...(size !== undefined && { maximumSegmentSize: size }),
    ...(scale >= 0 && { windowScale: view.getUint8(scale + 2) }),
    ...(permitted && { selectiveAcknowledgementPermitted: true }),
    ...(stamps >= 0 && {
      timestamp: view.getUint32(stamps + 2),
      timestampEcho: view.getUint32(stamps + 6),
    }),
  };
}

function word(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}
