/**
 * Link addresses of IPv6 neighbours: soft state about one lane's links, bounded and aging, that
 * Neighbour Discovery rebuilds (RFC 4861 5.1, 7.3).
 *
 * An entry that is used is asked for again 30 seconds after it was last confirmed (REACHABLE_TIME of
 * RFC 4861 10), and one that nobody uses is forgotten after ten minutes.
 */
import { keyOf } from './addresses.ts';

/** Neighbours at the most, over all ports. */
const capacity = 1024;
const reachableMilliseconds = 30_000;
const forgottenMilliseconds = 600_000;

export interface Neighbour6 {
  readonly port: number;
  readonly address: Uint8Array;
  /** 48 bits, and as in a frame. */
  mac: number;
  macBytes: Uint8Array;
  /** Lane clock, milliseconds. */
  confirmedAt: number;
  usedAt: number;
  /** Since it was confirmed. */
  used: boolean;
}

export class NeighbourCache {
  private readonly entries = new Map<string, Neighbour6>();

  get size(): number {
    return this.entries.size;
  }

  find(port: number, address: Uint8Array): Neighbour6 | undefined {
    return this.entries.get(neighbourName(port, address));
  }

  /** The entry for a packet that is about to be sent to it. */
  use(port: number, address: Uint8Array, now: number): Neighbour6 | undefined {
    const entry = this.find(port, address);
    if (entry) {
      entry.usedAt = now;
      entry.used = true;
    }
    return entry;
  }

  /**
   * @param wasAsked an answer that packets wait for: in a full cache the oldest entry makes room for
   *   it, where chatter is ignored
   * @returns whether it was taken
   */
  learn(port: number, address: Uint8Array, mac: number, now: number, wasAsked: boolean): boolean {
    const name = neighbourName(port, address);
    const known = this.entries.get(name);
    if (known) {
      known.mac = mac;
      known.macBytes = macBytesOf(mac);
      known.confirmedAt = now;
      known.used = false;
      return true;
    }
    if (this.entries.size >= capacity) {
      if (!wasAsked) return false;
      const [oldest] = this.entries.keys();
      this.entries.delete(oldest as string);
    }
    this.entries.set(name, {
      port,
      address: address.slice(),
      mac,
      macBytes: macBytesOf(mac),
      confirmedAt: now,
      usedAt: now,
      used: false,
    });
    return true;
  }

  remove(port: number, address: Uint8Array): void {
    this.entries.delete(neighbourName(port, address));
  }

  /** Forgets what is not used; returns what is, and has not been confirmed for a while. */
  age(now: number): readonly Neighbour6[] {
    const doubtful: Neighbour6[] = [];
    for (const [name, entry] of this.entries) {
      if (((now - entry.usedAt) | 0) >= forgottenMilliseconds) this.entries.delete(name);
      else if (entry.used && ((now - entry.confirmedAt) | 0) >= reachableMilliseconds)
        doubtful.push(entry);
    }
    return doubtful;
  }
}

/** A port's neighbour as a key of a map. */
export function neighbourName(port: number, address: Uint8Array): string {
  return `${port}/${keyOf(address)}`;
}

function macBytesOf(mac: number): Uint8Array {
  return Uint8Array.from({ length: 6 }, (_, i) => Math.floor(mac / 2 ** (40 - 8 * i)) % 256);
}
