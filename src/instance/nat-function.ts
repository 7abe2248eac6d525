/** The NAT of a configuration, as lanes will make it. */
import type { NatOptions, NatRoute, NatRoute6 } from '../nfs/nat/options.ts';
import type { Prefix } from '../wire/address.ts';
import type { InstanceConfig } from './config.ts';
import type { FunctionReference } from './plan.ts';

export function natOptions({ nat, ports, routes }: InstanceConfig): NatOptions {
  const addresses = Object.entries(ports).flatMap(([port, { addresses }]) =>
    addresses.map((prefix) => ({ port, prefix, via: undefined })),
  );
  const routed = nat.ipv6 === 'route';
  return {
    inside: nat.inside,
    outside: nat.outside,
    interfaces: byPort(addresses.flatMap(ipv4Of)),
    pool: nat.pool.flat(),
    routes: routes.flatMap(ipv4Of),
    filtering: nat.filtering,
    ipv6: nat.ipv6,
    ...(routed && { interfaces6: byPort(addresses.flatMap(ipv6Of)) }),
    ...(routed && { routes6: routes.flatMap(ipv6Of) }),
    capacity: nat.capacity,
    commit: nat.commit,
    timeouts: nat.timeouts,
    ...(nat.ports !== undefined && { ports: nat.ports }),
  };
}

interface AnyRoute {
  readonly port: string;
  readonly prefix: Prefix;
  readonly via?: number | Uint8Array | undefined;
}

/** A list of that one where it is IPv4, else of none. */
function ipv4Of({ port, prefix, via }: AnyRoute): NatRoute[] {
  if (prefix.version !== 4) return [];
  const { address, length } = prefix;
  return [{ address, length, port, ...(typeof via === 'number' && { via }) }];
}

function ipv6Of({ port, prefix, via }: AnyRoute): NatRoute6[] {
  if (prefix.version !== 6) return [];
  const { address, length } = prefix;
  return [{ address, length, port, ...(typeof via === 'object' && { via }) }];
}

function byPort<P extends { readonly port: string }>(all: readonly P[]): Record<string, P[]> {
  const names = [...new Set(all.map(({ port }) => port))];
  return Object.fromEntries(names.map((name) => [name, all.filter(({ port }) => port === name)]));
}

export function natFunction(config: InstanceConfig): FunctionReference {
  const file = import.meta.url.endsWith('.ts') ? '../nfs/nat/nat.ts' : '../nfs/nat/nat.js';
  const module = new URL(file, import.meta.url).href;
  return { module, factory: 'nat', options: natOptions(config) };
}
