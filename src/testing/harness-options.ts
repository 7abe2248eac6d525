/** What a harness is made with, and what it gives. */
import type { Store } from '../state/store.ts';

export interface PortDescription {
  readonly name: string;
  /** `'02:00:00:00:00:01'`. Default: from the port's number, see `portMac`. */
  readonly mac?: string;
  /** Largest IP packet in bytes. Default 1500. */
  readonly mtu?: number;
  /** The VLAN that the link's frames are tagged for, those of `send` and `received` too. Default: none. */
  readonly vlan?: number;
  /** Networks of the link, such as `'10.0.0.0/24'`: only hosts there answer ARP. Default: any address does. */
  readonly networks?: readonly string[];
}

export interface HarnessOptions {
  /** Names alone stand for ports with every default. */
  readonly ports: readonly (string | PortDescription)[];
  /** Default: a memory store of its own, seeded with `seed`. */
  readonly store?: Store;
  /** Default 1. */
  readonly seed?: number;
  /** Whether the hosts of the links answer ARP requests. Default true; the exchange is then hidden. */
  readonly answerArp?: boolean;
  /** Addresses with no host: nobody answers for them. */
  readonly absent?: readonly string[];
  /** `machine`: real time, for measuring; nothing can then be skipped by `advance`. Default `virtual`. */
  readonly clock?: 'virtual' | 'machine';
  /** Catches packets kept past their callback. Default true. */
  readonly debug?: boolean;
  /** Packet buffers. Default 8192. */
  readonly buffers?: number;
  /** Packets received into one batch at the most. Default 128. */
  readonly burst?: number;
  /** Batches that can be in flight. Default 16. */
  readonly batches?: number;
}

/** A frame that the network function sent. */
export interface Output {
  readonly port: string;
  readonly frame: Uint8Array;
  /** Lane clock. */
  readonly nanoseconds: number;
}

export interface FinishOptions {
  /**
   * Held packets must be let go of within this much lane time. Default 120,000. On the machine's clock
   * what the lane knows to be held is not waited for: 1000, for batches that are still out.
   */
  readonly withinMilliseconds?: number;
  /** Accept that authors' callbacks threw, which `finish` otherwise reports. */
  readonly allowCallbackErrors?: boolean;
}
