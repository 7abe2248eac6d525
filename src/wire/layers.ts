/**
 * A frame as a plain object, one field per layer. `dissect` gives a `Frame`; `compose` takes a
 * `Description`, which is a frame with everything optional that has an obvious value, and with
 * addresses also as text. A frame is a description of itself.
 */
import type { ArpFields } from './arp.ts';
import type { EthernetFields } from './ethernet.ts';
import type { IcmpFields } from './icmp.ts';
import type { Icmpv6Fields } from './icmpv6.ts';
import type { Ipv4Fields } from './ipv4.ts';
import type { Ipv6Fields } from './ipv6.ts';
import type { TcpFields } from './tcp.ts';
import type { UdpFields } from './udp.ts';
import type { VlanFields } from './vlan.ts';

/**
 * A checksum that differs from the computed one. `'bad'` is off by a fixed ones' complement
 * amount, so that incremental updates (RFC 1624) on the way turn `'bad'` into `'bad'` again.
 */
export type Checksum = number | 'bad';

/** Absent fields hold what follows from the other layers. */
type Derived<Fields, Keys extends keyof Fields> = Omit<Fields, Keys | 'checksum'> & {
  readonly [Key in Keys]?: Fields[Key];
} & { readonly checksum?: Checksum };

export type VlanLayer = Omit<VlanFields, 'type'> & {
  /** Tag protocol identifier; absent: 0x88a8 for the outer of two tags, else 0x8100. */
  readonly tagProtocol?: number;
};

export type Ipv4Layer = Derived<Ipv4Fields, 'protocol' | 'totalLength'>;

export interface Ipv6Extension {
  /** Kind of extension header, such as 60 for destination options. */
  readonly protocol: number;
  /** The whole header; its first byte, the next header, is set by `compose`. */
  readonly bytes: Uint8Array;
}

export interface Ipv6Fragment {
  readonly identification: number;
  /** In bytes, a multiple of 8. */
  readonly fragmentOffset: number;
  readonly moreFragments: boolean;
}

export type Ipv6Layer = Omit<Ipv6Fields, 'nextHeader' | 'payloadLength'> & {
  /** Of what follows the extension headers. */
  readonly protocol?: number;
  readonly payloadLength?: number;
  /** In order; a fragment header behind them goes into `fragment`. */
  readonly extensions?: readonly Ipv6Extension[];
  readonly fragment?: Ipv6Fragment;
};

export type TcpLayer = Derived<TcpFields, never>;
export type UdpLayer = Derived<UdpFields, 'length'>;

interface Quoting<Quoted> {
  /** The packet that an error is about. */
  readonly quoted?: Quoted;
  /** Bytes of it to keep; absent: as many as the RFCs allow. */
  readonly quotedLength?: number;
}

export type IcmpLayer<Quoted = Packet> = Derived<IcmpFields, never> & Quoting<Quoted>;
export type Icmpv6Layer<Quoted = Packet> = Derived<Icmpv6Fields, never> &
  Quoting<Quoted> & {
    /** MAC address in the option of a neighbour message, where that is its only option. */
    readonly linkLayer?: number;
  };

/** An IP packet. Without a transport layer, `payload` is all that follows the IP headers. */
export interface Packet {
  readonly ipv4?: Ipv4Layer;
  readonly ipv6?: Ipv6Layer;
  readonly tcp?: TcpLayer;
  readonly udp?: UdpLayer;
  readonly icmp?: IcmpLayer;
  readonly icmpv6?: Icmpv6Layer;
  readonly payload: Uint8Array;
  /** Bytes behind the IP packet: Ethernet's padding. */
  readonly trailer?: Uint8Array;
}

export interface Frame extends Packet {
  /** The type is that of what follows the tags. */
  readonly ethernet: EthernetFields;
  /** Outermost first. */
  readonly vlan?: readonly VlanLayer[];
  readonly arp?: ArpFields;
}

type AddressKey =
  | 'source'
  | 'destination'
  | 'senderMac'
  | 'senderAddress'
  | 'targetMac'
  | 'targetAddress'
  | 'target'
  | 'linkLayer';

/** Addresses also as text: `'10.0.0.5'`, `'2001:db8::5'`, `'02:00:00:00:00:01'`. */
type WithText<Layer> = {
  [Key in keyof Layer]: Key extends AddressKey ? Layer[Key] | string : Layer[Key];
};

export interface Description {
  /** Absent fields: `DEFAULT_SOURCE` and `DEFAULT_DESTINATION` of compose.ts, and the type of the next layer. */
  readonly ethernet?: WithText<Partial<EthernetFields>>;
  readonly vlan?: readonly VlanLayer[];
  readonly arp?: WithText<ArpFields>;
  readonly ipv4?: WithText<Ipv4Layer>;
  readonly ipv6?: WithText<Ipv6Layer>;
  readonly tcp?: TcpLayer;
  readonly udp?: UdpLayer;
  readonly icmp?: IcmpLayer<Description | Uint8Array>;
  readonly icmpv6?: WithText<Icmpv6Layer<Description | Uint8Array>>;
  /** Text stands for its UTF-8 bytes; absent: none. */
  readonly payload?: Uint8Array | string;
  readonly trailer?: Uint8Array;
}
