/** The options of an IPv6 router beside the NAT, and the mistakes that only the whole can show. */
import { address as addresses } from '../../wire/index.ts';
import {
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
  keyOf,
  type Prefix6,
} from '../router/ipv6/addresses.ts';
import type { Ipv6RouterOptions } from '../router/ipv6/route-ipv6.ts';
import type { NatOptions, NatRoute6 } from './options.ts';
import { NatOptionsError } from './options-error.ts';

/** A packet's route is found by a scan. */
const mostRoutes = 4096;

/** Undefined: IPv6 is dropped. */
export function resolveIpv6(options: NatOptions): Ipv6RouterOptions | undefined {
  const { ipv6 = 'drop', interfaces6 = {}, routes6 = [] } = options;
  const own = Object.entries(interfaces6).flatMap(([port, prefixes]) =>
    prefixes.map((prefix, i) => ({ ...prefix, port, field: `interfaces6.${port}[${i}]` })),
  );
  if (ipv6 === 'drop') {
    if (own.length + routes6.length === 0) return undefined;
    throw new NatOptionsError(
      own.length > 0 ? 'interfaces6' : 'routes6',
      "is given while IPv6 is dropped: write ipv6: 'route', or leave it out",
    );
  }
  if (own.length === 0)
    throw new NatOptionsError('interfaces6', 'routing IPv6 needs at least one address');
  const ports = [...options.inside, options.outside];
  const seen = new Set<string>();
  for (const { field, port, address, length } of own) {
    if (!ports.includes(port))
      throw new NatOptionsError(`interfaces6.${port}`, 'is neither inside nor outside');
    checkPrefix(field, { address, length });
    const isHost = !(isMulticast(address) || isUnspecified(address) || isLoopback(address));
    if (!isHost || isLinkLocal(address))
      throw new NatOptionsError(
        field,
        'is no unicast address beyond its link; the link-local one follows from the MAC address',
      );
    if (seen.has(keyOf(address))) throw new NatOptionsError(field, 'is there twice');
    seen.add(keyOf(address));
  }
  if (routes6.length > mostRoutes)
    throw new NatOptionsError('routes6', `${routes6.length} routes, and ${mostRoutes} is the most`);
  for (const [i, route] of routes6.entries()) checkRoute(`routes6[${i}]`, route, ports, own);
  return { interfaces: interfaces6, routes: routes6 };
}

function checkPrefix(field: string, { address, length }: Prefix6): void {
  if (!(address instanceof Uint8Array) || address.length !== 16)
    throw new NatOptionsError(`${field}.address`, 'is not 16 bytes');
  if (!Number.isInteger(length) || length < 0 || length > 128)
    throw new NatOptionsError(`${field}.length`, `${length} is not between 0 and 128`);
}

function checkRoute(
  field: string,
  route: NatRoute6,
  ports: readonly string[],
  own: readonly (Prefix6 & { readonly port: string })[],
): void {
  checkPrefix(field, route);
  if (!ports.includes(route.port))
    throw new NatOptionsError(`${field}.port`, `${route.port} is neither inside nor outside`);
  const { via } = route;
  if (via === undefined) return;
  checkPrefix(`${field}.via`, { address: via, length: 128 });
  const links = own.filter(({ port }) => port === route.port);
  const onLink =
    isLinkLocal(via) ||
    links.some(({ address, length }) => addresses.contains({ version: 6, address, length }, via));
  if (!onLink || own.some(({ address }) => keyOf(address) === keyOf(via)))
    throw new NatOptionsError(
      `${field}.via`,
      `write the address of a router on the link of port ${route.port}`,
    );
}
