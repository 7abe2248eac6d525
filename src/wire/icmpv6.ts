/**
 * ICMPv6 header (RFC 4443), and neighbour solicitation and advertisement (RFC 4861), whose header
 * goes on with a target address. An error carries the head of the packet that it is about.
 */
import { readMac, writeMac } from './address.ts';
import { bytesOf } from './bytes.ts';
import * as checksums from './checksum.ts';
import type { Malformed } from './malformed.ts';

export const HEADER_LENGTH = 8;
/** Of a neighbour solicitation or advertisement, up to its options. */
export const NEIGHBOR_HEADER_LENGTH = 24;
export const LINK_LAYER_OPTION_LENGTH = 8;

export const TYPE = {
  unreachable: 1,
  packetTooBig: 2,
  timeExceeded: 3,
  parameterProblem: 4,
  echo: 128,
  echoReply: 129,
  neighborSolicitation: 135,
  neighborAdvertisement: 136,
} as const;

/** RFC 4443 section 2.4 (c): an error is at most 1,280 bytes, of which 48 are its own headers. */
export const MAXIMUM_QUOTE = 1232;

export interface Icmpv6Fields {
  readonly type: number;
  /** 0 where absent. */
  readonly code?: number;
  /** 0 where absent. `fillChecksum` computes it. */
  readonly checksum?: number;
  /** The whole second word; 0 where absent. The narrower fields below overwrite their part of it. */
  readonly rest?: number;
  /** Echo and its reply. */
  readonly identifier?: number;
  readonly sequence?: number;
  /** Packet too big: 32 bits. */
  readonly mtu?: number;
  /** Byte of the quoted packet that "parameter problem" is about: 32 bits. */
  readonly pointer?: number;
  /** Neighbour advertisement: its three flags. */
  readonly router?: boolean;
  readonly solicited?: boolean;
  readonly override?: boolean;
  /** Neighbour solicitation and advertisement: 16 bytes, required there and written only there. */
  readonly target?: Uint8Array;
}

export function check(view: DataView, offset: number, end: number): Malformed | undefined {
  if (end - offset < HEADER_LENGTH) return 'truncated';
  return end - offset < headerLength(view, offset) ? 'truncated' : undefined;
}

/** In bytes: 24 for neighbour solicitation and advertisement, else 8. */
export function headerLength(view: DataView, offset: number): number {
  return isNeighbor(view, offset) ? NEIGHBOR_HEADER_LENGTH : HEADER_LENGTH;
}

export function type(view: DataView, offset: number): number {
  return view.getUint8(offset);
}

export function code(view: DataView, offset: number): number {
  return view.getUint8(offset + 1);
}

export function checksum(view: DataView, offset: number): number {
  return view.getUint16(offset + 2);
}

export function rest(view: DataView, offset: number): number {
  return view.getUint32(offset + 4);
}

export function identifier(view: DataView, offset: number): number {
  return view.getUint16(offset + 4);
}

export function sequence(view: DataView, offset: number): number {
  return view.getUint16(offset + 6);
}

export function mtu(view: DataView, offset: number): number {
  return view.getUint32(offset + 4);
}

export function pointer(view: DataView, offset: number): number {
  return view.getUint32(offset + 4);
}

export function router(view: DataView, offset: number): boolean {
  return (view.getUint8(offset + 4) & 0x80) !== 0;
}

export function solicited(view: DataView, offset: number): boolean {
  return (view.getUint8(offset + 4) & 0x40) !== 0;
}

export function override(view: DataView, offset: number): boolean {
  return (view.getUint8(offset + 4) & 0x20) !== 0;
}

/** Of a neighbour message: a window on its 16 bytes, not a copy. */
export function target(view: DataView, offset: number): Uint8Array {
  return bytesOf(view, offset + 8, offset + 24);
}

/** Whether it asks or answers an echo. */
export function isEcho(view: DataView, offset: number): boolean {
  return type(view, offset) === TYPE.echo || type(view, offset) === TYPE.echoReply;
}

/** Whether it quotes the packet that it is about: types below 128 are errors (RFC 4443 section 2.1). */
export function isError(view: DataView, offset: number): boolean {
  return type(view, offset) >= 1 && type(view, offset) <= TYPE.parameterProblem;
}

export function isNeighbor(view: DataView, offset: number): boolean {
  const value = type(view, offset);
  return value === TYPE.neighborSolicitation || value === TYPE.neighborAdvertisement;
}

