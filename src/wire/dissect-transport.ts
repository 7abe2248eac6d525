/** The transport layers of `dissect`: TCP, UDP, ICMP and ICMPv6, whole or cut short in a quote. */
import { bytesOf } from './bytes.ts';
import type { TransportName } from './frame-checksum.ts';
import { storedChecksum, TRANSPORT_PROTOCOL, transportFault } from './frame-checksum.ts';
import * as icmp from './icmp.ts';
import * as icmpv6 from './icmpv6.ts';
import type { Checksum, IcmpLayer, Icmpv6Layer, Packet, TcpLayer } from './layers.ts';
import type { Malformed } from './malformed.ts';
import { isMalformed } from './malformed.ts';
import * as quoted from './quoted.ts';
import * as tcp from './tcp.ts';
import * as udp from './udp.ts';

/** Where a transport lies and what its IP header says of it. */
export interface Span {
  readonly offset: number;
  readonly end: number;
  /** The transport's length by the IP header, which a quote need not hold in full. */
  readonly statedLength: number;
  readonly isCut: boolean;
  readonly isQuoted: boolean;
  /** Undefined for a fragment, whose bytes are not to be read. */
  readonly protocol: number | undefined;
  readonly pseudoHeader: number;
}

type Transport = Omit<Packet, 'ipv4' | 'ipv6' | 'trailer'>;

/** Decodes an IP packet: passed in, since packets hold transports which quote packets. */
type DissectPacket = (
  view: DataView,
  offset: number,
  end: number,
  version: number,
  quoted: boolean,
) => Packet | Malformed;

/** A quoted transport that cannot be read is left as payload: the error is about its packet all the same. */
export function dissectTransport(
  view: DataView,
  span: Span,
  dissectPacket: DissectPacket,
): Transport | Malformed {
  const opaque = { payload: bytesOf(view, span.offset, span.end) };
  const read = readerOf(span.protocol);
  if (read === undefined) return opaque;
  const transport = read(view, span, dissectPacket);
  return isMalformed(transport) && span.isQuoted ? opaque : transport;
}

type Reader = (view: DataView, span: Span, dissectPacket: DissectPacket) => Transport | Malformed;

function readerOf(protocol: number | undefined): Reader | undefined {
  switch (protocol) {
    case TRANSPORT_PROTOCOL.tcp:
      return readTcp;
    case TRANSPORT_PROTOCOL.udp:
      return readUdp;
    case TRANSPORT_PROTOCOL.icmp:
      return readIcmp;
    case TRANSPORT_PROTOCOL.icmpv6:
      return readIcmpv6;
    default:
      return undefined;
  }
}

function readTcp(view: DataView, span: Span): Transport | Malformed {
  const { offset, end } = span;
  // RFC 792's minimum: ports and sequence number, and nothing else of the header.
  if (span.isQuoted && end - offset === 8) {
    const layer = {
      source: tcp.source(view, offset),
      destination: tcp.destination(view, offset),
      sequence: tcp.sequence(view, offset),
    };
    return { tcp: layer, payload: new Uint8Array() };
  }
  const malformed = tcp.check(view, offset, end);
  if (malformed) return malformed;
  const payloadAt = offset + tcp.headerLength(view, offset);
  const layer: TcpLayer = {
    source: tcp.source(view, offset),
    destination: tcp.destination(view, offset),
    sequence: tcp.sequence(view, offset),
    acknowledgement: tcp.acknowledgement(view, offset),
    flags: tcp.flags(view, offset),
    window: tcp.window(view, offset),
    urgentPointer: tcp.urgentPointer(view, offset),
    ...(payloadAt > offset + tcp.HEADER_LENGTH && {
      options: bytesOf(view, offset + tcp.HEADER_LENGTH, payloadAt),
    }),
    ...checksumOf('tcp', view, span),
  };
  return { tcp: layer, payload: bytesOf(view, payloadAt, end) };
}

function readUdp(view: DataView, span: Span): Transport | Malformed {
  const { offset, end } = span;
  const malformed = udp.check(view, offset, end);
  const mayExceed = span.isCut && malformed === 'bad-udp-length';
  const length = malformed === 'truncated' ? 0 : udp.length(view, offset);
  if (malformed && !(mayExceed && length > end - offset)) return malformed;
  const datagramEnd = Math.min(end, offset + length);
  const layer = {
    source: udp.source(view, offset),
    destination: udp.destination(view, offset),
    ...(length !== span.statedLength && { length }),
    ...checksumOf('udp', view, { ...span, end: datagramEnd }),
  };
  return { udp: layer, payload: bytesOf(view, offset + udp.HEADER_LENGTH, datagramEnd) };
}

