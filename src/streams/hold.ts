/**
 * Packets taken out of their batch to wait for something: a neighbour's link address, a datagram's
 * first fragment. Bounded in number, per key and in time; each is either let in again, at the start of
 * the pipeline and unedited, or dropped and counted. They are lost with the instance, as packets on
 * the wire are: nothing here is state.
 */
import type { Lane } from './lane.ts';
import type { Packet } from './packet.ts';
import { drop, held, type Verdict } from './verdict.ts';

export interface HoldOptions {
  /** Packets at the most, over all keys. */
  readonly capacity: number;
  readonly perKey: number;
  readonly milliseconds: number;
  /**
   * Packets look again after so long whether what they wait for is there: another instance may have seen
   * it. Default: never, as nobody else can bring it.
   */
  readonly againMilliseconds?: number;
  /** Reason of a drop when the time is over. */
  readonly expired: string;
  /** Reason of a drop when there is no room. */
  readonly full: string;
}

interface Held {
  readonly handle: number;
  readonly data: number;
  readonly length: number;
  readonly ingress: number;
  readonly until: number;
}

export class Hold {
  private readonly lane: Lane;
  private readonly options: HoldOptions;
  private readonly waiting = new Map<string, Held[]>();
  private readonly ready: Held[] = [];
  private readonly expired: Verdict;
  private readonly full: Verdict;
  /** By key whose packets have been let in to look again: when their time is over. */
  private readonly untils = new Map<string, number>();
  private size = 0;

  constructor(lane: Lane, options: HoldOptions) {
    this.lane = lane;
    this.options = options;
    this.expired = drop(options.expired);
    this.full = drop(options.full);
    lane.holds.push(this);
    lane.polled(this);
    lane.every(Math.max(1, Math.floor(options.milliseconds / 4)), (now) => this.expire(now));
    if (options.againMilliseconds !== undefined)
      lane.every(options.againMilliseconds, () => this.lookAgain());
    lane.onClose(() => this.close());
  }

  /** Packets held now. */
  get count(): number {
    return this.size;
  }

  /** Takes a packet out of its batch; returns the verdict to give it. */
  take(packet: Packet, key: string): Verdict {
    const list = this.waiting.get(key) ?? [];
    if (this.size >= this.options.capacity || list.length >= this.options.perKey) return this.full;
    const now = this.lane.nowMilliseconds;
    const until = this.untils.get(key) ?? (now + this.options.milliseconds) >>> 0;
    if (((now - until) | 0) >= 0) return this.expired;
    const { batch, row } = packet;
    list.push({
      handle: batch.handle[row] as number,
      data: batch.data[row] as number,
      length: batch.length[row] as number,
      ingress: batch.ingress[row] as number,
      until,
    });
    this.waiting.set(key, list);
    this.size++;
    return held;
  }

  /** Lets every packet of a key in again, in order, with the next breaths. */
  release(key: string): void {
    const list = this.waiting.get(key);
    if (!list) return;
    this.waiting.delete(key);
    this.untils.delete(key);
    this.ready.push(...list);
  }

  /** Those who find nothing come back, for what is left of their time. */
  private lookAgain(): void {
    if (this.ready.length > 0) return; // the last ones are still on their way
    for (const [key, [first]] of [...this.waiting]) {
      this.release(key);
      if (first) this.untils.set(key, first.until);
    }
  }

  poll(): void {
    while (this.ready.length > 0) {
      const { handle, data, length, ingress } = this.ready[0] as Held;
      if (!this.lane.inject(handle, data, length, ingress)) return;
      this.ready.shift();
      this.size--;
    }
  }

  private close(): void {
    for (const { handle } of this.ready.splice(0)) {
      this.lane.dropHeld(handle, -this.expired);
      this.size--;
    }
    this.dropWhere(() => true);
  }

  private expire(now: number): void {
    this.dropWhere((packet) => ((now - packet.until) | 0) >= 0);
    for (const [key, until] of this.untils) if (((now - until) | 0) >= 0) this.untils.delete(key);
  }

  private dropWhere(over: (packet: Held) => boolean): void {
    for (const [key, list] of this.waiting) {
      const kept = list.filter((packet) => !over(packet));
      for (const packet of list) if (over(packet)) this.lane.dropHeld(packet.handle, -this.expired);
      this.size -= list.length - kept.length;
      if (kept.length === 0) this.waiting.delete(key);
      else this.waiting.set(key, kept);
    }
  }
}
