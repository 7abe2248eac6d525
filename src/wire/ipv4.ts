/** IPv4 header (RFC 791), with its options as bytes and its fragment offset in bytes. */
import * as checksums from './checksum.ts';
import type { Malformed } from './malformed.ts';

/** Without options. */
export const HEADER_LENGTH = 20;
export const MAXIMUM_HEADER_LENGTH = 60;

export interface Ipv4Fields {
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
  /** Header and payload, in bytes. */
  readonly totalLength: number;
  /** 64 where absent. */
  readonly timeToLive?: number;
  /** DSCP and ECN (RFC 2474, RFC 3168); 0 where absent. */
  readonly typeOfService?: number;
  /** 0 where absent. */
  readonly identification?: number;
  readonly dontFragment?: boolean;
  readonly moreFragments?: boolean;
  /** In bytes, a multiple of 8; 0 where absent. */
  readonly fragmentOffset?: number;
  /** At most 40 bytes; padded with End of Option List to a multiple of 4. */
  readonly options?: Uint8Array;
  /** Computed where absent. */
  readonly checksum?: number;
}

/** The checksum is not verified here: see `isChecksumValid`. Bytes beyond the total length are padding. */
export function check(view: DataView, offset: number, end: number): Malformed | undefined {
  if (end - offset < HEADER_LENGTH) return 'truncated';
  if (version(view, offset) !== 4) return 'bad-version';
  if (headerLength(view, offset) < HEADER_LENGTH) return 'bad-header-length';
  if (totalLength(view, offset) < headerLength(view, offset)) return 'bad-total-length';
  return totalLength(view, offset) > end - offset ? 'truncated' : undefined;
}

export function version(view: DataView, offset: number): number {
  return view.getUint8(offset) >>> 4;
}

/** In bytes, options included. */
export function headerLength(view: DataView, offset: number): number {
  return (view.getUint8(offset) & 0x0f) * 4;
}

export function typeOfService(view: DataView, offset: number): number {
  return view.getUint8(offset + 1);
}

export function totalLength(view: DataView, offset: number): number {
  return view.getUint16(offset + 2);
}

export function identification(view: DataView, offset: number): number {
  return view.getUint16(offset + 4);
}

export function dontFragment(view: DataView, offset: number): boolean {
  return (view.getUint8(offset + 6) & 0x40) !== 0;
}

export function moreFragments(view: DataView, offset: number): boolean {
  return (view.getUint8(offset + 6) & 0x20) !== 0;
}

/** In bytes. */
export function fragmentOffset(view: DataView, offset: number): number {
  return (view.getUint16(offset + 6) & 0x1fff) * 8;
}

/** Whether this is a piece of a packet: the first, one between, or the last. */
export function isFragment(view: DataView, offset: number): boolean {
  return (view.getUint16(offset + 6) & 0x3fff) !== 0;
}

export function timeToLive(view: DataView, offset: number): number {
  return view.getUint8(offset + 8);
}

export function protocol(view: DataView, offset: number): number {
  return view.getUint8(offset + 9);
}

export function checksum(view: DataView, offset: number): number {
  return view.getUint16(offset + 10);
}

export function source(view: DataView, offset: number): number {
  return view.getUint32(offset + 12);
}

export function destination(view: DataView, offset: number): number {
  return view.getUint32(offset + 16);
}

export function setTypeOfService(view: DataView, offset: number, value: number): void {
  view.setUint8(offset + 1, value);
}

export function setTotalLength(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 2, value);
}

export function setIdentification(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 4, value);
}

export function setDontFragment(view: DataView, offset: number, value: boolean): void {
  view.setUint8(offset + 6, (view.getUint8(offset + 6) & 0xbf) | (value ? 0x40 : 0));
}

export function setMoreFragments(view: DataView, offset: number, value: boolean): void {
  view.setUint8(offset + 6, (view.getUint8(offset + 6) & 0xdf) | (value ? 0x20 : 0));
}

/** In bytes, a multiple of 8. */
export function setFragmentOffset(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 6, (view.getUint16(offset + 6) & 0xe000) | ((value >>> 3) & 0x1fff));
}

export function setTimeToLive(view: DataView, offset: number, value: number): void {
  view.setUint8(offset + 8, value);
}

export function setProtocol(view: DataView, offset: number, value: number): void {
  view.setUint8(offset + 9, value);
}

export function setChecksum(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 10, value);
}

export function setSource(view: DataView, offset: number, value: number): void {
  view.setUint32(offset + 12, value);
}

export function setDestination(view: DataView, offset: number, value: number): void {
  view.setUint32(offset + 16, value);
}

/** Computes and stores the header's checksum. */
export function fillChecksum(view: DataView, offset: number): void {
  setChecksum(view, offset, 0);
  const end = offset + headerLength(view, offset);
  setChecksum(view, offset, checksums.finish(checksums.sum(view, offset, end)));
}

export function isChecksumValid(view: DataView, offset: number): boolean {
  return checksums.isValid(checksums.sum(view, offset, offset + headerLength(view, offset)));
}

/** The pseudo-header's sum for a transport of `length` bytes under this header. */
export function pseudoHeader(
  view: DataView,
  offset: number,
  transport: number,
  length: number,
): number {
  return checksums.pseudoHeader4(
    source(view, offset),
    destination(view, offset),
    transport,
    length,
  );
}

export function write(view: DataView, offset: number, fields: Ipv4Fields): number {
  const options = fields.options;
  const length = HEADER_LENGTH + (((options?.length ?? 0) + 3) & ~3);
  view.setUint8(offset, 0x40 | (length >>> 2));
  setTypeOfService(view, offset, fields.typeOfService ?? 0);
  setTotalLength(view, offset, fields.totalLength);
  setIdentification(view, offset, fields.identification ?? 0);
  view.setUint16(offset + 6, 0);
  setDontFragment(view, offset, fields.dontFragment ?? false);
  setMoreFragments(view, offset, fields.moreFragments ?? false);
  setFragmentOffset(view, offset, fields.fragmentOffset ?? 0);
  setTimeToLive(view, offset, fields.timeToLive ?? 64);
  setProtocol(view, offset, fields.protocol);
  setSource(view, offset, fields.source);
  setDestination(view, offset, fields.destination);
  for (let i = HEADER_LENGTH; i < length; i++) {
    view.setUint8(offset + i, options?.[i - HEADER_LENGTH] ?? 0);
  }
  if (fields.checksum === undefined) fillChecksum(view, offset);
  else setChecksum(view, offset, fields.checksum);
  return length;
}
