/** What only a whole configuration tells about its IPv6 addresses and routes. */
import { contains, formatIpv6, formatPrefix, type Prefix } from '../wire/address.ts';
import type { CheckProblem } from './config-checks.ts';
import type { InstanceConfig } from './config-schema.ts';

type Prefix6 = Extract<Prefix, { version: 6 }>;

interface Link6 {
  readonly port: string;
  readonly prefix: Prefix6;
  readonly path: readonly PropertyKey[];
}

/** RFC 8200 section 5. */
const leastMtu = 1280;
const linkLocal = prefixOf(0xfe, 0x80, 10);
const multicast = prefixOf(0xff, 0, 8);

export function checkIpv6(config: InstanceConfig, problems: CheckProblem[]): void {
  const links: Link6[] = Object.entries(config.ports).flatMap(([port, { addresses }]) =>
    addresses.flatMap((prefix, i) =>
      prefix.version === 6 ? [{ port, prefix, path: ['ports', port, 'addresses', i] }] : [],
    ),
  );
  if (config.nat.ipv6 === 'drop') {
    refuseAll(config, links, problems);
    return;
  }
  if (links.length === 0) {
    problems.push({
      path: ['nat', 'ipv6'],
      problem: 'no port has an IPv6 address',
      mend: 'add one to the addresses of each port that routes IPv6, as in 2001:db8:1::1/64',
    });
  }
  for (const [name, { mtu }] of Object.entries(config.ports)) {
    if (mtu >= leastMtu) continue;
    const problem = `${mtu}, and IPv6 needs ${leastMtu} (RFC 8200)`;
    const mend = `write at least ${leastMtu}, or nat.ipv6: drop`;
    problems.push({ path: ['ports', name, 'mtu'], problem, mend });
  }
  checkLinks(links, problems);
  config.routes.forEach(({ port, via }, i) => {
    if (typeof via !== 'object' || contains(linkLocal, via)) return;
    const why = gatewayProblem(via, port, links);
    if (why !== undefined) {
      const mend = `write the address of a router on a network of port ${port}, or its link-local one`;
      problems.push({ path: ['routes', i, 'via'], problem: why, mend });
    }
  });
}

function refuseAll(
  { routes }: InstanceConfig,
  links: readonly Link6[],
  problems: CheckProblem[],
): void {
  const paths = [
    ...links.map(({ path }) => path),
    ...routes.flatMap(({ prefix }, i) => (prefix.version === 6 ? [['routes', i, 'prefix']] : [])),
  ];
  for (const path of paths) {
    const problem = 'IPv6, which is dropped here';
    problems.push({ path, problem, mend: 'write nat.ipv6: route, or remove it' });
  }
}

function checkLinks(links: readonly Link6[], problems: CheckProblem[]): void {
  links.forEach(({ port, prefix, path }, i) => {
    const written = formatIpv6(prefix.address);
    const unusable = unusableHost(prefix.address);
    if (unusable !== undefined) {
      const mend = 'write an address that a host of that network could have';
      problems.push({ path, problem: `${written} is ${unusable}`, mend });
    }
    for (const other of links.slice(0, i)) {
      if (formatIpv6(other.prefix.address) === written) {
        const problem = `${written} is an address of port ${other.port} already`;
        problems.push({ path, problem, mend: 'remove one' });
      } else if (other.port !== port && overlap(prefix, other.prefix)) {
        problems.push({
          path,
          problem: `the same network as on port ${other.port}: its hosts could be on either`,
          mend: 'give each port networks of its own',
        });
      }
    }
  });
}

function gatewayProblem(
  via: Uint8Array,
  port: string,
  links: readonly Link6[],
): string | undefined {
  const written = formatIpv6(via);
  if (links.some(({ prefix }) => formatIpv6(prefix.address) === written))
    return `${written} is an address of this instance itself`;
  const own = links.filter((link) => link.port === port);
  if (own.some(({ prefix }) => contains(prefix, via))) return undefined;
  const networks = own.map(({ prefix }) => formatPrefix(prefix)).join(', ');
  return `${written} is not on the link of port ${port} (${networks || 'none'})`;
}

function unusableHost(address: Uint8Array): string | undefined {
  if (contains(multicast, address)) return 'a multicast address';
  if (contains(linkLocal, address))
    return 'a link-local address, which each port has from its Ethernet address';
  const isLow = address.subarray(0, 15).every((byte) => byte === 0);
  if (isLow && address[15] === 0) return 'the unspecified address';
  return isLow && address[15] === 1 ? 'the loopback address' : undefined;
}

function overlap(a: Prefix6, b: Prefix6): boolean {
  return a.length < b.length ? contains(a, b.address) : contains(b, a.address);
}

function prefixOf(first: number, second: number, length: number): Prefix6 {
  const address = new Uint8Array(16);
  address[0] = first;
  address[1] = second;
  return { version: 6, address, length };
}
