/**
 * Ethernet II header (IEEE 802.3 clause 3). A type below 1536 is an 802.3 length, whose payload
 * these codecs leave alone.
 *
 * Every codec of this folder has this shape, over a header at `offset` that ends, with all that
 * it carries, before `end`, where `offset <= end <= view.byteLength`:
 *
 * - `check(view, offset, end)`: why the header cannot be read, or undefined. It reads nothing at
 *   or beyond `end`. After undefined every getter and setter stays within bounds.
 * - `field(view, offset)` and `setField(view, offset, value)`: one field. Setters leave checksums.
 * - `write(view, offset, fields)`: every byte of the header, absent fields at their defaults;
 *   returns the header's length in bytes.
 */
import { readMac, writeMac } from './address.ts';
import type { Malformed } from './malformed.ts';

export const HEADER_LENGTH = 14;

/** EtherTypes that these codecs know. */
export const TYPE = {
  ipv4: 0x0800,
  arp: 0x0806,
  vlan: 0x8100,
  ipv6: 0x86dd,
  serviceVlan: 0x88a8,
} as const;

export const BROADCAST = 0xffff_ffff_ffff;

export interface EthernetFields {
  readonly source: number;
  readonly destination: number;
  readonly type: number;
}

export function check(_view: DataView, offset: number, end: number): Malformed | undefined {
  return end - offset < HEADER_LENGTH ? 'truncated' : undefined;
}

export function destination(view: DataView, offset: number): number {
  return readMac(view, offset);
}

export function source(view: DataView, offset: number): number {
  return readMac(view, offset + 6);
}

export function type(view: DataView, offset: number): number {
  return view.getUint16(offset + 12);
}

export function setDestination(view: DataView, offset: number, address: number): void {
  writeMac(view, offset, address);
}

export function setSource(view: DataView, offset: number, address: number): void {
  writeMac(view, offset + 6, address);
}

export function setType(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 12, value);
}

export function write(view: DataView, offset: number, fields: EthernetFields): number {
  setDestination(view, offset, fields.destination);
  setSource(view, offset, fields.source);
  setType(view, offset, fields.type);
  return HEADER_LENGTH;
}
