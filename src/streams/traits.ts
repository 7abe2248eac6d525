/**
 * Traits: what the parse kernel found out about a packet, one bit each, and up to eight marks that a
 * pipeline defines for itself (of ingress ports, local addresses, routes).
 */
import { native, type WhereMask } from '../native.ts';

export type { WhereMask } from '../native.ts';

function bit(name: string): number {
  const value = native.traits[name];
  if (value === undefined) throw new Error(`the native addon has no trait ${name}`);
  return value;
}

export const trait = {
  ipv4: bit('ipv4'),
  ipv6: bit('ipv6'),
  arp: bit('arp'),
  tcp: bit('tcp'),
  udp: bit('udp'),
  /** Echo request or reply, ICMP or ICMPv6. */
  icmpQuery: bit('icmp_query'),
  /** Carries the head of the packet that it is about. */
  icmpError: bit('icmp_error'),
  icmpOther: bit('icmp_other'),
  /** IP, but neither TCP, UDP nor ICMP. */
  otherProtocol: bit('other_protocol'),
  nonIp: bit('non_ip'),
  fragmentFirst: bit('fragment_first'),
  fragmentLater: bit('fragment_later'),
  /** Both endpoints of the packet's flow are known: it can be looked up. IPv4 only. */
  hasFlow: bit('has_flow'),
  /** SYN, FIN or RST. */
  tcpControl: bit('tcp_control'),
  dontFragment: bit('dont_fragment'),
  tagged: bit('tagged'),
  linkMulticast: bit('link_multicast'),
  netMulticast: bit('net_multicast'),
  echoRequest: bit('echo_request'),
  /** Made by this instance, not received. */
  originated: bit('originated'),
  options: bit('options'),
  zeroChecksum: bit('zero_checksum'),
  /** First or later fragment. */
  fragment: bit('fragment'),
  /** Routed, and longer than the next link allows: to be fragmented before it is sent. */
  oversize: bit('oversize'),
} as const;

/**
 * A mask of the rows that an operator works on.
 *
 * @example where({ all: [trait.ipv4, inside], none: [trait.fragmentLater] })
 */
export function where(rows: { all?: readonly number[]; none?: readonly number[] }): WhereMask {
  const or = (bits: readonly number[] = []) => bits.reduce((mask, b) => (mask | b) >>> 0, 0);
  return { all: or(rows.all), none: or(rows.none) };
}

export const everyPacket: WhereMask = { all: 0, none: 0 };

/** No packet has this: a mask that takes none. */
export const noPacket: WhereMask = { all: trait.ipv4 | trait.ipv6, none: trait.ipv4 };

export function matches(traits: number, mask: WhereMask): boolean {
  return (traits & mask.all) >>> 0 === mask.all && (traits & mask.none) === 0;
}

/** Hands out a pipeline's marks by name; eight at the most. */
export class Marks {
  private readonly bits = new Map<string, number>();

  mark(name: string): number {
    let bit = this.bits.get(name);
    if (bit === undefined) {
      const next = native.firstMarkBit + this.bits.size;
      if (next > 31) throw new Error(`more than eight marks in one pipeline: ${name}`);
      bit = (1 << next) >>> 0;
      this.bits.set(name, bit);
    }
    return bit;
  }
}
