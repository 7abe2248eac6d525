/** Neighbour Solicitations and Advertisements, as sent and as accepted (RFC 4861 4.3, 4.4, 7.1). */
import type { Packet } from '../../../streams/packet.ts';
import { trait } from '../../../streams/traits.ts';
import { icmpv6, ipv6, PROTOCOL, viewOf } from '../../../wire/index.ts';
import {
  ALL_NODES,
  isMulticast,
  isUnspecified,
  multicastMac,
  solicitedNodeOf,
} from './addresses.ts';
import type { Interface6 } from './interfaces.ts';
import { MESSAGE_AT, message } from './message.ts';

/** What no router passes on: the sender was on this link (RFC 4861 3.1). */
const hopLimit = 255;
const length = icmpv6.NEIGHBOR_HEADER_LENGTH + icmpv6.LINK_LAYER_OPTION_LENGTH;
const optionAt = MESSAGE_AT + icmpv6.NEIGHBOR_HEADER_LENGTH;

export interface NeighbourMessage {
  readonly type: number;
  /** 16 bytes each; windows on the packet. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly target: Uint8Array;
  /** From its option, 48 bits: the source's of a solicitation, the target's of an advertisement. */
  readonly mac: number | undefined;
  readonly solicited: boolean;
  readonly override: boolean;
}

/** Asks who has `target`: all that might, or the host at `mac` whether it still does (7.2.2, 7.3.3). */
export function solicitation(face: Interface6, target: Uint8Array, mac?: number): Uint8Array {
  const group = solicitedNodeOf(target);
  const type = icmpv6.TYPE.neighborSolicitation;
  const addresses = {
    sourceMac: face.mac,
    destinationMac: mac ?? multicastMac(group),
    source: face.linkLocal,
    destination: mac === undefined ? group : target,
    hopLimit,
  };
  return message(addresses, length, (view) => {
    icmpv6.write(view, MESSAGE_AT, { type, target });
    icmpv6.writeLinkLayerOption(view, optionAt, type, face.mac);
  });
}

/** Answers a solicitation; one of duplicate address detection has no source to answer to (7.2.4). */
export function advertisement(face: Interface6, asked: NeighbourMessage, mac: number): Uint8Array {
  const isProbe = isUnspecified(asked.source);
  const type = icmpv6.TYPE.neighborAdvertisement;
  const target = asked.target.slice();
  const addresses = {
    sourceMac: face.mac,
    destinationMac: isProbe ? multicastMac(ALL_NODES) : mac,
    source: target,
    destination: isProbe ? ALL_NODES : asked.source,
    hopLimit,
  };
  const flags = { router: true, solicited: !isProbe, override: true };
  return message(addresses, length, (view) => {
    icmpv6.write(view, MESSAGE_AT, { type, target, ...flags });
    icmpv6.writeLinkLayerOption(view, optionAt, type, face.mac);
  });
}

/** Whether a packet calls itself one of the two messages. */
export function isNeighbourMessage(packet: Packet): boolean {
  if (!packet.has(trait.icmpOther) || packet.has(trait.fragmentLater)) return false;
  const type = packet.u8(packet.l4);
  return type === icmpv6.TYPE.neighborSolicitation || type === icmpv6.TYPE.neighborAdvertisement;
}

/** The message of a packet, or undefined where a check of RFC 4861 7.1 or RFC 6980 fails. */
export function readNeighbourMessage(packet: Packet): NeighbourMessage | undefined {
  const { l3 } = packet;
  if (packet.ttl !== hopLimit || packet.has(trait.fragment)) return undefined;
  const view = viewOf(packet.bytes(l3, ipv6.HEADER_LENGTH + packet.u16(l3 + 4)));
  const at = packet.l4 - l3;
  const end = view.byteLength;
  if (icmpv6.check(view, at, end) !== undefined || icmpv6.code(view, at) !== 0) return undefined;
  const pseudoHeader = ipv6.pseudoHeader(view, 0, PROTOCOL.icmpv6, end - at);
  if (!icmpv6.isChecksumValid(view, at, end, pseudoHeader) || !areOptionsSound(view, at, end))
    return undefined;
  const found: NeighbourMessage = {
    type: icmpv6.type(view, at),
    source: ipv6.source(view, 0),
    destination: ipv6.destination(view, 0),
    target: icmpv6.target(view, at),
    mac: icmpv6.linkLayerAddress(view, at, end),
    solicited: icmpv6.solicited(view, at),
    override: icmpv6.override(view, at),
  };
  if (isMulticast(found.target)) return undefined;
  return found.type === icmpv6.TYPE.neighborSolicitation
    ? soundSolicitation(found)
    : soundAdvertisement(found);
}

/** From nobody it must be a probe: to the target's group, and with no address to learn. */
function soundSolicitation(asked: NeighbourMessage): NeighbourMessage | undefined {
  if (!isUnspecified(asked.source)) return asked;
  const group = solicitedNodeOf(asked.target);
  const toGroup = asked.destination.every((byte, i) => byte === group[i]);
  return toGroup && asked.mac === undefined ? asked : undefined;
}

/** What everybody hears is an answer to nobody. */
function soundAdvertisement(told: NeighbourMessage): NeighbourMessage | undefined {
  return told.solicited && isMulticast(told.destination) ? undefined : told;
}

/** No option has length 0; all end with the message (4.6). Bounded by the packet: 8 bytes at least. */
function areOptionsSound(view: DataView, at: number, end: number): boolean {
  let next = at + icmpv6.NEIGHBOR_HEADER_LENGTH;
  while (next + 2 <= end) {
    const size = view.getUint8(next + 1) * 8;
    if (size === 0) return false;
    next += size;
  }
  return next === end;
}
