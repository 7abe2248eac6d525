/**
 * ICMPv6 errors that the router originates (RFC 4443 3), and the echo replies of its own addresses. An
 * error quotes the packet as it came, unedited, and goes back the way it came.
 *
 * None is sent about an ICMPv6 error or redirect, a packet to or from more than one host, nor beyond
 * 1,000 a second and lane (RFC 4443 2.4 (e), (f)).
 */
import type { Lane } from '../../../streams/lane.ts';
import type { Packet } from '../../../streams/packet.ts';
import { trait } from '../../../streams/traits.ts';
import { address as addresses, icmpv6, ipv6, PROTOCOL, viewOf } from '../../../wire/index.ts';
import { isMulticast, isUnspecified } from './addresses.ts';
import { addressTowards, type Interface6, type Interfaces6 } from './interfaces.ts';
import { MESSAGE_AT, message } from './message.ts';

const perSecond = 1000;
const hopLimit = 64;
/** RFC 4861 4.5. */
const redirect = 137;

export interface ErrorKind6 {
  readonly type: number;
  readonly code: number;
}

export const hopLimitExceeded: ErrorKind6 = { type: icmpv6.TYPE.timeExceeded, code: 0 };
export const packetTooBig: ErrorKind6 = { type: icmpv6.TYPE.packetTooBig, code: 0 };
export const noRouteToDestination: ErrorKind6 = { type: icmpv6.TYPE.unreachable, code: 0 };
export const beyondScopeOfSource: ErrorKind6 = { type: icmpv6.TYPE.unreachable, code: 2 };

export class Icmpv6Errors {
  private readonly interfaces: Interfaces6;
  private tokens = perSecond;

  constructor(lane: Lane, interfaces: Interfaces6) {
    this.interfaces = interfaces;
    lane.every(1000, () => {
      this.tokens = perSecond;
    });
  }

  /** Tells the packet's sender what became of it. `mtu` for packet too big. */
  send(packet: Packet, kind: ErrorKind6, mtu = 0): void {
    if (this.tokens === 0 || !isAnswerable(packet)) return;
    this.tokens--;
    const { l3 } = packet;
    const length = ipv6.HEADER_LENGTH + packet.u16(l3 + 4);
    const quote = packet.bytes(l3, Math.min(length, icmpv6.MAXIMUM_QUOTE));
    const face = this.interfaces.face(packet.ingress);
    const peer = packet.bytes(l3 + 8, 16);
    this.reply(
      packet,
      face,
      addressTowards(face, peer),
      icmpv6.HEADER_LENGTH + quote.length,
      (view) => {
        icmpv6.write(view, MESSAGE_AT, { ...kind, mtu });
        new Uint8Array(view.buffer).set(quote, MESSAGE_AT + icmpv6.HEADER_LENGTH);
      },
    );
  }

  /** Answers an echo request that was sent to one of the router's addresses (RFC 4443 4.2). */
  answerEcho(packet: Packet): void {
    const { l3, l4 } = packet;
    if (this.tokens === 0 || packet.has(trait.fragment) || !isAnswerable(packet)) return;
    const whole = packet.bytes(l3, ipv6.HEADER_LENGTH + packet.u16(l3 + 4));
    const view = viewOf(whole);
    const at = l4 - l3;
    const length = whole.length - at;
    const pseudoHeader = ipv6.pseudoHeader(view, 0, PROTOCOL.icmpv6, length);
    if (!icmpv6.isChecksumValid(view, at, whole.length, pseudoHeader)) return;
    this.tokens--;
    const face = this.interfaces.face(packet.ingress);
    this.reply(packet, face, ipv6.destination(view, 0), length, (made) => {
      new Uint8Array(made.buffer).set(whole.subarray(at), MESSAGE_AT);
      icmpv6.setType(made, MESSAGE_AT, icmpv6.TYPE.echoReply);
    });
  }

  private reply(
    packet: Packet,
    face: Interface6,
    source: Uint8Array,
    length: number,
    write: (view: DataView) => void,
  ): void {
    const link = {
      sourceMac: face.mac,
      destinationMac: addresses.readMac(viewOf(packet.bytes(6, 6)), 0),
    };
    const destination = packet.bytes(packet.l3 + 8, 16);
    packet.originate(
      face.number,
      message({ ...link, source, destination, hopLimit }, length, write),
    );
  }
}

function isAnswerable(packet: Packet): boolean {
  if (packet.has(trait.icmpError | trait.linkMulticast | trait.originated)) return false;
  if (packet.has(trait.icmpOther) && packet.u8(packet.l4) === redirect) return false;
  const source = packet.bytes(packet.l3 + 8, 16);
  return (
    !isUnspecified(source) && !isMulticast(source) && !isMulticast(packet.bytes(packet.l3 + 24, 16))
  );
}
