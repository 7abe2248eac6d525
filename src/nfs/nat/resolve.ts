/** Defaults of the options, and the mistakes that only the whole can show. */
import { contains } from '../router/address-book.ts';
import type { Ipv6RouterOptions } from '../router/ipv6/route-ipv6.ts';
import type { NatOptions, NatRoute, NatTimeouts, Prefix } from './options.ts';
import { NatOptionsError } from './options-error.ts';
import { resolveIpv6 } from './resolve-ipv6.ts';

export interface ResolvedNat {
  readonly timeouts: Required<NatTimeouts>;
  readonly capacity: number;
  readonly ports: { readonly first: number; readonly last: number };
  /** The links' own prefixes and the routes given. */
  readonly routes: readonly NatRoute[];
  /** Undefined: IPv6 is dropped. */
  readonly ipv6: Ipv6RouterOptions | undefined;
}

/** Shortest timeouts that the RFCs allow, and our defaults. RFC 4787 REQ-5, 5382 REQ-5, 5508 REQ-2. */
const minimum: Required<NatTimeouts> = {
  udp: 120,
  tcpTransitory: 240,
  tcpEstablished: 7440,
  icmp: 60,
};
const standard: Required<NatTimeouts> = {
  udp: 300,
  tcpTransitory: 240,
  tcpEstablished: 7440,
  icmp: 60,
};

export function resolve(options: NatOptions): ResolvedNat {
  const { ports = { first: 1024, last: 65535 }, capacity = 65_536 } = options;
  const timeouts = { ...standard, ...options.timeouts };
  for (const kind of Object.keys(minimum) as (keyof NatTimeouts)[]) {
    if (!(timeouts[kind] > 0))
      throw new NatOptionsError(`timeouts.${kind}`, `${timeouts[kind]} s is not positive`);
    if (!options.shortTimeouts && timeouts[kind] < minimum[kind]) {
      throw new NatOptionsError(
        `timeouts.${kind}`,
        `${timeouts[kind]} s is below the RFCs' minimum of ${minimum[kind]} s`,
      );
    }
  }
  if (options.pool.length === 0)
    throw new NatOptionsError('pool', 'needs at least one external address');
  if (new Set(options.pool).size !== options.pool.length)
    throw new NatOptionsError('pool', 'names an address twice');
  if (!(ports.first >= 1024 && ports.last <= 65535 && ports.first <= ports.last)) {
    throw new NatOptionsError(
      'ports',
      `${ports.first} to ${ports.last} is not a range within 1024 to 65535`,
    );
  }
  if (!Number.isInteger(capacity) || capacity < 1 || capacity > 2 ** 26) {
    throw new NatOptionsError('capacity', `${capacity} is not between 1 and ${2 ** 26}`);
  }
  if (options.inside.length === 0) throw new NatOptionsError('inside', 'needs at least one port');
  if (options.inside.includes(options.outside))
    throw new NatOptionsError('outside', `${options.outside} is an inside port too`);
  const own = Object.entries(options.interfaces).flatMap(([port, prefixes]) =>
    prefixes.map((p) => ({ ...p, port })),
  );
  for (const port of [...options.inside, options.outside]) {
    if (!own.some((p) => p.port === port))
      throw new NatOptionsError(`interfaces.${port}`, 'needs an address');
  }
  for (const [i, route] of (options.routes ?? []).entries()) checkRoute(`routes[${i}]`, route, own);
  const routes = [...own, ...(options.routes ?? [])];
  return { timeouts, capacity, ports, routes, ipv6: resolveIpv6(options) };
}

function checkRoute(
  field: string,
  route: NatRoute,
  own: readonly (Prefix & { port: string })[],
): void {
  if (!own.some((p) => p.port === route.port)) {
    throw new NatOptionsError(`${field}.port`, `${route.port} is no port with an address`);
  }
  const { via } = route;
  if (via !== undefined && !own.some((p) => p.port === route.port && contains(p, via))) {
    throw new NatOptionsError(
      `${field}.via`,
      `the gateway is not on the link of port ${route.port}`,
    );
  }
}
