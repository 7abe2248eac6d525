/**
 * Decodes a frame, layer by layer, into a plain object: for tests and text, not for the hot path.
 *
 * Fields that follow from others (lengths, checksums, default types) appear only where they
 * differ, so that `compose(dissect(bytes))` gives the bytes back. What that cannot hold for is
 * bits which no layer names: reserved flags, and bytes between a UDP datagram and its packet's end.
 * A fragment's payload is left whole, whatever it begins with. The frame holds windows on `bytes`.
 */
import * as arp from './arp.ts';
import { bytesOf, viewOf } from './bytes.ts';
import * as checksums from './checksum.ts';
import type { Span } from './dissect-transport.ts';
import { dissectTransport } from './dissect-transport.ts';
import * as ethernet from './ethernet.ts';
import { faultOf } from './frame-checksum.ts';
import { PROTOCOL } from './ip-protocol.ts';
import * as ipv4 from './ipv4.ts';
import * as ipv6 from './ipv6.ts';
import type { Frame, Ipv4Layer, Ipv6Extension, Ipv6Layer, Packet, VlanLayer } from './layers.ts';
import type { Malformed } from './malformed.ts';
import { isMalformed } from './malformed.ts';
import * as vlan from './vlan.ts';

export interface DissectOptions {
  /** Refuse a frame with a wrong checksum as `bad-checksum`; otherwise its layer says so. False where absent. */
  readonly verify?: boolean;
}

/**
 * ```ts
 * const frame = dissect(bytes);
 * if (isMalformed(frame)) counters[frame]++;
 * else if (frame.udp) console.log(frame.udp.destination);
 * ```
 */
export function dissect(bytes: Uint8Array, options: DissectOptions = {}): Frame | Malformed {
  const view = viewOf(bytes);
  const end = bytes.length;
  const malformed = ethernet.check(view, 0, end);
  if (malformed) return malformed;
  const tagged = dissectTags(view, end);
  if (isMalformed(tagged)) return tagged;
  const { at, type, tags } = tagged;
  const link = {
    ethernet: {
      source: ethernet.source(view, 0),
      destination: ethernet.destination(view, 0),
      type,
    },
    ...(tags.length > 0 && { vlan: tags }),
  };
  if (type === ethernet.TYPE.arp) {
    const layer = dissectArp(view, at, end);
    if (isMalformed(layer)) return layer;
    const rest = bytesOf(view, at + arp.HEADER_LENGTH, end);
    const trailer = rest.length > 0 && { trailer: rest };
    return { ...link, arp: layer, payload: new Uint8Array(), ...trailer };
  }
  if (type !== ethernet.TYPE.ipv4 && type !== ethernet.TYPE.ipv6) {
    return { ...link, payload: bytesOf(view, at, end) };
  }
  const packet = dissectPacket(view, at, end, type === ethernet.TYPE.ipv4 ? 4 : 6, false);
  if (isMalformed(packet)) return packet;
  if (options.verify && hasBadChecksum(packet)) return 'bad-checksum';
  return { ...link, ...packet };
}

/** One IP packet, from its first byte; `quoted` ones passed quoted.ts's check and may be cut short. */
export function dissectPacket(
  view: DataView,
  offset: number,
  end: number,
  version: number,
  quoted: boolean,
): Packet | Malformed {
  const read = version === 4 ? readIpv4 : readIpv6;
  const ip = read(view, offset, end, quoted);
  if (isMalformed(ip)) return ip;
  const transport = dissectTransport(view, ip.span, dissectPacket);
  if (isMalformed(transport)) return transport;
  const trailer = ip.span.end < end && { trailer: bytesOf(view, ip.span.end, end) };
  return { ...ip.layer, ...transport, ...trailer };
}

interface Network {
  readonly layer: { readonly ipv4: Ipv4Layer } | { readonly ipv6: Ipv6Layer };
  readonly span: Span;
}

function readIpv4(
  view: DataView,
  offset: number,
  end: number,
  quoted: boolean,
): Network | Malformed {
  const malformed = quoted ? undefined : ipv4.check(view, offset, end);
  if (malformed) return malformed;
  const headerLength = ipv4.headerLength(view, offset);
  const total = ipv4.totalLength(view, offset);
  // A quoted total may be anything: one too small to be true tells nothing about where the quote ends.
  const packetEnd = total >= headerLength ? Math.min(end, offset + total) : end;
  const natural = packetEnd - offset;
  const at = offset + headerLength;
  const protocol = ipv4.protocol(view, offset);
  const checksum = ipv4Fault(view, offset, at);
  const layer: Ipv4Layer = {
    source: ipv4.source(view, offset),
    destination: ipv4.destination(view, offset),
    protocol,
    timeToLive: ipv4.timeToLive(view, offset),
    typeOfService: ipv4.typeOfService(view, offset),
    identification: ipv4.identification(view, offset),
    dontFragment: ipv4.dontFragment(view, offset),
    moreFragments: ipv4.moreFragments(view, offset),
    fragmentOffset: ipv4.fragmentOffset(view, offset),
    ...(headerLength > ipv4.HEADER_LENGTH && {
      options: bytesOf(view, offset + ipv4.HEADER_LENGTH, at),
    }),
    ...(total !== natural && { totalLength: total }),
    ...(checksum !== undefined && { checksum }),
  };
  const statedLength = total - headerLength;
  const span = {
    offset: at,
    end: packetEnd,
    statedLength,
    isCut: total !== natural,
    isQuoted: quoted,
    protocol: ipv4.isFragment(view, offset) ? undefined : protocol,
    pseudoHeader: ipv4.pseudoHeader(view, offset, protocol, statedLength),
  };
  return { layer: { ipv4: layer }, span };
}

