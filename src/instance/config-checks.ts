/** What only a whole configuration tells: names that must exist, addresses that must fit together. */
import { contains, formatIpv4, formatPrefix, maskIpv4, type Prefix } from '../wire/address.ts';
import { checkIpv6 } from './config-checks-ipv6.ts';
import type { Ipv4Prefix } from './config-fields.ts';
import type { InstanceConfig } from './config-schema.ts';

export interface CheckProblem {
  readonly path: readonly PropertyKey[];
  readonly problem: string;
  readonly mend: string;
}

interface Link extends Ipv4Prefix {
  readonly port: string;
  readonly path: readonly PropertyKey[];
}

/** Everything wrong, and what is allowed but likely a mistake. */
export function checkConfig(config: InstanceConfig): {
  readonly problems: readonly CheckProblem[];
  readonly warnings: readonly string[];
} {
  const problems: CheckProblem[] = [];
  const links: Link[] = Object.entries(config.ports).flatMap(([port, { addresses }]) =>
    addresses.flatMap((it, i) =>
      it.version === 4 ? [{ ...it, port, path: ['ports', port, 'addresses', i] }] : [],
    ),
  );
  checkRoles(config, problems);
  checkDevices(config, problems);
  checkLinks(links, problems);
  checkPool(config, links, problems);
  checkRoutes(config, links, problems);
  checkIpv6(config, problems);
  return { problems, warnings: [...timeoutWarnings(config), ...otherWarnings(config)] };
}

function checkRoles({ ports, nat }: InstanceConfig, problems: CheckProblem[]): void {
  const names = Object.keys(ports);
  const known = `name one of: ${names.join(', ')}`;
  nat.inside.forEach((name, i) => {
    const path = ['nat', 'inside', i];
    if (!names.includes(name)) {
      problems.push({ path, problem: `no port is named "${name}"`, mend: known });
    } else if (nat.inside.indexOf(name) < i) {
      problems.push({ path, problem: `"${name}" is there twice`, mend: 'remove one' });
    }
  });
  if (!names.includes(nat.outside)) {
    const path = ['nat', 'outside'];
    problems.push({ path, problem: `no port is named "${nat.outside}"`, mend: known });
  } else if (nat.inside.includes(nat.outside)) {
    problems.push({
      path: ['nat', 'outside'],
      problem: `"${nat.outside}" is an inside port as well`,
      mend: 'give the outside a port of its own',
    });
  }
  for (const name of names) {
    const used = nat.outside === name || nat.inside.includes(name);
    if (!used) {
      problems.push({
        path: ['ports', name],
        problem: 'neither inside nor outside of the NAT',
        mend: 'name it in nat.inside or nat.outside, or remove it',
      });
    } else if (!ports[name]?.addresses.some((it) => it.version === 4)) {
      problems.push({
        path: ['ports', name, 'addresses'],
        problem: 'no IPv4 address: the NAT could not answer ARP on this link',
        mend: 'write the address that hosts on this link use as their router, as in [10.99.0.1/24]',
      });
    }
  }
}

function checkDevices({ ports }: InstanceConfig, problems: CheckProblem[]): void {
  const owners = new Map<string, string>();
  for (const [name, { device }] of Object.entries(ports)) {
    const owner = owners.get(device);
    if (owner !== undefined) {
      problems.push({
        path: ['ports', name, 'device'],
        problem: `"${device}" is the device of port ${owner} already`,
        mend: 'give each port a device of its own (`rxnf ports` lists them)',
      });
    }
    owners.set(device, name);
  }
}

function checkLinks(links: readonly Link[], problems: CheckProblem[]): void {
  links.forEach((link, i) => {
    const written = formatIpv4(link.address);
    const unusable = unusableHost(link.address) ?? edgeOf(link, link.address);
    if (unusable !== undefined) {
      const mend = 'write an address that a host of that network could have';
      problems.push({ path: link.path, problem: `${written} is ${unusable}`, mend });
    }
    for (const other of links.slice(0, i)) {
      if (other.address === link.address) {
        const problem = `${written} is an address of port ${other.port} already`;
        problems.push({ path: link.path, problem, mend: 'remove one' });
      } else if (other.port !== link.port && overlap(link, other)) {
        problems.push({
          path: link.path,
          problem: `the same network as on port ${other.port}: its hosts could be on either`,
          mend: 'give each port networks of its own',
        });
      }
    }
  });
}

function checkPool(
  { nat }: InstanceConfig,
  links: readonly Link[],
  problems: CheckProblem[],
): void {
  const seen = new Set<number>();
  nat.pool.forEach((addresses, i) => {
    const wrong = addresses
      .map((address) => [address, poolProblem(address, nat.outside, links, seen)] as const)
      .find(([address, why]) => why !== undefined || !seen.add(address));
    if (wrong === undefined) return;
    problems.push({
      path: ['nat', 'pool', i],
      problem: `${formatIpv4(wrong[0])} ${wrong[1]}`,
      mend: 'write addresses that the outside routes to this NAT, each once',
    });
  });
}

function poolProblem(
  address: number,
  outside: string,
  links: readonly Link[],
  seen: ReadonlySet<number>,
): string | undefined {
  if (seen.has(address)) return 'is in the pool twice';
  const unusable = unusableHost(address);
  if (unusable !== undefined) return `is ${unusable}`;
  for (const link of links) {
    if (!onLink(link, address)) continue;
    if (link.port !== outside) return `belongs to the inside network of port ${link.port}`;
    const edge = edgeOf(link, address);
    if (edge !== undefined) return `is ${edge}`;
  }
  return undefined;
}

