/** Whether the way to an address leads through an RDMA device that can carry it. */
import type { Problem } from './rdma-machine.ts';
import type { RdmaDevice, RdmaProbes } from './rdma-probes.ts';
import { hexOfAddress6 } from './routes.ts';

export function checkDevice(address: string, probes: RdmaProbes): Problem | undefined {
  const devices = probes.devices();
  // An InfiniBand port does not tell its IPoIB interfaces: there the connection itself must show.
  if (devices.some(({ linkLayer }) => linkLayer === 'InfiniBand')) return undefined;
  const name = probes.interfaceTowards(address);
  if (name === undefined) {
    return ['address-not-on-device', `no route to ${address}`, `ip route add ${address} dev IF`];
  }
  const device = deviceOn(name, probes);
  if (device === undefined) {
    const others = devices.map((each) => `${each.name} on ${interfacesOf(each).join(', ')}`);
    const found = `the way to ${address} is ${name}, which has no RDMA device (${others.join('; ')})`;
    const mend = `use an address reached by one of those, or: rdma link add rxe1 type rxe netdev ${name}`;
    return ['address-not-on-device', found, mend];
  }
  if (device.state !== 'ACTIVE') {
    const found = `${device.name} on ${name} is ${device.state}`;
    return ['port-down', found, mendPort(device)];
  }
  return checkGid(address, name, device, probes);
}

/** The connection manager picks the GID of the interface's own address, of the store's family. */
function checkGid(
  address: string,
  name: string,
  device: RdmaDevice,
  probes: RdmaProbes,
): Problem | undefined {
  const family = address.includes(':');
  const own = probes.addressesOf(name).filter((each) => each.includes(':') === family);
  const gids = new Map(device.gids.map((each) => [each.gid.replaceAll(':', ''), each]));
  if (own.some((each) => gids.get(hexOfAddress6(each))?.type === 'RoCE v2')) return undefined;
  if (own.length === 0) {
    const found = `${name} has no ${family ? 'IPv6' : 'IPv4'} address, so ${device.name} has no GID of it`;
    return ['missing-gid', found, `ip addr add ADDRESS dev ${name}`];
  }
  const list = device.gids.map(({ gid, type }) => `${gid} ${type}`).join(', ') || 'none';
  const found = `${device.name} has no RoCE v2 GID for ${own.join(' or ')} (it has: ${list})`;
  const mend = `use RoCE v2 (cma_roce_mode -d ${device.name} -p ${device.port} -m 2), and set ${name} down and up to fill the table again`;
  return ['missing-gid', found, mend];
}

export function deviceOn(name: string, probes: RdmaProbes): RdmaDevice | undefined {
  return probes.devices().find((device) => interfacesOf(device).includes(name));
}

export function interfacesOf(device: RdmaDevice): string[] {
  return [...new Set(device.gids.flatMap((each) => each.interface ?? []))];
}

export function mendPort(device: RdmaDevice): string {
  const [name = 'IF'] = interfacesOf(device);
  return `ip link set ${name} up, and see that its cable or peer is there`;
}
