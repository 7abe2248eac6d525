/** TCP header (RFC 9293 section 3.1); its options are read and written in tcp-options.ts. */
import * as checksums from './checksum.ts';
import type { Malformed } from './malformed.ts';

/** Without options. */
export const HEADER_LENGTH = 20;
export const MAXIMUM_HEADER_LENGTH = 60;

export const FLAG = {
  fin: 0x01,
  syn: 0x02,
  rst: 0x04,
  psh: 0x08,
  ack: 0x10,
  urg: 0x20,
  ece: 0x40,
  cwr: 0x80,
} as const;

export interface TcpFields {
  readonly source: number;
  readonly destination: number;
  /** 0 where absent, like the acknowledgement and the urgent pointer. */
  readonly sequence?: number;
  readonly acknowledgement?: number;
  /** Bits of `FLAG`; 0 where absent. */
  readonly flags?: number;
  /** 65535 where absent. */
  readonly window?: number;
  readonly urgentPointer?: number;
  /** At most 40 bytes; padded with End of Option List to a multiple of 4. */
  readonly options?: Uint8Array;
  /** 0 where absent. `fillChecksum` computes it. */
  readonly checksum?: number;
}

export function check(view: DataView, offset: number, end: number): Malformed | undefined {
  if (end - offset < HEADER_LENGTH) return 'truncated';
  const length = headerLength(view, offset);
  return length < HEADER_LENGTH || length > end - offset ? 'bad-tcp-offset' : undefined;
}

export function source(view: DataView, offset: number): number {
  return view.getUint16(offset);
}

export function destination(view: DataView, offset: number): number {
  return view.getUint16(offset + 2);
}

export function sequence(view: DataView, offset: number): number {
  return view.getUint32(offset + 4);
}

export function acknowledgement(view: DataView, offset: number): number {
  return view.getUint32(offset + 8);
}

/** In bytes, options included: the data offset. */
export function headerLength(view: DataView, offset: number): number {
  return (view.getUint8(offset + 12) >>> 4) * 4;
}

export function flags(view: DataView, offset: number): number {
  return view.getUint8(offset + 13);
}

export function window(view: DataView, offset: number): number {
  return view.getUint16(offset + 14);
}

export function checksum(view: DataView, offset: number): number {
  return view.getUint16(offset + 16);
}

export function urgentPointer(view: DataView, offset: number): number {
  return view.getUint16(offset + 18);
}

export function setSource(view: DataView, offset: number, value: number): void {
  view.setUint16(offset, value);
}

export function setDestination(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 2, value);
}

export function setSequence(view: DataView, offset: number, value: number): void {
  view.setUint32(offset + 4, value);
}

export function setAcknowledgement(view: DataView, offset: number, value: number): void {
  view.setUint32(offset + 8, value);
}

export function setFlags(view: DataView, offset: number, value: number): void {
  view.setUint8(offset + 13, value);
}

export function setWindow(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 14, value);
}

export function setChecksum(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 16, value);
}

export function setUrgentPointer(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 18, value);
}

/** Computes and stores the checksum; `pseudoHeader` is the sum from the IP header's codec. */
export function fillChecksum(
  view: DataView,
  offset: number,
  end: number,
  pseudoHeader: number,
): void {
  setChecksum(view, offset, 0);
  setChecksum(view, offset, checksums.finish(checksums.sum(view, offset, end, pseudoHeader)));
}

export function isChecksumValid(
  view: DataView,
  offset: number,
  end: number,
  pseudoHeader: number,
): boolean {
  return checksums.isValid(checksums.sum(view, offset, end, pseudoHeader));
}

export function write(view: DataView, offset: number, fields: TcpFields): number {
  const options = fields.options;
  const length = HEADER_LENGTH + (((options?.length ?? 0) + 3) & ~3);
  setSource(view, offset, fields.source);
  setDestination(view, offset, fields.destination);
  setSequence(view, offset, fields.sequence ?? 0);
  setAcknowledgement(view, offset, fields.acknowledgement ?? 0);
  view.setUint8(offset + 12, length << 2);
  setFlags(view, offset, fields.flags ?? 0);
  setWindow(view, offset, fields.window ?? 0xffff);
  setChecksum(view, offset, fields.checksum ?? 0);
  setUrgentPointer(view, offset, fields.urgentPointer ?? 0);
  for (let i = HEADER_LENGTH; i < length; i++) {
    view.setUint8(offset + i, options?.[i - HEADER_LENGTH] ?? 0);
  }
  return length;
}