function checkRoutes(
  config: InstanceConfig,
  links: readonly Link[],
  problems: CheckProblem[],
): void {
  const pool = new Set(config.nat.pool.flat());
  const prefixes = new Set<string>();
  config.routes.forEach(({ prefix, via, port }, i) => {
    const key = formatPrefix(prefix);
    if (prefixes.has(key)) {
      const path = ['routes', i, 'prefix'];
      problems.push({ path, problem: 'a route for it is there already', mend: 'remove one' });
    }
    prefixes.add(key);
    if (!(port in config.ports)) {
      const mend = `name one of: ${Object.keys(config.ports).join(', ')}`;
      problems.push({ path: ['routes', i, 'port'], problem: `no port is named "${port}"`, mend });
    } else if (via !== undefined && (typeof via === 'number') !== (prefix.version === 4)) {
      problems.push({
        path: ['routes', i, 'via'],
        problem: `not of the IP version of ${formatPrefix(prefix)}`,
        mend: 'write a router of that version',
      });
    } else if (typeof via === 'number') {
      const why = gatewayProblem(via, port, links, pool);
      if (why !== undefined) problems.push({ path: ['routes', i, 'via'], ...why });
    }
  });
}

function gatewayProblem(
  via: number,
  port: string,
  links: readonly Link[],
  pool: ReadonlySet<number>,
): { problem: string; mend: string } | undefined {
  const written = formatIpv4(via);
  const mend = `write the address of a router on a network of port ${port}`;
  if (links.some((link) => link.address === via)) {
    return { problem: `${written} is an address of this instance itself`, mend };
  }
  if (pool.has(via)) return { problem: `${written} is in nat.pool`, mend };
  const own = links.filter((link) => link.port === port);
  const link = own.find((it) => onLink(it, via));
  if (link === undefined) {
    const networks = own.map((it) => `${formatIpv4(first(it))}/${it.length}`).join(', ');
    return {
      problem: `${written} is not on the link of port ${port} (${networks || 'none'})`,
      mend,
    };
  }
  const edge = edgeOf(link, via);
  return edge === undefined ? undefined : { problem: `${written} is ${edge}`, mend };
}

/** RFC minimums that may be gone below, knowingly. */
function timeoutWarnings({ nat: { timeouts } }: InstanceConfig): string[] {
  const minimums = [
    ['udp', timeouts.udp, 120, 'RFC 4787 REQ-5'],
    ['tcpEstablished', timeouts.tcpEstablished, 7440, 'RFC 5382 REQ-5'],
    ['tcpTransitory', timeouts.tcpTransitory, 240, 'RFC 5382 REQ-5'],
    ['icmp', timeouts.icmp, 60, 'RFC 5508 REQ-2'],
  ] as const;
  return minimums
    .filter(([, value, minimum]) => value < minimum)
    .map(
      ([name, value, minimum, rfc]) =>
        `nat.timeouts.${name}: ${value} s is below the ${minimum} s of ${rfc}: idle connections will break`,
    );
}

function otherWarnings({ nat, ports, routes }: InstanceConfig): string[] {
  const warnings: string[] = [];
  if (!routes.some((it) => it.port === nat.outside && it.prefix.version === 4)) {
    warnings.push(
      `routes: none by port ${nat.outside}: only hosts on its own link can be reached; add { prefix: 0.0.0.0/0, via: ROUTER, port: ${nat.outside} }`,
    );
  }
  const portsEach = nat.ports ? nat.ports.last - nat.ports.first + 1 : 64_512;
  // TCP, UDP and ICMP each have all ports of an address.
  const most = nat.pool.flat().length * portsEach * 3;
  if (nat.capacity > most) {
    warnings.push(
      `nat.capacity: ${nat.capacity} mappings, and nat.pool has ports for ${most} (TCP, UDP and ICMP together)`,
    );
  }
  const mtus = new Set(Object.values(ports).map((it) => it.mtu));
  if (mtus.size > 1) {
    warnings.push(
      'ports: their MTUs differ: packets too long for the next link are fragmented, or refused where DF is set',
    );
  }
  return warnings;
}

function unusableHost(address: number): string | undefined {
  const part = address >>> 24;
  if (part === 0) return 'in 0.0.0.0/8, which no host has (RFC 1122 3.2.1.3)';
  if (part === 127) return 'a loopback address';
  if (part >= 224) return part < 240 ? 'a multicast address' : 'a reserved address';
  return undefined;
}

/** The network's own address and its broadcast address; networks of /31 and /32 have neither. */
function edgeOf(link: Ipv4Prefix, address: number): string | undefined {
  if (link.length >= 31) return undefined;
  const host = (address & ~maskIpv4(link.length)) >>> 0;
  if (host === 0) return `the network address of ${formatIpv4(first(link))}/${link.length}`;
  const last = ~maskIpv4(link.length) >>> 0;
  return host === last
    ? `the broadcast address of ${formatIpv4(first(link))}/${link.length}`
    : undefined;
}

function first(link: Ipv4Prefix): number {
  return (link.address & maskIpv4(link.length)) >>> 0;
}

function onLink(link: Ipv4Prefix, address: number): boolean {
  const prefix: Prefix = { version: 4, address: link.address, length: link.length };
  return contains(prefix, address);
}

function overlap(a: Ipv4Prefix, b: Ipv4Prefix): boolean {
  return a.length < b.length ? onLink(a, b.address) : onLink(b, a.address);
}
