/** The NAT of a configuration, as lanes will make it. */
import type { NatOptions } from '../nfs/nat/options.ts';
import type { InstanceConfig } from './config.ts';
import type { FunctionReference } from './plan.ts';

export function natOptions({ nat, ports, routes }: InstanceConfig): NatOptions {
  return {
    inside: nat.inside,
    outside: nat.outside,
    interfaces: Object.fromEntries(
      Object.entries(ports).map(([name, { addresses }]) => [name, addresses]),
    ),
    pool: nat.pool.flat(),
    routes: routes.map(({ prefix, via, port }) => ({
      ...prefix,
      port,
      ...(via !== undefined && { via }),
    })),
    filtering: nat.filtering,
    ipv6: nat.ipv6,
    capacity: nat.capacity,
    timeouts: nat.timeouts,
    ...(nat.ports !== undefined && { ports: nat.ports }),
  };
}

export function natFunction(config: InstanceConfig): FunctionReference {
  const file = import.meta.url.endsWith('.ts') ? '../nfs/nat/nat.ts' : '../nfs/nat/nat.js';
  const module = new URL(file, import.meta.url).href;
  return { module, factory: 'nat', options: natOptions(config) };
}
