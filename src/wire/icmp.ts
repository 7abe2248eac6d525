/**
 * ICMP header (RFC 792): four fixed bytes and a word whose meaning depends on the type. An error
 * carries the head of the packet that it is about: see quoted.ts.
 */
import * as checksums from './checksum.ts';
import type { Malformed } from './malformed.ts';

export const HEADER_LENGTH = 8;

export const TYPE = {
  echoReply: 0,
  unreachable: 3,
  sourceQuench: 4,
  redirect: 5,
  echo: 8,
  timeExceeded: 11,
  parameterProblem: 12,
} as const;

/** Codes of `TYPE.unreachable`. */
export const UNREACHABLE = {
  network: 0,
  host: 1,
  protocol: 2,
  port: 3,
  fragmentationNeeded: 4,
  administrativelyProhibited: 13,
} as const;

/** RFC 1812 section 4.3.2.3: an error is at most 576 bytes, of which 28 are its own headers. */
export const MAXIMUM_QUOTE = 548;

export interface IcmpFields {
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
  /** Next-hop MTU of "fragmentation needed" (RFC 1191). */
  readonly mtu?: number;
  /** Byte of the quoted packet that "parameter problem" is about. */
  readonly pointer?: number;
}

export function check(_view: DataView, offset: number, end: number): Malformed | undefined {
  return end - offset < HEADER_LENGTH ? 'truncated' : undefined;
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
  return view.getUint16(offset + 6);
}

export function pointer(view: DataView, offset: number): number {
  return view.getUint8(offset + 4);
}

/** Whether it asks or answers an echo. */
export function isEcho(view: DataView, offset: number): boolean {
  return type(view, offset) === TYPE.echo || type(view, offset) === TYPE.echoReply;
}

/** Whether it quotes the packet that it is about. */
export function isError(view: DataView, offset: number): boolean {
  const value = type(view, offset);
  return (
    value === TYPE.unreachable ||
    value === TYPE.sourceQuench ||
    value === TYPE.redirect ||
    value === TYPE.timeExceeded ||
    value === TYPE.parameterProblem
  );
}

/** Where an error's quote ends: before its extension structure (RFC 4884), else at `end`. */
export function quoteEnd(view: DataView, offset: number, end: number): number {
  const value = type(view, offset);
  const extensible =
    value === TYPE.unreachable || value === TYPE.timeExceeded || value === TYPE.parameterProblem;
  const length = extensible ? view.getUint8(offset + 5) * 4 : 0;
  return length === 0 ? end : Math.min(end, offset + HEADER_LENGTH + length);
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
  view.setUint16(offset + 6, value);
}

export function setPointer(view: DataView, offset: number, value: number): void {
  view.setUint8(offset + 4, value);
}

/** Computes and stores the checksum, which has no pseudo-header. */
export function fillChecksum(view: DataView, offset: number, end: number): void {
  setChecksum(view, offset, 0);
  setChecksum(view, offset, checksums.finish(checksums.sum(view, offset, end)));
}

export function isChecksumValid(view: DataView, offset: number, end: number): boolean {
  return checksums.isValid(checksums.sum(view, offset, end));
}

export function write(view: DataView, offset: number, fields: IcmpFields): number {
  setType(view, offset, fields.type);
  setCode(view, offset, fields.code ?? 0);
  setChecksum(view, offset, fields.checksum ?? 0);
  setRest(view, offset, fields.rest ?? 0);
  if (fields.identifier !== undefined) setIdentifier(view, offset, fields.identifier);
  if (fields.sequence !== undefined) setSequence(view, offset, fields.sequence);
  if (fields.mtu !== undefined) setMtu(view, offset, fields.mtu);
  if (fields.pointer !== undefined) setPointer(view, offset, fields.pointer);
  return HEADER_LENGTH;
}
