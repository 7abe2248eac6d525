/**
 * Two harnesses over one store: each frame goes through one of them, drawn at random, until one is
 * gone for good in the middle of its work, and the other has all of it.
 */
import type { NetworkFunction } from '../nfs/network-function.ts';
import type { Store } from '../state/store.ts';
import type { LaneStatistics } from '../streams/lane.ts';
import { Harness, type HarnessOptions, type Output } from './harness.ts';

/** What a replay needs of what it runs on. */
export type ReplayBench = Pick<
  Harness,
  | 'advance'
  | 'close'
  | 'finish'
  | 'isIdle'
  | 'laneNanoseconds'
  | 'latency'
  | 'macOf'
  | 'nowNanoseconds'
  | 'outputs'
  | 'run'
  | 'send'
  | 'statistics'
>;

export interface TwinsOptions extends HarnessOptions {
  /** What both have. */
  readonly store: Store;
  /** The second is gone once so many frames have been sent, with what lies in its rings. */
  readonly killAtFrame: number;
}

/** Frames that are still sent to the dead one before anybody notices. */
const unnoticedFrames = 8;

export class Twins implements ReplayBench {
  /** Frames that were lost with the dead one. */
  lost = 0;
  private readonly first: Harness;
  private readonly second: Harness;
  private readonly killAtFrame: number;
  private sent = 0;
  private state: number;

  constructor(nf: NetworkFunction, options: TwinsOptions) {
    const { seed = 1, killAtFrame } = options;
    this.first = new Harness(nf, options);
    this.second = new Harness(nf, options);
    this.killAtFrame = killAtFrame;
    this.state = seed | 1;
  }

  send(port: string, frame: Uint8Array): void {
    if (this.sent++ === this.killAtFrame) this.kill();
    const isFirst = (this.random() & 1) === 0;
    if (isFirst || this.sent > this.killAtFrame + unnoticedFrames) this.first.send(port, frame);
    else if (this.isSecondAlive) this.second.send(port, frame);
    else this.lost++;
  }

  run(): void {
    for (const it of this.living) it.run();
  }

  advance(milliseconds: number): void {
    for (const it of this.living) it.advance(milliseconds);
  }

  outputs(): Output[] {
    return this.living.flatMap((it) => it.outputs());
  }

  macOf(port: string): string {
    return this.first.macOf(port);
  }

  statistics(): LaneStatistics {
    return addStatistics(this.first.statistics(), this.second.statistics());
  }

  latency(): Float64Array {
    const other = this.second.latency();
    return this.first.latency().map((count, bucket) => count + (other[bucket] as number));
  }

  finish(): LaneStatistics {
    for (const it of this.living) it.finish();
    return this.statistics();
  }

  close(): void {
    this.first.close();
    this.second.close();
  }

  get isIdle(): boolean {
    return this.living.every((it) => it.isIdle);
  }

  get nowNanoseconds(): number {
    return this.first.nowNanoseconds;
  }

  get laneNanoseconds(): number {
    return this.first.laneNanoseconds + this.second.laneNanoseconds;
  }

  /** Not another instruction of it runs; what lies in its rings is lost. */
  private kill(): void {
    for (const port of this.second.portNames) this.lost += this.second.port(port).unread;
  }

  private get isSecondAlive(): boolean {
    return this.sent <= this.killAtFrame;
  }

  private get living(): readonly Harness[] {
    return this.isSecondAlive ? [this.first, this.second] : [this.first];
  }

  /** Xorshift of 32 bits (Marsaglia 2003). */
  private random(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return x >>> 7;
  }
}

function addStatistics(one: LaneStatistics, other: LaneStatistics): LaneStatistics {
  const add = (a: readonly number[], b: readonly number[]) =>
    a.map((count, i) => count + (b[i] ?? 0));
  const reasons = Object.entries(one.dropped);
  return {
    received: add(one.received, other.received),
    forwarded: add(one.forwarded, other.forwarded),
    originated: one.originated + other.originated,
    held: one.held + other.held,
    dropped: Object.fromEntries(
      reasons.map(([reason, count]) => [reason, count + (other.dropped[reason] ?? 0)]),
    ),
    breaths: one.breaths + other.breaths,
    emptyPolls: one.emptyPolls + other.emptyPolls,
    batches: one.batches + other.batches,
    freeBuffers: one.freeBuffers + other.freeBuffers,
    batchesOut: one.batchesOut + other.batchesOut,
  };
}
