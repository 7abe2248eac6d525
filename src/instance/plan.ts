/** What the main thread tells a lane's thread, and what it hears from it. All can be cloned. */
import type { PortCounters } from '../native.ts';
import type { CapturePortOptions } from '../ports/capture-port.ts';
import type { DpdkLanePortOptions } from '../ports/dpdk-port.ts';
import type { LaneEvent, LaneStatistics } from '../streams/lane.ts';

/** A network function by the module that makes it: functions cannot go to another thread. */
export interface FunctionReference {
  /** URL of the module. */
  readonly module: string;
  /** Name of its export: takes `options`, gives a `NetworkFunction`. */
  readonly factory: string;
  readonly options: unknown;
}

export type PortPlan =
  | ({ readonly kind: 'dpdk' } & Omit<DpdkLanePortOptions, 'queue'>)
  | ({ readonly kind: 'capture' } & Omit<CapturePortOptions, 'pool' | 'lane' | 'lanes'>);

export interface PoolPlan {
  /** `dpdk`: the process's one pool, opened by the main thread; `memory`: one for each lane. */
  readonly kind: 'dpdk' | 'memory';
  readonly buffers: number;
  /** Bytes of a buffer, headroom included. */
  readonly room: number;
}

export type StorePlan =
  /** Lanes of this process with the same name and seed share their tables. */
  | { readonly kind: 'memory'; readonly name: string; readonly seed: number }
  | { readonly kind: 'shared'; readonly path: string; readonly instance: string }
  | {
      readonly kind: 'remote';
      readonly url: string;
      readonly instance: string;
      readonly inFlight?: number;
    };

export interface LanePlan {
  readonly lane: number;
  readonly lanes: number;
  readonly burst: number;
  readonly busyPoll: boolean;
  readonly function: FunctionReference;
  readonly ports: readonly PortPlan[];
  readonly pool: PoolPlan;
  readonly store: StorePlan;
}

/** Where a lane is, since it began. */
export interface LaneSample {
  readonly statistics: LaneStatistics;
  /** Packets sent, by latency bucket. */
  readonly latency: Float64Array;
  readonly ports: readonly PortCounters[];
  /** Records by table; tables that lanes share are counted by the first lane alone. */
  readonly tables: Readonly<Record<string, number>>;
}

export type LaneMessage =
  | { readonly kind: 'ready'; readonly tables: readonly string[]; readonly sample: LaneSample }
  | { readonly kind: 'sample'; readonly sample: LaneSample }
  | { readonly kind: 'event'; readonly event: LaneEvent }
  /** The last message of a lane that was told to stop. */
  | { readonly kind: 'stopped'; readonly sample: LaneSample }
  /** The last message of one that could not go on. */
  | { readonly kind: 'failed'; readonly reason: string; readonly sample: LaneSample | undefined };
