/**
 * An IPv6 router (RFC 8200, RFC 4861): settles every pending IPv6 packet of a batch. Not a filter:
 * both directions pass, as routes say.
 *
 *   tagged -> drop; ND -> answered; multicast -> drop; own address -> echo or end; scope; hop limit
 *     -> route -> MTU -> neighbour -> forward
 *
 * Packet by packet: IPv6 is not this project's hot path, and batches without it cost one test.
 */
import { authorPacket } from '../../../state/author-packet.ts';
import type { PacketBatch } from '../../../streams/batch.ts';
import type { Lane } from '../../../streams/lane.ts';
import { type BatchOperator, synchronousOperator } from '../../../streams/operator.ts';
import type { Packet } from '../../../streams/packet.ts';
import { matches, trait, where } from '../../../streams/traits.ts';
import { drop, pending, type Verdict } from '../../../streams/verdict.ts';
import { icmpv6, ipv6 } from '../../../wire/index.ts';
import { isLinkLocal, isLoopback, isMulticast, isUnspecified, type Prefix6 } from './addresses.ts';
import {
  beyondScopeOfSource,
  hopLimitExceeded,
  Icmpv6Errors,
  noRouteToDestination,
  packetTooBig,
} from './icmpv6-errors.ts';
import { Interfaces6 } from './interfaces.ts';
import { NeighbourDiscovery } from './neighbour-discovery.ts';
import { isNeighbourMessage } from './neighbour-messages.ts';
import { type Route6, RouteTable6 } from './route-table.ts';

export interface Ipv6RouterOptions {
  /** The router's own addresses, by port name; every port has a link-local one besides. */
  readonly interfaces: Readonly<Record<string, readonly Prefix6[]>>;
  /** Beyond the links' own prefixes. */
  readonly routes: readonly Route6[];
}

const rows = where({ all: [trait.ipv6] });

const vlan = drop('vlan');
const linkMulticast = drop('link-multicast');
const multicast = drop('ipv6-multicast');
const scope = drop('ipv6-scope');
const answered = drop('ipv6-answered');
const toSelf = drop('ipv6-to-self');
const hopLimitUsed = drop('ipv6-hop-limit');
const noRoute = drop('ipv6-no-route');
const tooBig = drop('ipv6-too-big');

/**
 * Routes IPv6. Comes after `parse`; other packets pass untouched, and forwarded ones leave this
 * operator with their edits applied.
 *
 * @example routeIpv6(lane, { interfaces: { lan: [{ address, length: 64 }] }, routes: [] })
 */
export function routeIpv6<F>(lane: Lane, options: Ipv6RouterOptions): BatchOperator<F> {
  const router = new Ipv6Router(lane, options);
  return synchronousOperator('routeIpv6', () => (batch) => {
    if (batch.mayMatch(rows)) router.route(batch);
  });
}

class Ipv6Router {
  private readonly packet: Packet;
  private readonly interfaces: Interfaces6;
  private readonly table: RouteTable6;
  private readonly neighbours: NeighbourDiscovery;
  private readonly errors: Icmpv6Errors;
  private readonly applyHops: (batch: PacketBatch) => number;
  private readonly debug: boolean;

  constructor(lane: Lane, { interfaces, routes }: Ipv6RouterOptions) {
    const onLink = Object.entries(interfaces).flatMap(([port, prefixes]) =>
      prefixes.map((prefix) => ({ ...prefix, port })),
    );
    this.packet = authorPacket(lane).packet;
    this.interfaces = new Interfaces6(lane, interfaces);
    this.table = new RouteTable6([...onLink, ...routes], (port) => lane.port(port));
    this.neighbours = new NeighbourDiscovery(lane, this.interfaces);
    this.errors = new Icmpv6Errors(lane, this.interfaces);
    this.applyHops = lane.kernel('rewrite', {});
    this.debug = lane.debug;
  }

  route(batch: PacketBatch): void {
    const { count, verdict, traits } = batch;
    let staged = false;
    for (let row = 0; row < count; row++) {
      if (verdict[row] !== pending || !matches(traits[row] as number, rows)) continue;
      this.packet.move(batch, row);
      const decided = this.decide(this.packet);
      batch.verdict[row] = decided;
      staged ||= decided === pending;
    }
    if (this.debug) this.packet.expire();
    if (staged) this.applyHops(batch);
  }

  /** Pending: its next hop is staged. */
  private decide(packet: Packet): Verdict {
    if (packet.has(trait.tagged)) return vlan;
    if (isNeighbourMessage(packet)) return this.neighbours.receive(packet);
    const destination = packet.bytes(packet.l3 + 24, 16);
    if (isMulticast(destination)) return multicast;
    if (packet.has(trait.linkMulticast)) return linkMulticast;
    if (this.interfaces.isOwn(this.interfaces.face(packet.ingress), destination))
      return this.arrived(packet);
    return this.outOfScope(packet, destination) ?? this.forward(packet, destination);
  }

  private arrived(packet: Packet): Verdict {
    const isEcho = packet.has(trait.icmpQuery) && packet.u8(packet.l4) === icmpv6.TYPE.echo;
    if (!isEcho) return toSelf;
    this.errors.answerEcho(packet);
    return answered;
  }

  /** RFC 4291 2.5.2, 2.5.3, 2.5.6: addresses that no router forwards from or to. */
  private outOfScope(packet: Packet, destination: Uint8Array): Verdict | undefined {
    const source = packet.bytes(packet.l3 + 8, 16);
    if (isUnspecified(source) || isLoopback(source)) return scope;
    if (isUnspecified(destination) || isLoopback(destination) || isLinkLocal(destination))
      return scope;
    if (!isLinkLocal(source)) return undefined;
    this.errors.send(packet, beyondScopeOfSource);
    return scope;
  }

  private forward(packet: Packet, destination: Uint8Array): Verdict {
    if (packet.ttl <= 1) {
      this.errors.send(packet, hopLimitExceeded);
      return hopLimitUsed;
    }
    const hop = this.table.find(destination);
    if (!hop) {
      this.errors.send(packet, noRouteToDestination);
      return noRoute;
    }
    const face = this.interfaces.face(hop.port);
    if (ipv6.HEADER_LENGTH + packet.u16(packet.l3 + 4) > face.mtu) {
      this.errors.send(packet, packetTooBig, face.mtu);
      return tooBig;
    }
    const nextHop = hop.via ?? destination;
    const neighbour = this.neighbours.resolve(hop.port, nextHop);
    if (!neighbour) return this.neighbours.unresolved(packet, hop.port, nextHop);
    packet.setNextHop(hop.port, neighbour.macBytes, face.macBytes);
    return pending;
  }
}
