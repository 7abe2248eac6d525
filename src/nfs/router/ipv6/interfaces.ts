/** A router's own IPv6 addresses, port by port: those configured, and the link-local one. */
import type { Lane } from '../../../streams/lane.ts';
import { address as addresses } from '../../../wire/index.ts';
import { isLinkLocal, keyOf, linkLocalOf, type Prefix6 } from './addresses.ts';

export interface Interface6 {
  readonly number: number;
  /** 48 bits. */
  readonly mac: number;
  readonly macBytes: Uint8Array;
  /** Largest IP packet in bytes. */
  readonly mtu: number;
  readonly linkLocal: Uint8Array;
  readonly prefixes: readonly Prefix6[];
}

/** By port number. */
export class Interfaces6 {
  readonly faces: readonly Interface6[];
  private readonly own: ReadonlySet<string>;

  constructor(lane: Lane, prefixes: Readonly<Record<string, readonly Prefix6[]>>) {
    this.faces = lane.ports.map(({ name, mac, mtu }, number) => ({
      number,
      mac: addresses.readMac(new DataView(mac.buffer, mac.byteOffset), 0),
      macBytes: mac,
      mtu,
      linkLocal: linkLocalOf(mac),
      prefixes: prefixes[name] ?? [],
    }));
    this.own = new Set(
      this.faces.flatMap((face) => face.prefixes.map(({ address }) => keyOf(address))),
    );
  }

  face(port: number): Interface6 {
    return this.faces[port] as Interface6;
  }

  /** Whether a packet that came in by `face` has arrived: any of our addresses, or that link's own. */
  isOwn(face: Interface6, address: Uint8Array): boolean {
    return isLinkLocal(address)
      ? keyOf(address) === keyOf(face.linkLocal)
      : this.own.has(keyOf(address));
  }

  /** Whether Neighbour Discovery answers for an address on that link (RFC 4861 7.2.3). */
  answersFor(face: Interface6, address: Uint8Array): boolean {
    const key = keyOf(address);
    return (
      key === keyOf(face.linkLocal) || face.prefixes.some((prefix) => keyOf(prefix.address) === key)
    );
  }
}

/** The address to speak to `peer` from: of its scope, and of its own link where there is one. */
export function addressTowards(face: Interface6, peer: Uint8Array): Uint8Array {
  if (isLinkLocal(peer)) return face.linkLocal;
  const onLink = face.prefixes.find((prefix) =>
    addresses.contains({ version: 6, ...prefix }, peer),
  );
  return (onLink ?? face.prefixes[0])?.address ?? face.linkLocal;
}