function ipv4Fault(view: DataView, offset: number, end: number) {
  const stored = ipv4.checksum(view, offset);
  const right = checksums.finish(checksums.sum(view, offset, end) - stored);
  return faultOf(stored, right, false);
}

function readIpv6(
  view: DataView,
  offset: number,
  end: number,
  quoted: boolean,
): Network | Malformed {
  const malformed = quoted ? undefined : ipv6.check(view, offset, end);
  if (malformed) return malformed;
  const stated = ipv6.payloadLength(view, offset);
  const packetEnd = Math.min(end, offset + ipv6.HEADER_LENGTH + stated);
  const natural = packetEnd - offset - ipv6.HEADER_LENGTH;
  const walk = ipv6.newWalk();
  const bad = ipv6.walk(view, offset, packetEnd, walk);
  if (bad) return quoted ? 'bad-icmp-quote' : bad;
  // Behind a fragment header is a piece of a packet, even where the walk found more to follow.
  const at = walk.isFragment ? walk.fragmentAt + ipv6.FRAGMENT_HEADER_LENGTH : walk.offset;
  const protocol = walk.isFragment ? view.getUint8(walk.fragmentAt) : walk.protocol;
  const layer: Ipv6Layer = {
    source: ipv6.source(view, offset),
    destination: ipv6.destination(view, offset),
    protocol,
    hopLimit: ipv6.hopLimit(view, offset),
    trafficClass: ipv6.trafficClass(view, offset),
    flowLabel: ipv6.flowLabel(view, offset),
    ...readExtensions(view, offset, at),
    ...(stated !== natural && { payloadLength: stated }),
  };
  const statedLength = stated - (at - offset - ipv6.HEADER_LENGTH);
  const span = {
    offset: at,
    end: packetEnd,
    statedLength,
    isCut: stated !== natural,
    isQuoted: quoted,
    protocol: walk.isFragment ? undefined : protocol,
    pseudoHeader: ipv6.pseudoHeader(view, offset, protocol, statedLength),
  };
  return { layer: { ipv6: layer }, span };
}

/** The extension headers up to `end`, which the walk has found to be whole. */
function readExtensions(
  view: DataView,
  offset: number,
  end: number,
): Pick<Ipv6Layer, 'extensions' | 'fragment'> {
  const extensions: Ipv6Extension[] = [];
  let protocol = ipv6.nextHeader(view, offset);
  let at = offset + ipv6.HEADER_LENGTH;
  while (at < end) {
    const next = at + ipv6.extensionLength(view, at, protocol);
    if (protocol === PROTOCOL.fragment && next === end && hasNoReservedBits(view, at)) {
      const fragment = {
        identification: ipv6.fragmentIdentification(view, at),
        fragmentOffset: ipv6.fragmentOffset(view, at),
        moreFragments: ipv6.moreFragments(view, at),
      };
      return { ...(extensions.length > 0 && { extensions }), fragment };
    }
    extensions.push({ protocol, bytes: bytesOf(view, at, next) });
    protocol = view.getUint8(at);
    at = next;
  }
  return extensions.length > 0 ? { extensions } : {};
}

function hasNoReservedBits(view: DataView, fragmentAt: number): boolean {
  return view.getUint8(fragmentAt + 1) === 0 && (view.getUint8(fragmentAt + 3) & 0x06) === 0;
}

function dissectTags(
  view: DataView,
  end: number,
): { at: number; type: number; tags: VlanLayer[] } | Malformed {
  const tags: VlanLayer[] = [];
  let type = ethernet.type(view, 0);
  let at = ethernet.HEADER_LENGTH;
  while (vlan.isTag(type) && tags.length < vlan.MAXIMUM_TAGS) {
    const malformed = vlan.check(view, at, end);
    if (malformed) return malformed;
    tags.push({
      tagProtocol: type,
      identifier: vlan.identifier(view, at),
      priority: vlan.priority(view, at),
      dropEligible: vlan.dropEligible(view, at),
    });
    type = vlan.type(view, at);
    at += vlan.HEADER_LENGTH;
  }
  return { at, type, tags };
}

function dissectArp(view: DataView, offset: number, end: number): arp.ArpFields | Malformed {
  const malformed = arp.check(view, offset, end);
  if (malformed) return malformed;
  return {
    operation: arp.operation(view, offset),
    senderMac: arp.senderMac(view, offset),
    senderAddress: arp.senderAddress(view, offset),
    targetMac: arp.targetMac(view, offset),
    targetAddress: arp.targetAddress(view, offset),
  };
}

/** A UDP checksum of zero over IPv4 is none, hence not bad. */
function hasBadChecksum(packet: Packet): boolean {
  if (packet.ipv4?.checksum !== undefined) return true;
  const layer = packet.tcp ?? packet.udp ?? packet.icmp ?? packet.icmpv6;
  if (layer?.checksum === undefined) return false;
  return !(packet.udp && packet.ipv4 && layer.checksum === 0);
}
