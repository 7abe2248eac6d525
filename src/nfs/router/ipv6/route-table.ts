/**
 * Longest prefix match over a configuration's routes: a scan of at most 4,096 of them, longest first,
 * so the first that contains an address is the one.
 */
import { address as addresses } from '../../../wire/index.ts';
import type { Prefix6 } from './addresses.ts';

export interface Route6 extends Prefix6 {
  /** Port name. */
  readonly port: string;
  /** Next router, 16 bytes; absent: the destinations are on the port's link. */
  readonly via?: Uint8Array;
}

export interface Hop6 {
  /** Port number. */
  readonly port: number;
  readonly via: Uint8Array | undefined;
}

export class RouteTable6 {
  private readonly entries: readonly { prefix: addresses.Prefix; hop: Hop6 }[];

  constructor(routes: readonly Route6[], numberOf: (port: string) => number) {
    this.entries = routes
      .toSorted((a, b) => b.length - a.length)
      .map(({ address, length, port, via }) => ({
        prefix: { version: 6, address, length },
        hop: { port: numberOf(port), via },
      }));
  }

  find(destination: Uint8Array): Hop6 | undefined {
    return this.entries.find(({ prefix }) => addresses.contains(prefix, destination))?.hop;
  }
}