function readIcmp(view: DataView, span: Span, dissectPacket: DissectPacket): Transport | Malformed {
  const { offset, end } = span;
  const malformed = icmp.check(view, offset, end);
  if (malformed) return malformed;
  const type = icmp.type(view, offset);
  const code = icmp.code(view, offset);
  const layer: IcmpLayer = {
    type,
    code,
    ...icmpWord(type, code, view, offset),
    ...checksumOf('icmp', view, span),
  };
  const body = offset + icmp.HEADER_LENGTH;
  if (span.isQuoted || !icmp.isError(view, offset)) {
    return { icmp: layer, payload: bytesOf(view, body, end) };
  }
  const quoteEnd = icmp.quoteEnd(view, offset, end);
  const quoting = readQuote(view, body, quoteEnd, icmp.MAXIMUM_QUOTE, dissectPacket);
  if (isMalformed(quoting)) return quoting;
  return { icmp: { ...layer, ...quoting }, payload: bytesOf(view, quoteEnd, end) };
}

/** The second word, by the names it has in this type; the whole of it where more is set than they cover. */
function icmpWord(type: number, code: number, view: DataView, offset: number): Partial<IcmpLayer> {
  const rest = icmp.rest(view, offset);
  if (type === icmp.TYPE.echo || type === icmp.TYPE.echoReply) {
    return { identifier: rest >>> 16, sequence: rest & 0xffff };
  }
  if (type === icmp.TYPE.unreachable && code === icmp.UNREACHABLE.fragmentationNeeded) {
    return rest <= 0xffff ? { mtu: rest } : { rest };
  }
  if (type === icmp.TYPE.parameterProblem) {
    return (rest & 0xffffff) === 0 ? { pointer: rest >>> 24 } : { rest };
  }
  return rest === 0 ? {} : { rest };
}

function readIcmpv6(
  view: DataView,
  span: Span,
  dissectPacket: DissectPacket,
): Transport | Malformed {
  const { offset, end } = span;
  const malformed = icmpv6.check(view, offset, end);
  if (malformed) return malformed;
  const layer: Icmpv6Layer = {
    type: icmpv6.type(view, offset),
    code: icmpv6.code(view, offset),
    ...icmpv6Word(view, offset),
    ...checksumOf('icmpv6', view, span),
  };
  const body = offset + icmpv6.headerLength(view, offset);
  if (icmpv6.isNeighbor(view, offset)) return readNeighbor(view, span, layer, body);
  if (span.isQuoted || !icmpv6.isError(view, offset)) {
    return { icmpv6: layer, payload: bytesOf(view, body, end) };
  }
  const quoteEnd = icmpv6.quoteEnd(view, offset, end);
  const quoting = readQuote(view, body, quoteEnd, icmpv6.MAXIMUM_QUOTE, dissectPacket);
  if (isMalformed(quoting)) return quoting;
  return { icmpv6: { ...layer, ...quoting }, payload: bytesOf(view, quoteEnd, end) };
}

function icmpv6Word(view: DataView, offset: number): Partial<Icmpv6Layer> {
  const rest = icmpv6.rest(view, offset);
  switch (icmpv6.type(view, offset)) {
    case icmpv6.TYPE.echo:
    case icmpv6.TYPE.echoReply:
      return { identifier: rest >>> 16, sequence: rest & 0xffff };
    case icmpv6.TYPE.packetTooBig:
      return { mtu: rest };
    case icmpv6.TYPE.parameterProblem:
      return { pointer: rest };
    case icmpv6.TYPE.neighborAdvertisement:
      if ((rest & 0x1fffffff) !== 0) return { rest };
      return {
        router: icmpv6.router(view, offset),
        solicited: icmpv6.solicited(view, offset),
        override: icmpv6.override(view, offset),
      };
    default:
      return rest === 0 ? {} : { rest };
  }
}

function readNeighbor(view: DataView, span: Span, layer: Icmpv6Layer, body: number): Transport {
  const target = icmpv6.target(view, span.offset);
  const linkLayer = icmpv6.linkLayerAddress(view, span.offset, span.end);
  const isOnly = span.end - body === icmpv6.LINK_LAYER_OPTION_LENGTH;
  if (linkLayer !== undefined && isOnly) {
    return { icmpv6: { ...layer, target, linkLayer }, payload: new Uint8Array() };
  }
  return { icmpv6: { ...layer, target }, payload: bytesOf(view, body, span.end) };
}

function readQuote(
  view: DataView,
  offset: number,
  end: number,
  maximum: number,
  dissectPacket: DissectPacket,
): Pick<IcmpLayer, 'quoted' | 'quotedLength'> | Malformed {
  const malformed = quoted.check(view, offset, end);
  if (malformed) return malformed;
  const packet = dissectPacket(view, offset, end, quoted.version(view, offset), true);
  if (isMalformed(packet)) return packet;
  const length = end - offset;
  // Composing gives a whole TCP header and stops at the maximum: say so where this quote differs.
  const endsInHeader = packet.tcp !== undefined && packet.tcp.flags === undefined;
  return { quoted: packet, ...((endsInHeader || length > maximum) && { quotedLength: length }) };
}

/** The checksum, where it is not the right one or where too little is left to tell. */
function checksumOf(
  name: TransportName,
  view: DataView,
  span: Span,
): { checksum: Checksum } | undefined {
  const checksum = span.isCut
    ? storedChecksum(name, view, span.offset)
    : transportFault(name, view, span.offset, span.end, span.pseudoHeader);
  return checksum === undefined ? undefined : { checksum };
}
