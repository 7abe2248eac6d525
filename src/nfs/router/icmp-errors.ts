/**
 * ICMP errors that the router originates (RFC 792, RFC 1812 4.3), and the echo replies of its own
 * addresses. An error quotes the packet as it came, unedited, and goes back the way it came.
 *
 * None is sent about an ICMP error, a later fragment, a packet to or from more than one host (RFC 1812
 * 4.3.2.7), nor beyond 1,000 a second and lane (4.3.2.8).
 */
import type { Lane } from '../../streams/lane.ts';
import type { Packet } from '../../streams/packet.ts';
import { trait } from '../../streams/traits.ts';
import { ethernet, icmp, ipv4, PROTOCOL } from '../../wire/index.ts';
import { addressTowards, type RouterInterface } from './address-book.ts';

const perSecond = 1000;
const unanswerable =
  trait.icmpError |
  trait.fragmentLater |
  trait.linkMulticast |
  trait.netMulticast |
  trait.originated;

export interface ErrorKind {
  readonly type: number;
  readonly code: number;
}

export const timeExceeded: ErrorKind = { type: icmp.TYPE.timeExceeded, code: 0 };
export const fragmentationNeeded: ErrorKind = { type: icmp.TYPE.unreachable, code: 4 };
export const networkUnreachable: ErrorKind = { type: icmp.TYPE.unreachable, code: 0 };

export class IcmpErrors {
  private readonly interfaces: readonly RouterInterface[];
  private tokens = perSecond;

  constructor(lane: Lane, interfaces: readonly RouterInterface[]) {
    this.interfaces = interfaces;
    lane.every(1000, () => {
      this.tokens = perSecond;
    });
  }

  /** Tells the packet's sender what became of it. `mtu` for fragmentation needed (RFC 1191). */
  send(packet: Packet, kind: ErrorKind, mtu = 0): void {
    if (!packet.has(trait.ipv4) || packet.has(unanswerable) || this.tokens === 0) return;
    const face = this.interfaces[packet.ingress] as RouterInterface;
    const destination = packet.u32(packet.l3 + 12);
    const source = addressTowards(face, destination);
    if (source === undefined) return;
    this.tokens--;
    const quoteLength = Math.min(packet.u16(packet.l3 + 2), icmp.MAXIMUM_QUOTE);
    const frame = reply(packet, face, { source, destination }, icmp.HEADER_LENGTH + quoteLength);
    const view = new DataView(frame.buffer);
    const at = ethernet.HEADER_LENGTH + ipv4.HEADER_LENGTH;
    icmp.write(view, at, { ...kind, mtu });
    frame.set(packet.bytes(packet.l3, quoteLength), at + icmp.HEADER_LENGTH);
    icmp.fillChecksum(view, at, frame.length);
    packet.originate(face.number, frame);
  }

  /** Answers an echo request that was sent to one of the router's addresses (RFC 1122 3.2.2.6). */
  answerEcho(packet: Packet): void {
    if (packet.has(trait.fragment) || this.tokens === 0) return;
    this.tokens--;
    const face = this.interfaces[packet.ingress] as RouterInterface;
    const length = packet.u16(packet.l3 + 2) - (packet.l4 - packet.l3);
    const frame = reply(
      packet,
      face,
      { source: packet.destination, destination: packet.source },
      length,
    );
    const view = new DataView(frame.buffer);
    const at = ethernet.HEADER_LENGTH + ipv4.HEADER_LENGTH;
    frame.set(packet.bytes(packet.l4, length), at);
    if (!icmp.isChecksumValid(view, at, frame.length)) return;
    icmp.setType(view, at, icmp.TYPE.echoReply);
    icmp.setChecksum(view, at, 0);
    icmp.fillChecksum(view, at, frame.length);
    packet.originate(face.number, frame);
  }
}

/** An Ethernet and IPv4 header back to the frame's sender, and room for an ICMP message. */
function reply(
  packet: Packet,
  face: RouterInterface,
  addresses: { source: number; destination: number },
  messageLength: number,
): Uint8Array {
  const frame = new Uint8Array(ethernet.HEADER_LENGTH + ipv4.HEADER_LENGTH + messageLength);
  const view = new DataView(frame.buffer);
  frame.set(packet.bytes(6, 6), 0);
  frame.set(face.macBytes, 6);
  ethernet.setType(view, 0, ethernet.TYPE.ipv4);
  ipv4.write(view, ethernet.HEADER_LENGTH, {
    ...addresses,
    protocol: PROTOCOL.icmp,
    totalLength: ipv4.HEADER_LENGTH + messageLength,
  });
  return frame;
}
