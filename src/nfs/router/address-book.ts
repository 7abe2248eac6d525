/** A router's own addresses: which it has on which port, and which it answers for. */
import type { Lane } from '../../streams/lane.ts';
import { ethernet } from '../../wire/index.ts';

export interface Prefix {
  /** IPv4, host order. */
  readonly address: number;
  /** Bits. */
  readonly length: number;
}

export interface RouterInterface {
  readonly number: number;
  readonly name: string;
  /** 48 bits. */
  readonly mac: number;
  readonly macBytes: Uint8Array;
  readonly prefixes: readonly Prefix[];
  /** Further addresses that ARP is answered for here (a NAT's external addresses). */
  readonly proxied: ReadonlySet<number>;
}

export function mask(length: number): number {
  return length === 0 ? 0 : (-1 << (32 - length)) >>> 0;
}

export function contains(prefix: Prefix, address: number): boolean {
  return (address & mask(prefix.length)) >>> 0 === (prefix.address & mask(prefix.length)) >>> 0;
}

/** By port number. */
export function addressBook(
  lane: Lane,
  interfaces: Readonly<Record<string, readonly Prefix[]>>,
  proxied: Readonly<Record<string, readonly number[]>>,
): readonly RouterInterface[] {
  return lane.ports.map((port, number) => ({
    number,
    name: port.name,
    mac: ethernet.source(
      new DataView(new Uint8Array([...new Uint8Array(6), ...port.mac]).buffer),
      0,
    ),
    macBytes: port.mac,
    prefixes: interfaces[port.name] ?? [],
    proxied: new Set(proxied[port.name] ?? []),
  }));
}

/** Whether ARP for this address is answered on this interface. */
export function answersFor(face: RouterInterface, address: number): boolean {
  return face.proxied.has(address) || face.prefixes.some((prefix) => prefix.address === address);
}

/** The interface's address to speak to `peer` from: on the peer's link where there is one. */
export function addressTowards(face: RouterInterface, peer: number): number | undefined {
  return (face.prefixes.find((prefix) => contains(prefix, peer)) ?? face.prefixes[0])?.address;
}
