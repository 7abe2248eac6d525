/**
 * The packet quoted inside an ICMP or ICMPv6 error: an IP header that is whole, and at least the
 * first 8 bytes of what it carries (RFC 792, RFC 4443). Its lengths speak of the packet that was,
 * so the quote usually ends earlier than they say. The IP codec reads the header's other fields.
 */
import * as ipv4 from './ipv4.ts';
import * as ipv6 from './ipv6.ts';
import type { Malformed } from './malformed.ts';

/** What every quote has at least: an IPv4 header and 8 bytes. */
export const HEADER_LENGTH = ipv4.HEADER_LENGTH + 8;

export interface QuotedFields {
  /** The packet that the error is about, from its IP header. */
  readonly packet: Uint8Array;
  /** Quote no more than this many bytes; `MAXIMUM_QUOTE` of icmp.ts or icmpv6.ts. */
  readonly maximum: number;
}

/** Any fault is `bad-icmp-quote`: an unreadable quote makes the whole error useless. */
export function check(view: DataView, offset: number, end: number): Malformed | undefined {
  if (end - offset < HEADER_LENGTH) return 'bad-icmp-quote';
  if (version(view, offset) === 4) return check4(view, offset, end);
  if (version(view, offset) === 6) return check6(view, offset, end);
  return 'bad-icmp-quote';
}

export function version(view: DataView, offset: number): number {
  return view.getUint8(offset) >>> 4;
}

/** The protocol behind the IP header and its extension headers. */
export function protocol(view: DataView, offset: number, end: number): number {
  if (version(view, offset) === 4) return ipv4.protocol(view, offset);
  return walked(view, offset, end).protocol;
}

/** Where the transport header is, or a later fragment's bytes; at least 8 bytes before `end`. */
export function transportOffset(view: DataView, offset: number, end: number): number {
  if (version(view, offset) === 4) return offset + ipv4.headerLength(view, offset);
  return walked(view, offset, end).offset;
}

/** Whether what follows the IP header is the middle or end of a fragmented packet. */
export function isLaterFragment(view: DataView, offset: number, end: number): boolean {
  if (version(view, offset) === 4) return ipv4.fragmentOffset(view, offset) !== 0;
  return walked(view, offset, end).fragmentOffset !== 0;
}

/** Copies the head of a packet; returns the quote's length in bytes. */
export function write(view: DataView, offset: number, fields: QuotedFields): number {
  const length = Math.min(fields.packet.length, fields.maximum);
  for (let i = 0; i < length; i++) view.setUint8(offset + i, fields.packet[i]);
  return length;
}

function check4(view: DataView, offset: number, end: number): Malformed | undefined {
  const length = ipv4.headerLength(view, offset);
  if (length < ipv4.HEADER_LENGTH || offset + length + 8 > end) return 'bad-icmp-quote';
  return ipv4.isChecksumValid(view, offset) ? undefined : 'bad-icmp-quote';
}

function check6(view: DataView, offset: number, end: number): Malformed | undefined {
  if (end - offset < ipv6.HEADER_LENGTH + 8) return 'bad-icmp-quote';
  const into = ipv6.newWalk();
  if (ipv6.walk(view, offset, end, into) !== undefined) return 'bad-icmp-quote';
  return into.offset + 8 > end ? 'bad-icmp-quote' : undefined;
}

function walked(view: DataView, offset: number, end: number): ipv6.Walk {
  const into = ipv6.newWalk();
  ipv6.walk(view, offset, end, into);
  return into;
}
