/** UDP header (RFC 768). Over IPv4 a zero checksum means none; over IPv6 it is not allowed (RFC 8200). */
import * as checksums from './checksum.ts';
import type { Malformed } from './malformed.ts';

export const HEADER_LENGTH = 8;

export interface UdpFields {
  readonly source: number;
  readonly destination: number;
  /** Header and payload, in bytes. */
  readonly length: number;
  /** 0 where absent: none. `fillChecksum` computes it. */
  readonly checksum?: number;
}

/** The length field must lie between the header and `end`; bytes beyond it are not the datagram's. */
export function check(view: DataView, offset: number, end: number): Malformed | undefined {
  if (end - offset < HEADER_LENGTH) return 'truncated';
  const bytes = length(view, offset);
  return bytes < HEADER_LENGTH || bytes > end - offset ? 'bad-udp-length' : undefined;
}

export function source(view: DataView, offset: number): number {
  return view.getUint16(offset);
}

export function destination(view: DataView, offset: number): number {
  return view.getUint16(offset + 2);
}

export function length(view: DataView, offset: number): number {
  return view.getUint16(offset + 4);
}

export function checksum(view: DataView, offset: number): number {
  return view.getUint16(offset + 6);
}

export function setSource(view: DataView, offset: number, value: number): void {
  view.setUint16(offset, value);
}

export function setDestination(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 2, value);
}

export function setLength(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 4, value);
}

export function setChecksum(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 6, value);
}

/** Computes and stores the checksum; `pseudoHeader` is the sum from the IP header's codec. */
export function fillChecksum(
  view: DataView,
  offset: number,
  end: number,
  pseudoHeader: number,
): void {
  setChecksum(view, offset, 0);
  setChecksum(view, offset, checksums.finishUdp(checksums.sum(view, offset, end, pseudoHeader)));
}

/** True also for a datagram without a checksum. */
export function isChecksumValid(
  view: DataView,
  offset: number,
  end: number,
  pseudoHeader: number,
): boolean {
  if (checksum(view, offset) === 0) return true;
  return checksums.isValid(checksums.sum(view, offset, end, pseudoHeader));
}

export function write(view: DataView, offset: number, fields: UdpFields): number {
  setSource(view, offset, fields.source);
  setDestination(view, offset, fields.destination);
  setLength(view, offset, fields.length);
  setChecksum(view, offset, fields.checksum ?? 0);
  return HEADER_LENGTH;
}
