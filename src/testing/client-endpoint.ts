/**
 * The client's endpoint in an IPv4 frame, wherever it stands: in TCP and UDP ports, in an ICMP query
 * identifier, or in the packet that an ICMP error quotes (there on the other side). Read and replaced
 * without any code of the NAT under test; checksums are updated by RFC 1624, so a damaged packet
 * stays damaged.
 */
import * as checksums from '../wire/checksum.ts';
import * as ethernet from '../wire/ethernet.ts';
import * as icmp from '../wire/icmp.ts';
import { PROTOCOL } from '../wire/ip-protocol.ts';
import * as ipv4 from '../wire/ipv4.ts';

export interface Endpoint {
  readonly address: number;
  /** Port or query identifier; undefined where the packet carries none (a later fragment). */
  readonly port: number | undefined;
}

/** Where the client is: the source of what it sends, the destination of what it gets. */
export type Side = 'source' | 'destination';

/** One IP packet in a frame; of an ICMP error, also the packet that it quotes. */
export class Ipv4Packet {
  readonly view: DataView;
  readonly at: number;
  readonly end: number;
  readonly l4: number;
  readonly protocol: number;
  readonly quoted: Ipv4Packet | undefined;

  private constructor(view: DataView, at: number, end: number, isQuoted: boolean) {
    this.view = view;
    this.at = at;
    this.end = Math.min(end, at + Math.max(ipv4.totalLength(view, at), ipv4.HEADER_LENGTH));
    this.l4 = at + ipv4.headerLength(view, at);
    this.protocol = ipv4.protocol(view, at);
    const isError =
      !isQuoted &&
      this.protocol === PROTOCOL.icmp &&
      !ipv4.isFragment(view, at) &&
      icmp.isError(view, this.l4);
    const inner = this.l4 + icmp.HEADER_LENGTH;
    this.quoted =
      isError && inner + 28 <= this.end ? new Ipv4Packet(view, inner, this.end, true) : undefined;
  }

  /** Undefined for anything but untagged IPv4 with a whole header and, unless a later fragment, 8 bytes more. */
  static in(frame: Uint8Array): Ipv4Packet | undefined {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    const at = ethernet.HEADER_LENGTH;
    if (frame.length < at || ethernet.type(view, 0) !== ethernet.TYPE.ipv4) return undefined;
    if (ipv4.check(view, at, frame.length) !== undefined) return undefined;
    const needed = ipv4.headerLength(view, at) + (ipv4.fragmentOffset(view, at) === 0 ? 8 : 0);
    return at + needed > frame.length ? undefined : new Ipv4Packet(view, at, frame.length, false);
  }

  get source(): number {
    return ipv4.source(this.view, this.at);
  }
  get destination(): number {
    return ipv4.destination(this.view, this.at);
  }
  get isLaterFragment(): boolean {
    return ipv4.fragmentOffset(this.view, this.at) !== 0;
  }

  /** Where the port or identifier of one side stands; undefined where there is none. */
  private portAt(side: Side): number | undefined {
    if (this.isLaterFragment) return undefined;
    if (this.protocol === PROTOCOL.tcp || this.protocol === PROTOCOL.udp) {
      return side === 'source' ? this.l4 : this.l4 + 2;
    }
    return this.protocol === PROTOCOL.icmp && icmp.isEcho(this.view, this.l4)
      ? this.l4 + 4
      : undefined;
  }

  /** Where the transport's checksum stands, if it is within the packet or its quote. */
  private get checksumAt(): number | undefined {
    if (this.isLaterFragment) return undefined;
    const offsets: Readonly<Record<number, number>> = {
      [PROTOCOL.tcp]: 16,
      [PROTOCOL.udp]: 6,
      [PROTOCOL.icmp]: 2,
    };
    const offset = offsets[this.protocol];
    return offset === undefined || this.l4 + offset + 2 > this.end ? undefined : this.l4 + offset;
  }

  /** The endpoint on one side; for an ICMP error that of the flow it is about. */
  endpoint(side: Side): Endpoint {
    const packet = this.quoted ?? this;
    const there = this.quoted ? other(side) : side;
    const at = packet.portAt(there);
    return {
      address: there === 'source' ? packet.source : packet.destination,
      port: at === undefined ? undefined : this.view.getUint16(at),
    };
  }

  /** Replaces the endpoint on one side, in both layers of an ICMP error. */
  replace(side: Side, endpoint: Endpoint): void {
    this.replaceHere(side, endpoint);
    if (!this.quoted) return;
    this.quoted.replaceHere(other(side), endpoint);
    icmp.fillChecksum(this.view, this.l4, this.end);
  }

  private replaceHere(side: Side, { address, port }: Endpoint): void {
    const { view, at } = this;
    const before = side === 'source' ? this.source : this.destination;
    if (side === 'source') ipv4.setSource(view, at, address);
    else ipv4.setDestination(view, at, address);
    ipv4.setChecksum(view, at, checksums.update32(ipv4.checksum(view, at), before, address));
    const portAt = this.quoted ? undefined : this.portAt(side);
    const sumAt = this.checksumAt;
    const isUdp = this.protocol === PROTOCOL.udp;
    const update32 = isUdp ? checksums.updateUdp32 : checksums.update32;
    const update16 = isUdp ? checksums.updateUdp16 : checksums.update16;
    if (sumAt !== undefined && this.protocol !== PROTOCOL.icmp) {
      view.setUint16(sumAt, update32(view.getUint16(sumAt), before, address));
    }
    if (portAt === undefined || port === undefined) return;
    if (sumAt !== undefined)
      view.setUint16(sumAt, update16(view.getUint16(sumAt), view.getUint16(portAt), port));
    view.setUint16(portAt, port);
  }

  /**
   * The frame without what a router and a NAT may change: link addresses, TTL, checksums, padding, and
   * the endpoint on `side`, if one is named. Two frames with one key are one packet.
   */
  key(side: Side | undefined): string {
    const bytes = new Uint8Array(this.view.buffer, this.view.byteOffset, this.end).slice();
    const copy = Ipv4Packet.in(bytes) as Ipv4Packet;
    bytes.fill(0, 0, 12);
    if (side) copy.replace(side, { address: 0, port: 0 });
    ipv4.setTimeToLive(copy.view, copy.at, 0);
    ipv4.setChecksum(copy.view, copy.at, 0);
    copy.clearChecksum();
    if (copy.quoted) {
      ipv4.setChecksum(copy.view, copy.quoted.at, 0);
      copy.quoted.clearChecksum();
    }
    return Buffer.from(bytes.buffer, 0, bytes.length).toString('latin1');
  }

  private clearChecksum(): void {
    if (this.checksumAt !== undefined) this.view.setUint16(this.checksumAt, 0);
  }
}

function other(side: Side): Side {
  return side === 'source' ? 'destination' : 'source';
}
