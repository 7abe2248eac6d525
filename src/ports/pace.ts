/** Keeps the pace of a capture whose device has none: how many packets may be taken by now. */
import { dueTimes, periodOf } from './capture-feed.ts';
import { readInput } from './capture-input.ts';
import type { Pacing } from './spec.ts';

export interface PaceOptions {
  readonly pacing: Exclude<Pacing, { readonly kind: 'unpaced' }>;
  /** The capture, for its timing. */
  readonly file: string;
  readonly loop: boolean;
}

export class Pace {
  private readonly due: Float64Array;
  private readonly period: number;
  private readonly loop: boolean;
  private began = 0;

  /** @throws {CaptureError} where the file is no capture; a system error where it cannot be read */
  constructor({ pacing, file, loop }: PaceOptions) {
    this.due = dueTimes(readInput(file), pacing) as Float64Array;
    this.period = periodOf(this.due);
    this.loop = loop;
  }

  /** Packets that may be taken now, when `taken` have been. */
  budget(nowNanoseconds: number, taken: number): number {
    if (this.began === 0) this.began = nowNanoseconds;
    return Math.max(0, this.dueBy(nowNanoseconds - this.began) - taken);
  }

  private dueBy(elapsed: number): number {
    const { due, period } = this;
    const passes = this.loop && period > 0 ? Math.floor(elapsed / period) : 0;
    return passes * due.length + countUpTo(due, elapsed - passes * period);
  }
}

/** How many of the rising `times` are at or before `limit`. */
function countUpTo(times: Float64Array, limit: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] as number) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
