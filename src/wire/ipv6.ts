/** IPv6 header (RFC 8200 section 3) and the walk over its extension headers (section 4). */
import { bytesOf } from './bytes.ts';
import * as checksums from './checksum.ts';
import { PROTOCOL } from './ip-protocol.ts';
import type { Malformed } from './malformed.ts';

export const HEADER_LENGTH = 40;
export const FRAGMENT_HEADER_LENGTH = 8;

/**
 * A packet has each kind at most once and destination options twice (RFC 8200 section 4.1), which
 * makes 7 with mobility: at the eighth a walk stops and leaves the rest unread.
 */
export const MAXIMUM_EXTENSIONS = 8;

/** RFC 6275 section 6.1. */
const MOBILITY = 135;

export interface Ipv6Fields {
  /** 16 bytes. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly nextHeader: number;
  /** Everything behind the 40 bytes, extension headers included. */
  readonly payloadLength: number;
  /** 64 where absent. */
  readonly hopLimit?: number;
  /** 0 where absent. */
  readonly trafficClass?: number;
  /** 20 bits; 0 where absent. */
  readonly flowLabel?: number;
}

/** Where the extension headers end and what they said; `walk` fills one that its caller keeps. */
export interface Walk {
  /** The protocol at `offset`, or of the fragmented packet where a later fragment has no header. */
  protocol: number;
  /** The first byte behind the extension headers. */
  offset: number;
  /** Where the fragment header is; -1 without one. */
  fragmentAt: number;
  /** Whether this is a piece: an atomic fragment (RFC 6946) has a header but is none. */
  isFragment: boolean;
  /** The fragment's offset in bytes, 0 for a first or no fragment. */
  fragmentOffset: number;
}

export function newWalk(): Walk {
  return { protocol: 0, offset: 0, fragmentAt: -1, isFragment: false, fragmentOffset: 0 };
}

/** Jumbograms (RFC 2675) are not known here: their payload length of 0 ends the packet. */
export function check(view: DataView, offset: number, end: number): Malformed | undefined {
  if (end - offset < HEADER_LENGTH) return 'truncated';
  if (version(view, offset) !== 6) return 'bad-version';
  const length = HEADER_LENGTH + payloadLength(view, offset);
  return length > end - offset ? 'bad-total-length' : undefined;
}

export function version(view: DataView, offset: number): number {
  return view.getUint8(offset) >>> 4;
}

export function trafficClass(view: DataView, offset: number): number {
  return (view.getUint16(offset) >>> 4) & 0xff;
}

export function flowLabel(view: DataView, offset: number): number {
  return view.getUint32(offset) & 0xfffff;
}

export function payloadLength(view: DataView, offset: number): number {
  return view.getUint16(offset + 4);
}

export function nextHeader(view: DataView, offset: number): number {
  return view.getUint8(offset + 6);
}

export function hopLimit(view: DataView, offset: number): number {
  return view.getUint8(offset + 7);
}

/** A window on the packet's 16 bytes, not a copy. */
export function source(view: DataView, offset: number): Uint8Array {
  return bytesOf(view, offset + 8, offset + 24);
}

/** A window on the packet's 16 bytes, not a copy. */
export function destination(view: DataView, offset: number): Uint8Array {
  return bytesOf(view, offset + 24, offset + 40);
}

export function setTrafficClass(view: DataView, offset: number, value: number): void {
  view.setUint16(offset, (view.getUint16(offset) & 0xf00f) | ((value & 0xff) << 4));
}

export function setFlowLabel(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, (view.getUint32(offset) & 0xfff00000) | (value & 0xfffff));
}

export function setPayloadLength(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 4, value);
}

export function setNextHeader(view: DataView, offset: number, value: number): void {
  view.setUint8(offset + 6, value);
}

export function setHopLimit(view: DataView, offset: number, value: number): void {
  view.setUint8(offset + 7, value);
}

export function setSource(view: DataView, offset: number, value: Uint8Array): void {
  for (let i = 0; i < 16; i++) view.setUint8(offset + 8 + i, value[i]);
}

export function setDestination(view: DataView, offset: number, value: Uint8Array): void {
  for (let i = 0; i < 16; i++) view.setUint8(offset + 24 + i, value[i]);
}

