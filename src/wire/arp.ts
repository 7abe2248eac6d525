/** ARP for IPv4 over Ethernet (RFC 826); other hardware or protocol types are `bad-arp`. */
import { readMac, writeMac } from './address.ts';
import type { Malformed } from './malformed.ts';

export const HEADER_LENGTH = 28;

export const OPERATION = { request: 1, reply: 2 } as const;

export interface ArpFields {
  readonly operation: number;
  readonly senderMac: number;
  readonly senderAddress: number;
  /** 0 where absent: a request does not know it. */
  readonly targetMac?: number;
  readonly targetAddress: number;
}

/** Ethernet (1), IPv4 (0x0800), and their address lengths 6 and 4, as the first six bytes. */
const HARDWARE_AND_PROTOCOL = 0x0001_0800;
const ADDRESS_LENGTHS = 0x0604;

export function check(view: DataView, offset: number, end: number): Malformed | undefined {
  if (end - offset < HEADER_LENGTH) return 'truncated';
  const known =
    view.getUint32(offset) === HARDWARE_AND_PROTOCOL &&
    view.getUint16(offset + 4) === ADDRESS_LENGTHS;
  return known ? undefined : 'bad-arp';
}

export function operation(view: DataView, offset: number): number {
  return view.getUint16(offset + 6);
}

export function senderMac(view: DataView, offset: number): number {
  return readMac(view, offset + 8);
}

export function senderAddress(view: DataView, offset: number): number {
  return view.getUint32(offset + 14);
}

export function targetMac(view: DataView, offset: number): number {
  return readMac(view, offset + 18);
}

export function targetAddress(view: DataView, offset: number): number {
  return view.getUint32(offset + 24);
}

export function setOperation(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 6, value);
}

export function setSenderMac(view: DataView, offset: number, value: number): void {
  writeMac(view, offset + 8, value);
}

export function setSenderAddress(view: DataView, offset: number, value: number): void {
  view.setUint32(offset + 14, value);
}

export function setTargetMac(view: DataView, offset: number, value: number): void {
  writeMac(view, offset + 18, value);
}

export function setTargetAddress(view: DataView, offset: number, value: number): void {
  view.setUint32(offset + 24, value);
}

export function write(view: DataView, offset: number, fields: ArpFields): number {
  view.setUint32(offset, HARDWARE_AND_PROTOCOL);
  view.setUint16(offset + 4, ADDRESS_LENGTHS);
  setOperation(view, offset, fields.operation);
  setSenderMac(view, offset, fields.senderMac);
  setSenderAddress(view, offset, fields.senderAddress);
  setTargetMac(view, offset, fields.targetMac ?? 0);
  setTargetAddress(view, offset, fields.targetAddress);
  return HEADER_LENGTH;
}