/** Where an error's quote ends: before its extension structure (RFC 4884), else at `end`. */
export function quoteEnd(view: DataView, offset: number, end: number): number {
  const value = type(view, offset);
  const extensible = value === TYPE.unreachable || value === TYPE.timeExceeded;
  const length = extensible ? view.getUint8(offset + 4) * 8 : 0;
  return length === 0 ? end : Math.min(end, offset + HEADER_LENGTH + length);
}

/**
 * The sender's (solicitation) or target's (advertisement) MAC address among the options of a
 * neighbour message, or undefined. An option of length zero ends the search (RFC 4861 section 4.6).
 */
export function linkLayerAddress(view: DataView, offset: number, end: number): number | undefined {
  const kind = linkLayerKind(type(view, offset));
  let at = offset + NEIGHBOR_HEADER_LENGTH;
  while (at + LINK_LAYER_OPTION_LENGTH <= end) {
    const length = view.getUint8(at + 1) * 8;
    if (length === 0) return undefined;
    if (view.getUint8(at) === kind && length === LINK_LAYER_OPTION_LENGTH) {
      return readMac(view, at + 2);
    }
    at += length;
  }
  return undefined;
}

export function setType(view: DataView, offset: number, value: number): void {
  view.setUint8(offset, value);
}

export function setCode(view: DataView, offset: number, value: number): void {
  view.setUint8(offset + 1, value);
}

export function setChecksum(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 2, value);
}

export function setRest(view: DataView, offset: number, value: number): void {
  view.setUint32(offset + 4, value);
}

export function setIdentifier(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 4, value);
}

export function setSequence(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 6, value);
}

export function setMtu(view: DataView, offset: number, value: number): void {
  view.setUint32(offset + 4, value);
}

export function setPointer(view: DataView, offset: number, value: number): void {
  view.setUint32(offset + 4, value);
}

export function setRouter(view: DataView, offset: number, value: boolean): void {
  setFlag(view, offset, 0x80, value);
}

export function setSolicited(view: DataView, offset: number, value: boolean): void {
  setFlag(view, offset, 0x40, value);
}

export function setOverride(view: DataView, offset: number, value: boolean): void {
  setFlag(view, offset, 0x20, value);
}

export function setTarget(view: DataView, offset: number, value: Uint8Array): void {
  for (let i = 0; i < 16; i++) view.setUint8(offset + 8 + i, value[i]);
}

/** Computes and stores the checksum; `pseudoHeader` is the sum from IPv6's codec. */
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

export function write(view: DataView, offset: number, fields: Icmpv6Fields): number {
  setType(view, offset, fields.type);
  setCode(view, offset, fields.code ?? 0);
  setChecksum(view, offset, fields.checksum ?? 0);
  setRest(view, offset, fields.rest ?? 0);
  if (fields.identifier !== undefined) setIdentifier(view, offset, fields.identifier);
  if (fields.sequence !== undefined) setSequence(view, offset, fields.sequence);
  if (fields.mtu !== undefined) setMtu(view, offset, fields.mtu);
  if (fields.pointer !== undefined) setPointer(view, offset, fields.pointer);
  if (fields.router !== undefined) setRouter(view, offset, fields.router);
  if (fields.solicited !== undefined) setSolicited(view, offset, fields.solicited);
  if (fields.override !== undefined) setOverride(view, offset, fields.override);
  if (isNeighbor(view, offset)) setTarget(view, offset, fields.target as Uint8Array);
  return headerLength(view, offset);
}

/** Writes the link-layer address option that belongs to a message of `messageType`; returns its 8 bytes of length. */
export function writeLinkLayerOption(
  view: DataView,
  offset: number,
  messageType: number,
  address: number,
): number {
  view.setUint8(offset, linkLayerKind(messageType));
  view.setUint8(offset + 1, 1);
  writeMac(view, offset + 2, address);
  return LINK_LAYER_OPTION_LENGTH;
}

/** Option 1 gives the source's address, option 2 the target's (RFC 4861 section 4.6.1). */
function linkLayerKind(messageType: number): number {
  return messageType === TYPE.neighborAdvertisement ? 2 : 1;
}

function setFlag(view: DataView, offset: number, bit: number, value: boolean): void {
  view.setUint8(offset + 4, (view.getUint8(offset + 4) & ~bit) | (value ? bit : 0));
}
