/**
 * One lane's queue pair of a DPDK port that the main thread has opened and started. Only the lane's
 * own thread may use it: attaching registers the thread with DPDK.
 */
import { native, type PortCounters } from '../native.ts';
import type { Lane, LanePort } from '../streams/lane.ts';
import { Pace, type PaceOptions } from './pace.ts';

export interface DpdkLanePortOptions {
  readonly name: string;
  /** 6 bytes, as the device has them. */
  readonly mac: Uint8Array;
  /** Largest IP packet in bytes. */
  readonly mtu: number;
  /** The VLAN that its frames are tagged for; absent: none. */
  readonly vlan?: number | undefined;
  /** DPDK's number of the port. */
  readonly ethdev: number;
  readonly queue: number;
  /** How fast packets are taken, where the device itself would give them all at once. */
  readonly pace?: PaceOptions;
}

export class DpdkLanePort implements LanePort {
  readonly name: string;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly vlan: number | undefined;
  readonly pump?: (nowNanoseconds: number) => void;
  private readonly ethdev: number;
  private readonly queue: number;
  private readonly pace: Pace | undefined;
  private lane: Lane | undefined;
  private number = 0;
  private count: (() => PortCounters) | undefined;

  constructor(options: DpdkLanePortOptions) {
    this.name = options.name;
    this.mac = options.mac;
    this.mtu = options.mtu;
    this.vlan = options.vlan;
    this.ethdev = options.ethdev;
    this.queue = options.queue;
    this.pace = options.pace && new Pace(options.pace);
    if (this.pace) this.pump = (now) => this.limit(now);
  }

  attach(lane: Lane, number: number): void {
    this.lane = lane;
    this.number = number;
    this.count = native.addDpdkQueue(lane.number, number, this.ethdev, this.queue);
  }

  /** This queue's packets and bytes; what only the device counts is in those of queue 0. */
  counters(): PortCounters {
    if (this.count === undefined) throw new Error(`port ${this.name} is not attached to a lane`);
    return this.count();
  }

  private limit(now: number): void {
    const { lane, number, pace } = this;
    if (lane && pace) lane.setBudget(number, pace.budget(now, lane.receivedFrom(number)));
  }
}
