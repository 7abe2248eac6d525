/**
 * A running instance: one network function on N lanes, a thread each, which share its tables and
 * nothing else. The calling thread manages: it watches the ports, gathers samples, stops the lanes.
 *
 * It ends when told to stop, when every port has run dry (captures), or when no lane can go on. A lane
 * that fails takes down only itself.
 */
import type { PortCounters } from '../native.ts';
import { LaneThread } from './lane-thread.ts';
import type { FunctionReference, LaneSample, PoolPlan, PortPlan, StorePlan } from './plan.ts';
import { type PortEvent, PortWatch } from './port-watch.ts';
import { addPorts, type InstanceSummary, summarize } from './summary.ts';

export interface InstanceOptions {
  readonly function: FunctionReference;
  readonly ports: readonly PortPlan[];
  readonly pool: PoolPlan;
  readonly lanes: number;
  /** Packets received into one batch at the most. */
  readonly burst: number;
  /** Never sleep. */
  readonly busyPoll: boolean;
  readonly store: StorePlan;
  readonly onEvent?: (event: InstanceEvent) => void;
  /**
   * Has the ports' links come up, and says what is worth knowing of them; called once every lane polls, so
   * that nothing which arrives waits.
   */
  readonly startPorts?: () => readonly PortEvent[];
}

export type InstanceEvent =
  | PortEvent
  | {
      readonly event: 'lane-failed';
      readonly lane: number;
      readonly reason: string;
      readonly lanesLeft: number;
    }
  | { readonly event: string; readonly [detail: string]: unknown };

export interface InstanceEnd {
  readonly summary: InstanceSummary;
  /** Lanes that did not come to a good end. */
  readonly failedLanes: readonly number[];
}

const watchMilliseconds = 250;

export class Instance {
  /** Settles when every lane has ended. */
  readonly ended: Promise<InstanceEnd>;
  private readonly lanes: readonly LaneThread[];
  private readonly portNames: readonly string[];
  private readonly tableNames: readonly string[];
  private readonly watches: readonly PortWatch[];
  private readonly report: (event: InstanceEvent) => void;
  private readonly timer: NodeJS.Timeout;
  private receivedBefore = -1;

  /**
   * Starts the lanes; they forward when this returns.
   *
   * @throws what kept the first lane that failed from starting
   */
  static async start(options: InstanceOptions): Promise<Instance> {
    const report = options.onEvent ?? (() => undefined);
    const lanes = Array.from(
      { length: options.lanes },
      (_, lane) => new LaneThread({ ...cloneable(options), lane }, report),
    );
    try {
      const [tables = []] = await Promise.all(lanes.map((lane) => lane.ready));
      if (options.startPorts) {
        for (const event of options.startPorts()) report(event);
        await Promise.all(lanes.map((lane) => lane.heard())); // of links that are up
      }
      return new Instance(options, lanes, tables, report);
    } catch (error) {
      for (const lane of lanes) lane.stop();
      await Promise.all(lanes.map((lane) => lane.ended));
      throw error;
    }
  }

  private constructor(
    options: InstanceOptions,
    lanes: readonly LaneThread[],
    tables: readonly string[],
    report: (event: InstanceEvent) => void,
  ) {
    this.lanes = lanes;
    this.report = report;
    this.portNames = options.ports.map((port) => port.name);
    this.tableNames = tables;
    const { ports } = this.summary;
    this.watches = this.portNames.map((name) => new PortWatch(name, ports[name]?.linkUp ?? true));
    this.timer = setInterval(() => this.watch(), watchMilliseconds);
    this.ended = this.untilEnded();
  }

  /** Where the instance is, from the latest samples, at most a quarter of a second old. */
  get summary(): InstanceSummary {
    return summarize(this.samples, this.portNames, this.tableNames);
  }

  /** Asks every lane to send what is in flight and end: see `ended`. */
  stop(): void {
    for (const lane of this.lanes) lane.stop();
  }

  private get samples(): LaneSample[] {
    return this.lanes.flatMap((lane) => lane.latest ?? []);
  }

  private async untilEnded(): Promise<InstanceEnd> {
    const failedLanes: number[] = [];
    let left = this.lanes.length;
    await Promise.all(
      this.lanes.map(async (lane, number) => {
        const failure = await lane.ended;
        left--;
        if (failure === undefined) return;
        failedLanes.push(number);
        this.report({ event: 'lane-failed', lane: number, reason: failure, lanesLeft: left });
      }),
    );
    clearInterval(this.timer);
    this.watch();
    return { summary: this.summary, failedLanes };
  }

  private watch(): void {
    const samples = this.samples;
    if (samples.length === 0) return;
    const now = performance.now();
    const ports = this.watches.map((watch, i) => {
      const counters = addPorts(samples.map((sample) => sample.ports[i] as PortCounters));
      for (const event of watch.look(counters, now)) this.report(event);
      return counters;
    });
    // Dry ports may still be answered from inside (ARP): done when nothing came since the last look.
    const received = ports.reduce((sum, port) => sum + port.receivedPackets, 0);
    if (ports.every((port) => port.exhausted) && received === this.receivedBefore) this.stop();
    this.receivedBefore = received;
  }
}

/** The part of the options that a lane's plan has, without what cannot be cloned. */
function cloneable({ function: fn, ports, pool, lanes, burst, busyPoll, store }: InstanceOptions) {
  return { function: fn, ports, pool, lanes, burst, busyPoll, store };
}