/** The pseudo-header's sum for a transport of `length` bytes. A routing header's last address is not looked for. */
export function pseudoHeader(
  view: DataView,
  offset: number,
  transport: number,
  length: number,
): number {
  return checksums.pseudoHeader6(view, offset + 8, transport, length);
}

export function write(view: DataView, offset: number, fields: Ipv6Fields): number {
  view.setUint32(offset, 0x6000_0000);
  setTrafficClass(view, offset, fields.trafficClass ?? 0);
  setFlowLabel(view, offset, fields.flowLabel ?? 0);
  setPayloadLength(view, offset, fields.payloadLength);
  setNextHeader(view, offset, fields.nextHeader);
  setHopLimit(view, offset, fields.hopLimit ?? 64);
  setSource(view, offset, fields.source);
  setDestination(view, offset, fields.destination);
  return HEADER_LENGTH;
}

/**
 * Follows the extension headers of a packet that passed `check` and ends before `end`, and says
 * in `into` where they end. It stops at ESP, at "no next header", and behind the fragment header
 * of a later fragment, whose bytes are the middle of something.
 */
export function walk(
  view: DataView,
  offset: number,
  end: number,
  into: Walk,
): Malformed | undefined {
  into.protocol = nextHeader(view, offset);
  into.offset = offset + HEADER_LENGTH;
  into.fragmentAt = -1;
  into.isFragment = false;
  into.fragmentOffset = 0;
  for (let count = 0; count < MAXIMUM_EXTENSIONS && isExtension(into.protocol); count++) {
    const at = into.offset;
    if (at + 8 > end) return 'bad-extension-header';
    const length = extensionLength(view, at, into.protocol);
    if (at + length > end) return 'bad-extension-header';
    if (into.protocol === PROTOCOL.fragment) {
      into.fragmentAt = at;
      into.fragmentOffset = fragmentOffset(view, at);
      into.isFragment = into.fragmentOffset !== 0 || moreFragments(view, at);
    }
    into.protocol = view.getUint8(at);
    into.offset = at + length;
    if (into.fragmentOffset !== 0) return undefined;
  }
  return undefined;
}

export function isExtension(protocol: number): boolean {
  return (
    protocol === PROTOCOL.hopByHop ||
    protocol === PROTOCOL.routing ||
    protocol === PROTOCOL.fragment ||
    protocol === PROTOCOL.authentication ||
    protocol === PROTOCOL.destinationOptions ||
    protocol === MOBILITY
  );
}

/** In bytes, of the extension header of kind `protocol` at `offset`; two bytes of it are read. */
export function extensionLength(view: DataView, offset: number, protocol: number): number {
  if (protocol === PROTOCOL.fragment) return FRAGMENT_HEADER_LENGTH;
  const length = view.getUint8(offset + 1);
  // The authentication header alone counts in 4-byte units, less 2 (RFC 4302 section 2.2).
  return protocol === PROTOCOL.authentication ? (length + 2) * 4 : (length + 1) * 8;
}

/** In bytes; `offset` is the fragment header's, as for the next two. */
export function fragmentOffset(view: DataView, offset: number): number {
  return view.getUint16(offset + 2) & 0xfff8;
}

export function moreFragments(view: DataView, offset: number): boolean {
  return (view.getUint8(offset + 3) & 1) !== 0;
}

export function fragmentIdentification(view: DataView, offset: number): number {
  return view.getUint32(offset + 4);
}

export interface FragmentFields {
  readonly nextHeader: number;
  readonly identification: number;
  /** In bytes, a multiple of 8. */
  readonly fragmentOffset: number;
  readonly moreFragments: boolean;
}

/** Writes a fragment header (RFC 8200 section 4.5); returns its 8 bytes of length. */
export function writeFragment(view: DataView, offset: number, fields: FragmentFields): number {
  view.setUint16(offset, fields.nextHeader << 8);
  view.setUint16(offset + 2, (fields.fragmentOffset & 0xfff8) | (fields.moreFragments ? 1 : 0));
  view.setUint32(offset + 4, fields.identification);
  return FRAGMENT_HEADER_LENGTH;
}
