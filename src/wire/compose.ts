/** Builds frames from descriptions, with the right lengths and checksums wherever none is given. */
import { parseIpv4, parseIpv6, parseMac } from './address.ts';
import * as arp from './arp.ts';
import { concatenate, viewOf } from './bytes.ts';
import * as ethernet from './ethernet.ts';
import type { TransportName } from './frame-checksum.ts';
import { badChecksum, sealTransport, TRANSPORT_PROTOCOL } from './frame-checksum.ts';
import * as icmp from './icmp.ts';
import * as icmpv6 from './icmpv6.ts';
import { PROTOCOL } from './ip-protocol.ts';
import * as ipv4 from './ipv4.ts';
import * as ipv6 from './ipv6.ts';
import type { Description, Ipv6Layer } from './layers.ts';
import * as tcp from './tcp.ts';
import * as udp from './udp.ts';
import * as vlan from './vlan.ts';

/** Locally administered addresses for descriptions that name none. */
export const DEFAULT_SOURCE = 0x0200_0000_0001;
export const DEFAULT_DESTINATION = 0x0200_0000_0002;

/**
 * An Ethernet frame, without the padding to 60 bytes that a port adds.
 *
 * ```ts
 * compose({
 *   ipv4: { source: '10.0.0.5', destination: '198.51.100.7', timeToLive: 5 },
 *   udp: { source: 4242, destination: 53 },
 *   payload: 'x',
 * });
 * ```
 *
 * Throws TypeError for text that is no address, RangeError for what no length field can hold.
 */
export function compose(description: Description): Uint8Array {
  const network = composeNetwork(description);
  const tags = description.vlan ?? [];
  const link = description.ethernet ?? {};
  const header = new Uint8Array(ethernet.HEADER_LENGTH + tags.length * vlan.HEADER_LENGTH);
  const view = viewOf(header);
  const innerType = link.type ?? typeOf(description);
  const tagProtocols = tags.map(
    (tag, index) => tag.tagProtocol ?? defaultTagProtocol(index, tags.length),
  );
  let at = ethernet.write(view, 0, {
    source: toMac(link.source ?? description.arp?.senderMac ?? DEFAULT_SOURCE),
    destination: toMac(link.destination ?? defaultDestination(description)),
    type: tagProtocols[0] ?? innerType,
  });
  tags.forEach((tag, index) => {
    at += vlan.write(view, at, { ...tag, type: tagProtocols[index + 1] ?? innerType });
  });
  return concatenate([header, network, description.trailer ?? new Uint8Array()]);
}

/** The bare IP packet of a description, without Ethernet, tags and trailer. */
export function composePacket(description: Description): Uint8Array {
  if (description.ipv4) return composeIpv4(description, description.ipv4);
  if (description.ipv6) return composeIpv6(description, description.ipv6);
  throw new TypeError('a packet description needs ipv4 or ipv6');
}

function composeNetwork(description: Description): Uint8Array {
  if (description.ipv4 || description.ipv6) return composePacket(description);
  if (!description.arp) return toBytes(description.payload);
  const bytes = new Uint8Array(arp.HEADER_LENGTH);
  const { operation, senderMac, senderAddress, targetMac, targetAddress } = description.arp;
  arp.write(viewOf(bytes), 0, {
    operation,
    senderMac: toMac(senderMac),
    senderAddress: toIpv4(senderAddress),
    targetMac: toMac(targetMac ?? 0),
    targetAddress: toIpv4(targetAddress),
  });
  return bytes;
}

