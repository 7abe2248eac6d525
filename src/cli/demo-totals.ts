/** What the passes of the demonstration came to, added up. */
import type { LaneStatistics } from '../streams/lane.ts';
import { type Latency, latencyMicroseconds } from '../telemetry/latency.ts';
import type { ReplayProgress, ReplayResult } from '../testing/replay.ts';

export class DemoTotals {
  passes = 0;
  received = 0;
  originated = 0;
  forwarded = 0;
  held = 0;
  nanoseconds = 0;
  flows = 0;
  translations = 0;
  missing = 0;
  malformed = 0;
  readonly dropped = new Map<string, number>();
  private latency: Float64Array | undefined;

  /** Adds a pass that is over. */
  add(result: ReplayResult): void {
    this.passes++;
    this.count(result.statistics);
    this.nanoseconds += result.laneNanoseconds;
    this.flows = result.flows;
    this.translations = result.translations;
    this.missing += result.missing;
    this.malformed += result.malformed.length;
    this.latency ??= new Float64Array(result.latency.length);
    for (let i = 0; i < this.latency.length; i++) this.latency[i] += result.latency[i];
  }

  /** These totals with a pass that is under way. */
  with(progress: ReplayProgress): DemoTotals {
    const sum = Object.assign(new DemoTotals(), this, { dropped: new Map(this.dropped) });
    sum.count(progress.statistics);
    sum.nanoseconds += progress.laneNanoseconds;
    sum.flows = Math.max(this.flows, progress.flows);
    return sum;
  }

  get packetsPerSecond(): number {
    return (this.received / Math.max(1, this.nanoseconds)) * 1e9;
  }

  get latencyMicroseconds(): Latency | undefined {
    return this.latency && latencyMicroseconds(this.latency);
  }

  get droppedPackets(): number {
    return [...this.dropped.values()].reduce((sum, count) => sum + count, 0);
  }

  /** In and made here = out, dropped, and held for a neighbour that never answered. */
  get conserved(): boolean {
    const { received, originated, forwarded, droppedPackets, held } = this;
    return received + originated === forwarded + droppedPackets + held;
  }

  private count({ received, originated, forwarded, held, dropped }: LaneStatistics): void {
    const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
    this.received += sum(received);
    this.originated += originated;
    this.forwarded += sum(forwarded);
    this.held += held;
    for (const [reason, count] of Object.entries(dropped)) {
      if (count > 0) this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + count);
    }
  }
}
