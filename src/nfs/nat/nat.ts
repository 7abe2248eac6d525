/**
 * A NAPT for TCP, UDP and ICMP queries over IPv4 (RFC 4787, 5382, 5508, 7857): endpoint-independent
 * mapping, hairpinning, fragments in any order, ICMP errors translated in both layers. It is also the
 * router between its links: ARP, longest-prefix match, TTL, MTU. IPv6 it routes, or drops.
 *
 *   parse -> ARP -> fragments -> route out -+-> bindings by source -+-> decide -> write -> edits -> send
 *                                           +-> ports by destination+   (misses and TCP control only)
 *
 * State: see tables.ts. Packets that hit are never seen by TypeScript one by one.
 */
import type { Observable } from 'rxjs';
import { applyEdits } from '../../operators/apply-edits.ts';
import { dropRows } from '../../operators/drop-rows.ts';
import { express } from '../../operators/express.ts';
import { expressLookup } from '../../operators/express-lookup.ts';
import { lookupState } from '../../operators/lookup-state.ts';
import { parse } from '../../operators/parse.ts';
import { reserveState } from '../../operators/reserve-state.ts';
import { type RouteException, route } from '../../operators/route.ts';
import { transform } from '../../operators/transform.ts';
import { translate } from '../../operators/translate.ts';
import { writeState } from '../../operators/write-state.ts';
import { sessionOf } from '../../state/sessions.ts';
import type { AnyTable } from '../../state/table.ts';
import type { PacketBatch } from '../../streams/batch.ts';
import type { Lane } from '../../streams/lane.ts';
import type { Packet } from '../../streams/packet.ts';
import { trait, where } from '../../streams/traits.ts';
import { drop, type Verdict } from '../../streams/verdict.ts';
import { type NetworkFunction, networkFunction, type Pipeline } from '../network-function.ts';
import { addressBook } from '../router/address-book.ts';
import { answerLocal } from '../router/answer-local.ts';
import { fragmentOversize } from '../router/fragment-oversize.ts';
import { trackFragments } from '../router/fragments.ts';
import {
  fragmentationNeeded,
  IcmpErrors,
  networkUnreachable,
  timeExceeded,
} from '../router/icmp-errors.ts';
import { routeIpv6 } from '../router/ipv6/route-ipv6.ts';
import { Neighbours } from '../router/neighbours.ts';
import { Binder } from './bind.ts';
import { filterSessions } from './filter-sessions.ts';
import type { NatOptions } from './options.ts';
import { sweepOrphans } from './orphans.ts';
import { PortAllocator } from './port-allocator.ts';
import { releaseExpired, takenBack } from './release.ts';
import { type ResolvedNat, resolve } from './resolve.ts';
import { type NatTables, natTables } from './tables.ts';

/**
 * Declares a NAT.
 *
 * @throws {NatOptionsError} naming the field
 * @example
 * nat({
 *   inside: ['lan'],
 *   outside: 'wan',
 *   interfaces: { lan: [{ address: parseIpv4('10.0.0.1'), length: 24 }], wan: [...] },
 *   pool: [parseIpv4('203.0.113.1')],
 * })
 */
export function nat(options: NatOptions): NetworkFunction {
  const resolved = resolve(options);
  const tables = natTables(resolved.capacity, resolved.timeouts, options.commit ?? 'primary');
  const { bindings, ports, reserved, sessions, fragments } = tables;
  const declared = [bindings, ports, reserved, fragments, ...(isStrict(options) ? [sessions] : [])];
  return networkFunction('nat', declared, (lane) => pipeline(lane, options, resolved, tables));
}

const answered = drop('answered');
/** Nothing leaves as it came, whatever became of its decision. */
const untranslated = drop('untranslated');

function isStrict(options: NatOptions): boolean {
  return options.filtering === 'address-and-port-dependent';
}