function composeIpv4(
  description: Description,
  layer: NonNullable<Description['ipv4']>,
): Uint8Array {
  if ((layer.options?.length ?? 0) > 40) throw new RangeError('IPv4 options exceed 40 bytes');
  const headerLength = ipv4.HEADER_LENGTH + (((layer.options?.length ?? 0) + 3) & ~3);
  const name = transportOf(description);
  const stated = layer.totalLength === undefined ? undefined : layer.totalLength - headerLength;
  const transport = composeTransport(description, name, stated);
  const bytes = concatenate([new Uint8Array(headerLength), transport]);
  const view = viewOf(bytes);
  const { checksum, ...fields } = layer;
  ipv4.write(view, 0, {
    ...fields,
    source: toIpv4(layer.source),
    destination: toIpv4(layer.destination),
    protocol: layer.protocol ?? protocolOf(name),
    totalLength: layer.totalLength ?? within16Bits(bytes.length),
    ...(typeof checksum === 'number' && { checksum }),
  });
  if (checksum === 'bad') ipv4.setChecksum(view, 0, badChecksum(ipv4.checksum(view, 0), false));
  if (name) {
    const length = stated ?? transport.length;
    const pseudoHeader = ipv4.pseudoHeader(view, 0, TRANSPORT_PROTOCOL[name], length);
    const wanted = description[name]?.checksum;
    sealTransport(name, view, headerLength, bytes.length, pseudoHeader, wanted);
  }
  return bytes;
}

function composeIpv6(
  description: Description,
  layer: NonNullable<Description['ipv6']>,
): Uint8Array {
  const name = transportOf(description);
  const protocol = layer.protocol ?? protocolOf(name);
  const [nextHeader, extensions] = composeExtensions(layer, protocol);
  const stated =
    layer.payloadLength === undefined ? undefined : layer.payloadLength - extensions.length;
  const transport = composeTransport(description, name, stated);
  const bytes = concatenate([new Uint8Array(ipv6.HEADER_LENGTH), extensions, transport]);
  const view = viewOf(bytes);
  ipv6.write(view, 0, {
    ...layer,
    source: toIpv6(layer.source),
    destination: toIpv6(layer.destination),
    nextHeader,
    payloadLength: layer.payloadLength ?? within16Bits(bytes.length - ipv6.HEADER_LENGTH),
  });
  if (name) {
    const length = stated ?? transport.length;
    const pseudoHeader = ipv6.pseudoHeader(view, 0, TRANSPORT_PROTOCOL[name], length);
    const at = ipv6.HEADER_LENGTH + extensions.length;
    sealTransport(name, view, at, bytes.length, pseudoHeader, description[name]?.checksum);
  }
  return bytes;
}

/** The first next-header value, and the extension headers chained to `protocol`. */
function composeExtensions(
  layer: Pick<Ipv6Layer, 'extensions' | 'fragment'>,
  protocol: number,
): [nextHeader: number, bytes: Uint8Array] {
  let next = protocol;
  const parts: Uint8Array[] = [];
  if (layer.fragment) {
    const part = new Uint8Array(ipv6.FRAGMENT_HEADER_LENGTH);
    ipv6.writeFragment(viewOf(part), 0, { ...layer.fragment, nextHeader: next });
    parts.unshift(part);
    next = PROTOCOL.fragment;
  }
  for (const extension of (layer.extensions ?? []).toReversed()) {
    const part = extension.bytes.slice();
    part[0] = next;
    parts.unshift(part);
    next = extension.protocol;
  }
  return [next, concatenate(parts)];
}

/** The transport's header, quote and payload, its checksum still zero. `stated` is the length that IP states, if forced. */
function composeTransport(
  description: Description,
  name: TransportName | undefined,
  stated: number | undefined,
): Uint8Array {
  const payload = toBytes(description.payload);
  if (name === undefined) return payload;
  if (name === 'icmp' || name === 'icmpv6') return composeIcmp(description, name, payload);
  const header = new Uint8Array(tcp.MAXIMUM_HEADER_LENGTH);
  const view = viewOf(header);
  if (name === 'tcp') {
    const layer = description.tcp as NonNullable<Description['tcp']>;
    if ((layer.options?.length ?? 0) > 40) throw new RangeError('TCP options exceed 40 bytes');
    const length = tcp.write(view, 0, { ...layer, checksum: 0 });
    return concatenate([header.subarray(0, length), payload]);
  }
  const layer = description.udp as NonNullable<Description['udp']>;
  const natural = stated ?? within16Bits(udp.HEADER_LENGTH + payload.length);
  const length = udp.write(view, 0, { ...layer, length: layer.length ?? natural, checksum: 0 });
  return concatenate([header.subarray(0, length), payload]);
}

