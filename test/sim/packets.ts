/** The packets of a simulation: numbered in their payload, composed and read back. */
import { parseIpv4 } from '../../src/wire/address.ts';
import { compose, dissect } from '../../src/wire/frame.ts';
import { isMalformed } from '../../src/wire/malformed.ts';
import { addresses, gatewayMac, hostMac } from './network-functions.ts';

/** An inside host's socket. */
export interface Endpoint {
  readonly host: number;
  readonly port: number;
  readonly protocol: 'udp' | 'tcp';
}

export interface Seen {
  readonly id: number;
  readonly source: number;
  readonly sourcePort: number;
  readonly destination: number;
  readonly destinationPort: number;
  readonly timeToLive: number;
  readonly protocol: 'udp' | 'tcp';
}

export const timeToLive = 64;

/** Flags bytes of TCP (RFC 9293 3.1). */
export const tcpFlags = { syn: 0x02, ack: 0x10, finAck: 0x11 } as const;

/** What an inside host sends to a port of the remote host. */
export function outbound(
  id: number,
  { host, port, protocol }: Endpoint,
  remotePort: number,
  flags: number,
): Uint8Array {
  const ports = { source: port, destination: remotePort };
  return compose({
    ethernet: { source: hostMac + host, destination: 0x0200_0000_0001 },
    ipv4: { source: addresses.host(host), destination: addresses.remote, timeToLive },
    ...(protocol === 'udp' ? { udp: ports } : { tcp: { ...ports, flags } }),
    payload: payloadOf(id),
  });
}

/** What the remote host sends to an external port. */
export function inbound(
  id: number,
  protocol: 'udp' | 'tcp',
  remotePort: number,
  external: number,
): Uint8Array {
  const ports = { source: remotePort, destination: external };
  return compose({
    ethernet: { source: gatewayMac, destination: 0x0200_0000_0002 },
    ipv4: { source: addresses.remote, destination: addresses.outside, timeToLive },
    ...(protocol === 'udp' ? { udp: ports } : { tcp: { ...ports, flags: tcpFlags.ack } }),
    payload: payloadOf(id),
  });
}

function payloadOf(id: number): Uint8Array {
  const payload = new Uint8Array(8);
  new DataView(payload.buffer).setUint32(0, id);
  return payload;
}

/** Undefined for what is not one of ours, or is damaged. */
export function readPacket(frame: Uint8Array): Seen | undefined {
  const read = dissect(frame, { verify: true });
  if (isMalformed(read)) return undefined;
  const { ipv4, udp, tcp, payload } = read;
  const transport = udp ?? tcp;
  if (!ipv4 || !transport || payload.length !== 8) return undefined;
  return {
    id: new DataView(payload.buffer, payload.byteOffset).getUint32(0),
    source: ipv4.source,
    sourcePort: transport.source,
    destination: ipv4.destination,
    destinationPort: transport.destination,
    timeToLive: ipv4.timeToLive ?? timeToLive,
    protocol: udp ? 'udp' : 'tcp',
  };
}

/** Key of an endpoint's record, as the lookup kernel makes it (native/kernels/lookup.cc). */
export function endpointKey(protocol: 'udp' | 'tcp', address: number, port: number): string {
  const bytes = [address >>> 24, address >>> 16, address >>> 8, address, port >>> 8, port];
  const proto = protocol === 'udp' ? 17 : 6;
  return String.fromCharCode(...bytes.map((byte) => byte & 255), proto, ...zeros);
}

const zeros = [0, 0, 0, 0, 0, 0, 0, 0, 0];

export function addressOf(text: string): number {
  return parseIpv4(text) as number;
}