function pipeline(
  lane: Lane,
  options: NatOptions,
  resolved: ResolvedNat,
  tables: NatTables,
): Pipeline {
  const { bindings, ports, reserved, fragments } = tables;
  const inside = lane.marks.mark('inside');
  const outside = lane.marks.mark('outside');
  const own = lane.marks.mark('own');
  const external = lane.marks.mark('external');
  /** Between the sides: to the outside, or to an external address of our own. */
  const crossing = lane.marks.mark('crossing');

  const interfaces = addressBook(lane, options.interfaces, { [options.outside]: options.pool });
  const neighbours = new Neighbours(lane, tables.neighbours as AnyTable, interfaces);
  for (const { port, address, mac } of options.neighbours ?? [])
    neighbours.configure(lane.port(port), address, mac);
  const errors = new IcmpErrors(lane, interfaces);
  const allocator = new PortAllocator(
    lane,
    sessionOf(lane, ports as AnyTable),
    ports as AnyTable,
    options.pool,
    resolved.ports,
  );
  lane.onClose(() => allocator.close());
  releaseExpired(lane, tables, allocator, resolved.timeouts);
  sweepOrphans(lane, tables, allocator);
  const binder = new Binder(allocator, (packet) => {
    errors.answerEcho(packet);
    return answered;
  });

  const routing = {
    routes: resolved.routes.map((r) => ({
      ...r,
      marks: r.port === options.outside ? crossing : 0,
    })),
    neighbours: tables.neighbours,
    onException: (packet: Packet, exception: RouteException, nextHop: number) =>
      exceptions(packet, exception, nextHop, neighbours, errors),
  };
  const toExternal = where({ all: [trait.ipv4, external] });
  const elsewhere = where({ all: [trait.ipv4], none: [external] });
  const outbound = { all: [trait.hasFlow, inside, crossing] };

  const ipv6 = resolved.ipv6 ? routeIpv6(lane, resolved.ipv6) : everythingPasses;

  const byCallback = options.translation === 'callback';
  const attend = byCallback ? 'all' : 'misses';

  const parsing = {
    ports: {
      ...Object.fromEntries(options.inside.map((port) => [port, { marks: inside }])),
      [options.outside]: { marks: outside },
    },
    addresses: [
      ...interfaces.flatMap((face) =>
        face.prefixes.map(({ address }) => ({ address, marks: own })),
      ),
      ...options.pool.map((address) => ({ address, marks: (external | crossing) >>> 0 })),
    ],
  };
  // Filtering by session wants to see every packet.
  const established =
    byCallback || isStrict(options)
      ? everythingPasses
      : express({
          parse: parsing,
          route: routing,
          inside,
          outside: crossing,
          source: { table: bindings, address: 'address', port: 'port', refresh: true },
          external,
          destination: { table: ports, address: 'address', port: 'port', refresh: false },
        });

  const admitted: Pipeline = (packets) =>
    packets.pipe(
      parse(parsing),
      neighbours.answer(),
      ipv6,
      dropRows([
        ...unsupported,
        { where: where({ all: [outside], none: [external, own] }), reason: 'not-translated' },
      ]),
      answerLocal(where({ all: [own], none: [external] }), errors),
      trackFragments(lane, fragments),
      dropRows([
        { where: where({ all: [trait.icmpError], none: [trait.hasFlow] }), reason: 'no-flow' },
      ]),
      route({ ...routing, where: elsewhere }),
    );
  const lookedUp = (packets: Observable<PacketBatch>) =>
    admitted(packets).pipe(
      lookupState(bindings, {
        key: 'source-endpoint',
        where: where(outbound),
        refresh: where({ ...outbound, none: [trait.icmpError] }), // RFC 5508 REQ-6, RFC 4787 REQ-6
        attend,
        attendTraits: trait.tcpControl,
      }),
      lookupState(ports, { key: 'destination-endpoint', where: toExternal, attend }),
      reserveState(reserved),
    );
  const found = byCallback
    ? expressLookup(
        {
          parse: parsing,
          route: { ...routing, where: elsewhere },
          lookups: [
            {
              table: bindings,
              key: 'source-endpoint',
              where: where({ ...outbound, none: [own, external] }),
            },
            {
              table: ports,
              key: 'destination-endpoint',
              where: where({ all: [trait.ipv4, external], none: [inside] }),
            },
          ],
        },
        lookedUp,
      )
    : lookedUp;

  return (packets) => {
    const decided = found(packets.pipe(established)).pipe(
      transform(
        [bindings, ports, reserved],
        byCallback ? binder.decideAndTranslate : binder.decide,
      ),
      writeState([reserved, bindings], { undone: takenBack(allocator, lane.register('reserved')) }),
    );
    const translated = byCallback
      ? decided
      : decided.pipe(
          translate(bindings, {
            side: 'source',
            address: 'address',
            port: 'port',
            where: where(outbound),
            otherwise: untranslated,
          }),
          translate(ports, {
            side: 'destination',
            address: 'address',
            port: 'port',
            where: toExternal,
            otherwise: untranslated,
          }),
        );
    return translated.pipe(
      route({ ...routing, where: toExternal }),
      isStrict(options) ? filterSessions(tables) : everythingPasses,
      applyEdits(),
      fragmentOversize(),
    );
  };
}

const everythingPasses: Pipeline = (packets) => packets;

/** What this NAT does not translate, each counted. */
const unsupported = [
  { where: where({ all: [trait.ipv6] }), reason: 'ipv6' },
  { where: where({ all: [trait.nonIp] }), reason: 'not-ip' },
  { where: where({ all: [trait.tagged] }), reason: 'vlan' },
  { where: where({ all: [trait.netMulticast] }), reason: 'multicast' },
  { where: where({ all: [trait.ipv4, trait.linkMulticast] }), reason: 'link-multicast' },
  { where: where({ all: [trait.otherProtocol] }), reason: 'unsupported-protocol' },
  { where: where({ all: [trait.icmpOther] }), reason: 'unsupported-icmp' },
];

const ttlExceeded = drop('ttl-exceeded');
const tooBig = drop('too-big');
const noRoute = drop('no-route');

/** Packets that cannot go on, still as they came: the sender is told (RFC 1812 5.2.7). */
function exceptions(
  packet: Packet,
  exception: RouteException,
  nextHop: number,
  neighbours: Neighbours,
  errors: IcmpErrors,
): Verdict {
  switch (exception) {
    case 'unresolved':
      return neighbours.unresolved(packet, nextHop);
    case 'ttl-exceeded':
      errors.send(packet, timeExceeded);
      return ttlExceeded;
    case 'too-big':
      errors.send(packet, fragmentationNeeded, neighbours.mtu(packet));
      return tooBig;
    case 'no-route':
      errors.send(packet, networkUnreachable);
      return noRoute;
  }
}