function composeIcmp(
  description: Description,
  name: 'icmp' | 'icmpv6',
  payload: Uint8Array,
): Uint8Array {
  const header = new Uint8Array(icmpv6.NEIGHBOR_HEADER_LENGTH + icmpv6.LINK_LAYER_OPTION_LENGTH);
  const view = viewOf(header);
  if (name === 'icmp') {
    const layer = description.icmp as NonNullable<Description['icmp']>;
    const length = icmp.write(view, 0, { ...layer, checksum: 0 });
    const quote = composeQuote(layer, icmp.MAXIMUM_QUOTE);
    return concatenate([header.subarray(0, length), quote, payload]);
  }
  const layer = description.icmpv6 as NonNullable<Description['icmpv6']>;
  const { target, checksum: _sealed, ...fields } = layer;
  let length = icmpv6.write(view, 0, { ...fields, target: toIpv6(target ?? new Uint8Array(16)) });
  if (layer.linkLayer !== undefined) {
    const mac = toMac(layer.linkLayer);
    length += icmpv6.writeLinkLayerOption(view, length, layer.type, mac);
  }
  const quote = composeQuote(layer, icmpv6.MAXIMUM_QUOTE);
  return concatenate([header.subarray(0, length), quote, payload]);
}

function composeQuote(
  layer: Pick<NonNullable<Description['icmp']>, 'quoted' | 'quotedLength'>,
  maximum: number,
): Uint8Array {
  if (layer.quoted === undefined) return new Uint8Array();
  const packet =
    layer.quoted instanceof Uint8Array
      ? layer.quoted
      : concatenate([composePacket(layer.quoted), layer.quoted.trailer ?? new Uint8Array()]);
  return packet.subarray(0, layer.quotedLength ?? maximum);
}

function transportOf(description: Description): TransportName | undefined {
  const names: readonly TransportName[] = ['tcp', 'udp', 'icmp', 'icmpv6'];
  return names.find((name) => description[name] !== undefined);
}

function protocolOf(name: TransportName | undefined): number {
  return name === undefined ? PROTOCOL.noNextHeader : TRANSPORT_PROTOCOL[name];
}

function typeOf(description: Description): number {
  if (description.ipv4) return ethernet.TYPE.ipv4;
  if (description.ipv6) return ethernet.TYPE.ipv6;
  if (description.arp) return ethernet.TYPE.arp;
  throw new TypeError('a frame of no known network layer needs ethernet.type');
}

function defaultTagProtocol(index: number, count: number): number {
  return index + 1 < count ? ethernet.TYPE.serviceVlan : ethernet.TYPE.vlan;
}

/** An ARP request goes to everyone, a reply to whom it is for. */
function defaultDestination(description: Description): number | string {
  if (!description.arp) return DEFAULT_DESTINATION;
  if (description.arp.operation === arp.OPERATION.request) return ethernet.BROADCAST;
  return description.arp.targetMac ?? DEFAULT_DESTINATION;
}

function within16Bits(length: number): number {
  if (length > 0xffff) throw new RangeError(`a length of ${length} bytes exceeds 65535`);
  return length;
}

function toBytes(payload: Uint8Array | string | undefined): Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  return new TextEncoder().encode(payload ?? '');
}

function toMac(value: number | string): number {
  return typeof value === 'number' ? value : (parseMac(value) ?? notAnAddress(value));
}

function toIpv4(value: number | string): number {
  return typeof value === 'number' ? value : (parseIpv4(value) ?? notAnAddress(value));
}

function toIpv6(value: Uint8Array | string): Uint8Array {
  return typeof value === 'string' ? (parseIpv6(value) ?? notAnAddress(value)) : value;
}

function notAnAddress(text: string): never {
  throw new TypeError(`"${text}" is not an address of the kind that its layer needs`);
}
