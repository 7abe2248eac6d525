/** What a lane is made of and what it tells: see lane.ts. */
import type { NativePool } from '../native.ts';
import type { Lane } from './lane.ts';

/** One lane's side of one port. */
export interface LanePort {
  readonly name: string;
  /** 6 bytes; all zero where the port has none. */
  readonly mac: Uint8Array;
  /** Largest IP packet in bytes. */
  readonly mtu: number;
  /**
   * The VLAN that its frames are tagged for on the wire (IEEE 802.1Q), 1 to 4094: the lane takes the tag
   * away and puts it back, and drops frames without it (`wrong-vlan`). Absent: frames pass as they are.
   */
  readonly vlan?: number | undefined;
  /** Adds this port's queue to a lane, under a number. Called once. */
  attach(lane: Lane, number: number): void;
  /** Called before every breath: software sources feed their queue here. */
  pump?(nowNanoseconds: number): void;
}

/** What a lane must know of a table: its name and the size of its records in bytes. */
export interface RegisterSpec {
  readonly name: string;
  readonly schema: { readonly size: number };
}

/** Anything that completes batches later: polled once a breath. */
export interface Pollable {
  poll(nowMilliseconds: number): void;
  /** Blocks the thread until there is something to poll for, and for so long at the most. */
  wait?(microseconds: number): void;
}

export interface LaneOptions {
  readonly pool: NativePool;
  readonly ports: readonly LanePort[];
  /** Tables of the network functions that will run here. At most 6. */
  readonly tables?: readonly RegisterSpec[];
  /** Packets received into one batch at the most. Default 128. */
  readonly burst?: number;
  /** Batches in the pool: the most that can be in flight. Default 16. */
  readonly batches?: number;
  /** Rows kept free in each batch for packets made here. Default 32. */
  readonly spare?: number;
  /** Names this lane's writes in version words; unique among all writers of a store. */
  readonly writer?: number;
  /** A clock set by `advance` instead of the machine's (tests, simulation). */
  readonly virtualClock?: boolean;
  /** Catches packets kept past their callback. Costs a few nanoseconds a packet. */
  readonly debug?: boolean;
  /** Reports for the operator; rate-limited by the lane. Default: standard error, as JSON lines. */
  readonly log?: (event: LaneEvent) => void;
}

export interface LaneEvent {
  readonly event: string;
  readonly [detail: string]: unknown;
}

export interface LaneStatistics {
  /** Packets, by port number. */
  readonly received: readonly number[];
  readonly forwarded: readonly number[];
  readonly originated: number;
  /** Packets that wait outside batches now. */
  readonly held: number;
  /** Packets, by reason; every reason is there, at zero from the start. */
  readonly dropped: Readonly<Record<string, number>>;
  readonly breaths: number;
  readonly emptyPolls: number;
  readonly batches: number;
  readonly freeBuffers: number;
  /** Batches that are not in the pool. */
  readonly batchesOut: number;
}
