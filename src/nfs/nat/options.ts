/** What a NAT is configured with. IPv4 addresses are numbers in host order, IPv6 addresses 16 bytes. */
import type { CommitClass } from '../../state/table.ts';
import type { Prefix6 } from '../router/ipv6/addresses.ts';
import type { Route6 } from '../router/ipv6/route-table.ts';

export type NatPrefix6 = Prefix6;
export type NatRoute6 = Route6;

export interface Prefix {
  readonly address: number;
  /** Bits. */
  readonly length: number;
}

export interface NatRoute extends Prefix {
  /** Port name. */
  readonly port: string;
  /** Next router; absent: the destinations are on the port's link. */
  readonly via?: number;
}

export interface StaticNeighbour {
  /** Port name. */
  readonly port: string;
  readonly address: number;
  /** 48 bits. */
  readonly mac: number;
}

export interface NatTimeouts {
  /** Seconds of idle life, by kind of mapping; an RFC sets each minimum. */
  readonly udp?: number;
  /** A TCP connection being opened or closed (RFC 5382 REQ-5: at least 240). */
  readonly tcpTransitory?: number;
  /** An established TCP connection (RFC 5382 REQ-5: at least 7440). */
  readonly tcpEstablished?: number;
  /** An ICMP query (RFC 5508 REQ-2: at least 60). */
  readonly icmp?: number;
}

export interface NatOptions {
  /** Names of the inside ports. */
  readonly inside: readonly string[];
  /** Name of the outside port. */
  readonly outside: string;
  /** The NAT's own addresses, by port name, each with the prefix of that link. */
  readonly interfaces: Readonly<Record<string, readonly Prefix[]>>;
  /** External addresses of mappings; may include the outside interface's own. */
  readonly pool: readonly number[];
  /** Beyond the links' own prefixes. */
  readonly routes?: readonly NatRoute[];
  /** Neighbours whose link address is configured and not asked for. */
  readonly neighbours?: readonly StaticNeighbour[];
  /** Default: endpoint-independent (RFC 4787 REQ-8). */
  readonly filtering?: 'endpoint-independent' | 'address-and-port-dependent';
  /**
   * Default: drop, counted as `ipv6`. Routed IPv6 is not translated and not filtered: what is inside
   * can be reached from outside.
   */
  readonly ipv6?: 'drop' | 'route';
  /** For `ipv6: 'route'`: own addresses by port name; link-local ones follow from MAC addresses. */
  readonly interfaces6?: Readonly<Record<string, readonly NatPrefix6[]>>;
  /** For `ipv6: 'route'`: beyond the links' own prefixes; `via` may be link-local. At most 4,096. */
  readonly routes6?: readonly NatRoute6[];
  /** Mappings at the most. Default 65,536. */
  readonly capacity?: number;
  /** When a packet may leave: see `TableOptions.commit`. Default: primary. */
  readonly commit?: CommitClass;
  readonly timeouts?: NatTimeouts;
  /** Accepts timeouts below the RFCs' minimum: for measurements, never for users' traffic. */
  readonly shortTimeouts?: boolean;
  /**
   * Who stages the translation of packets that hit: native kernels (default), or a function called for
   * every packet, which is what an author's own network function costs.
   */
  readonly translation?: 'kernels' | 'callback';
  /** External ports, from the first to the last. Default 1024 to 65535. */
  readonly ports?: { readonly first: number; readonly last: number };
}
