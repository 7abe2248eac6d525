/**
 * A port without a device: frames are pushed in and taken out by the program. The capture port, the
 * tests and `npm start` stand on it; it needs neither DPDK nor root.
 */
import { type NativePool, native, type PortCounters } from '../native.ts';
import type { Lane, LanePort } from './lane.ts';

export interface MemoryPortOptions {
  readonly name: string;
  readonly pool: NativePool;
  /** 6 bytes. Default: locally administered, 02:00:00:00:00:00. */
  readonly mac?: Uint8Array;
  /** Largest IP packet in bytes. Default 1500. */
  readonly mtu?: number;
  /** The VLAN that frames pushed and taken are tagged for; absent: none. */
  readonly vlan?: number | undefined;
  /** Frames that may wait in each direction. Default 4096. */
  readonly capacity?: number;
  /** Free what is transmitted instead of keeping it for `take`. */
  readonly discard?: boolean;
  /** Called before every breath, to push what has come due. */
  readonly feed?: (port: MemoryPort, nowNanoseconds: number) => void;
}

const one = new Uint32Array(1);
const zero = new Uint32Array(1);
const longestFrame = 4096;

export class MemoryPort implements LanePort {
  readonly name: string;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly vlan: number | undefined;
  readonly pump?: (nowNanoseconds: number) => void;
  private readonly queue: number;
  private readonly scratch = new Uint8Array(longestFrame);

  constructor(options: MemoryPortOptions) {
    const { feed } = options;
    this.name = options.name;
    this.mac = options.mac ?? new Uint8Array([2, 0, 0, 0, 0, 0]);
    this.mtu = options.mtu ?? 1500;
    this.vlan = options.vlan;
    this.queue = native.openQueue(options.pool, options.capacity ?? 4096);
    if (options.discard) native.setQueue(this.queue, { discard: true });
    if (feed) this.pump = (now) => feed(this, now);
  }

  attach(lane: Lane, number: number): void {
    native.addQueue(lane.number, number, this.queue);
    lane.onClose(() => native.closeQueue(this.queue));
  }

  /** Copies one frame in. False when the queue or the pool is full, or the frame too long. */
  push(frame: Uint8Array): boolean {
    one[0] = frame.length;
    return this.pushMany(frame, zero, one, 0, 1) === 1 && frame.length <= longestFrame;
  }

  /** Copies frames in until there is no room; returns how many were taken. */
  pushMany(
    bytes: Uint8Array,
    offsets: Uint32Array,
    lengths: Uint32Array,
    from: number,
    count: number,
  ): number {
    return native.push(this.queue, bytes, offsets, lengths, from, count);
  }

  /** The next transmitted frame, or undefined. Each call returns fresh memory. */
  take(): Uint8Array | undefined {
    const length = native.take(this.queue, this.scratch);
    return length === 0 ? undefined : this.scratch.slice(0, length);
  }

  /** Copies the next transmitted frame into `out`; its length, or 0 where there is none. */
  takeInto(out: Uint8Array): number {
    return native.take(this.queue, out);
  }

  /** Frames pushed and not yet received. */
  get unread(): number {
    return native.unread(this.queue);
  }
  /** Frames transmitted and not yet taken. */
  get waiting(): number {
    return native.waiting(this.queue);
  }
  counters(): PortCounters {
    return native.countQueue(this.queue);
  }
  /** For tests: a full transmit ring, a link that is down, a device that has vanished. */
  set(state: { refuse?: boolean; linkUp?: boolean; gone?: boolean }): void {
    native.setQueue(this.queue, state);
  }
}

/**
 * Packet buffers for memory ports, 2,048 bytes of frame each, without DPDK.
 *
 * @param buffers 1 to 900,000; every packet in flight takes one
 */
export function memoryPool(buffers: number): NativePool {
  return native.openPool(buffers);
}
