/** What a layer's checksum field should hold and how far it is from it, for compose and dissect. */
import * as checksums from './checksum.ts';
import * as icmp from './icmp.ts';
import * as icmpv6 from './icmpv6.ts';
import { PROTOCOL } from './ip-protocol.ts';
import type { Checksum } from './layers.ts';
import * as tcp from './tcp.ts';
import * as udp from './udp.ts';

export type TransportName = 'tcp' | 'udp' | 'icmp' | 'icmpv6';

export const TRANSPORT_PROTOCOL: Readonly<Record<TransportName, number>> = {
  tcp: PROTOCOL.tcp,
  udp: PROTOCOL.udp,
  icmp: PROTOCOL.icmp,
  icmpv6: PROTOCOL.icmpv6,
};

const CODECS = { tcp, udp, icmp, icmpv6 };

/** How far a `'bad'` checksum is off: any amount but 0 and 0xffff would do. */
const BAD = 0x1111;

/** Stores a transport's checksum, which must be written as zero: the right one, or the one asked for. */
export function sealTransport(
  name: TransportName,
  view: DataView,
  offset: number,
  end: number,
  pseudoHeader: number,
  wanted: Checksum | undefined,
): void {
  const codec = CODECS[name];
  if (typeof wanted === 'number') {
    codec.setChecksum(view, offset, wanted);
    return;
  }
  const right = rightChecksum(name, view, offset, end, pseudoHeader);
  codec.setChecksum(view, offset, wanted === 'bad' ? badChecksum(right, name === 'udp') : right);
}

/** What is on the wire where it is not the right checksum; undefined where it is. */
export function transportFault(
  name: TransportName,
  view: DataView,
  offset: number,
  end: number,
  pseudoHeader: number,
): Checksum | undefined {
  const stored = storedChecksum(name, view, offset);
  const right = rightChecksum(name, view, offset, end, pseudoHeader);
  return faultOf(stored, right, name === 'udp');
}

export function storedChecksum(name: TransportName, view: DataView, offset: number): number {
  return CODECS[name].checksum(view, offset);
}

/** `stored` as a fault, given the right value. */
export function faultOf(stored: number, right: number, isUdp: boolean): Checksum | undefined {
  if (stored === right) return undefined;
  return stored === badChecksum(right, isUdp) ? 'bad' : stored;
}

/** Zero and 0xffff are the same number to the sum: each protocol's own spelling is taken. */
export function badChecksum(right: number, isUdp: boolean): number {
  const bad = checksums.addOnes(right, BAD);
  return bad === 0xffff && !isUdp ? 0 : bad;
}

function rightChecksum(
  name: TransportName,
  view: DataView,
  offset: number,
  end: number,
  pseudoHeader: number,
): number {
  const stored = storedChecksum(name, view, offset);
  const total = checksums.sum(view, offset, end, name === 'icmp' ? 0 : pseudoHeader) - stored;
  return name === 'udp' ? checksums.finishUdp(total) : checksums.finish(total);
}
