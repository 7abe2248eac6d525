/**
 * A network function on a bench with no hardware: a lane over memory ports, a virtual clock, debug
 * checks on, a seeded store, and the hosts of every link answering ARP.
 *
 * Whoever makes a harness ends it with `finish`, which asserts that nothing was lost or kept, and
 * `close`, or with `using`. One harness is one lane of the calling thread; nothing in it is
 * asynchronous.
 */
import { AssertionError } from 'node:assert';
import { type NativePool, native } from '../native.ts';
import { type NetworkFunction, openLane } from '../nfs/network-function.ts';
import { memoryStore } from '../state/memory-store.ts';
import type { Lane, LaneEvent, LaneStatistics } from '../streams/lane.ts';
import { MemoryPort } from '../streams/memory-port.ts';
import { formatMac, readMac } from '../wire/address.ts';
import { viewOf } from '../wire/bytes.ts';
import { findLost, findReported, unaccounted } from './conservation.ts';
import type { FinishOptions, HarnessOptions, Output } from './harness-options.ts';
import { isArp, isArpReply, Links } from './links.ts';

export type { FinishOptions, HarnessOptions, Output, PortDescription } from './harness-options.ts';

/** Where a timer is at most this coarse, long waits stay cheap: 7440 s are 149,000 breaths. */
const coarseMilliseconds = 50;
/** Up to this long, and for the last of it, `advance` goes in steps of 1 ms. */
const fineMilliseconds = 200;
/** Breaths at one instant: far above what a full port (4096 frames of burst 1) and ARP need. */
const maximumBreaths = 20_000;
const maximumEvents = 1000;

export class Harness {
  readonly lane: Lane;
  readonly nf: NetworkFunction;
  /** What the lane reported, the first 1000. */
  readonly events: LaneEvent[] = [];
  /** Wall-clock nanoseconds spent in the lane, acting the links not counted. */
  laneNanoseconds = 0;
  private readonly pool: NativePool;
  private readonly ports: readonly MemoryPort[];
  private readonly links: Links;
  private readonly answers: boolean;
  private readonly virtual: boolean;
  private queued: Output[] = [];
  private closed = false;

  /** @throws {RangeError} a port's address that is none, or a name used twice */
  constructor(nf: NetworkFunction, options: HarnessOptions) {
    const { seed = 1, buffers = 8192, clock = 'virtual', burst, batches } = options;
    this.nf = nf;
    this.virtual = clock === 'virtual';
    this.answers = options.answerArp ?? true;
    this.links = new Links(options.ports, options.absent ?? []);
    this.pool = native.openPool(buffers);
    this.ports = this.links.ports.map(
      ({ name, mac, mtu, vlan }) => new MemoryPort({ name, mac, mtu, vlan, pool: this.pool }),
    );
    try {
      this.lane = openLane(nf, options.store ?? memoryStore({ seed }), {
        pool: this.pool,
        ports: this.ports,
        virtualClock: this.virtual,
        debug: options.debug ?? true,
        log: (event) => {
          if (this.events.length < maximumEvents) this.events.push(event);
        },
        ...(burst !== undefined && { burst }),
        ...(batches !== undefined && { batches }),
      });
    } catch (error) {
      this.closePool();
      throw error;
    }
  }

  /** Lane clock. */
  get nowNanoseconds(): number {
    return this.lane.nowNanoseconds;
  }

  get portNames(): readonly string[] {
    return this.ports.map((port) => port.name);
  }

  /** `'02:00:00:00:01:00'` */
  macOf(port: string): string {
    return formatMac(readMac(viewOf(this.port(port).mac), 0));
  }

  /** The memory port itself, to make its link fail or its ring full. */
  port(name: string): MemoryPort {
    const port = this.ports.find((candidate) => candidate.name === name);
    if (!port)
      throw new RangeError(`no port is named ${name}; there are ${this.portNames.join(', ')}`);
    return port;
  }

  /** Takes a host off every link, or puts it back: whether ARP requests for it are answered. */
  setAbsent(address: string, isAbsent = true): void {
    this.links.setAbsent(address, isAbsent);
  }

  /** Puts a frame into a port. It is received with the next breath: `run` or `advance`. */
  send(port: string, frame: Uint8Array): void {
    if (!this.port(port).push(frame)) {
      throw new AssertionError({
        message: `port ${port} took no frame of ${frame.length} bytes: its ring or the pool is full`,
      });
    }
  }

  /** Breathes at this instant until there is nothing to do, links included. */
  run(): void {
    const started = process.hrtime.bigint();
    let acting = 0n;
    for (let breaths = 0, idle = 0; idle < 2; breaths++) {
      if (breaths === maximumBreaths) {
        throw new AssertionError({
          message: `${this.nf.name} is still busy after ${maximumBreaths} breaths at one instant`,
        });
      }
      const received = this.lane.breathe();
      const actedFrom = process.hrtime.bigint();
      const acted = this.collect();
      acting += process.hrtime.bigint() - actedFrom;
      idle = received === 0 && acted === 0 ? idle + 1 : 0;
    }
    this.laneNanoseconds += Number(process.hrtime.bigint() - started - acting);
  }

  /**
   * Moves the virtual clock on, breathing until idle at each step: every millisecond at first and at
   * the end, every 50 ms in between.
   */
  advance(milliseconds: number): void {
    if (!this.virtual) throw new Error('a harness on the machine clock cannot advance it');
    this.run();
    let left = milliseconds;
    for (; left > 2 * fineMilliseconds; left -= coarseMilliseconds) this.step(coarseMilliseconds);
    for (; left > 0; left -= 1) this.step(Math.min(1, left));
  }

  private step(milliseconds: number): void {
    this.lane.advance(milliseconds * 1e6);
    this.run();
  }

  /** Takes what was transmitted, answering ARP; returns how many frames. */
  private collect(): number {
    let taken = 0;
    this.ports.forEach((port, number) => {
      for (let frame = port.take(); frame; frame = port.take()) {
        taken++;
        if (this.answers && isArp(frame)) {
          const reply = this.links.answer(number, frame);
          if (reply) port.push(reply);
          if (!isArpReply(frame)) continue;
        }
        this.queued.push({ port: port.name, frame, nanoseconds: this.nowNanoseconds });
      }
    });
    return taken;
  }

  /** Everything sent since the last call, of all ports, in order. While the links' hosts answer ARP, requests are left out. */
  outputs(): Output[] {
    const { queued } = this;
    this.queued = [];
    return queued;
  }

  /** The frames sent out of one port since the last call for it, or for `outputs`. */
  received(port: string): Uint8Array[] {
    this.port(port);
    const frames = this.queued
      .filter((output) => output.port === port)
      .map((output) => output.frame);
    this.queued = this.queued.filter((output) => output.port !== port);
    return frames;
  }

  statistics(): LaneStatistics {
    return this.lane.statistics();
  }

  /** Packets sent, by latency bucket: see `Lane.latency`. */
  latency(): Float64Array {
    return this.lane.latency();
  }

  /** Nothing held and no batch out: more time alone brings no output, timers apart. */
  get isIdle(): boolean {
    const { held, batchesOut } = this.statistics();
    return held === 0 && batchesOut === 0;
  }

  private get isAtRest(): boolean {
    const { held, batchesOut } = this.statistics();
    return (
      unaccounted(this.statistics()) === 0 && batchesOut === 0 && (held === 0 || !this.virtual)
    );
  }

  /**
   * Lets what is held time out, then asserts that every packet was accounted for, every buffer and
   * every batch came back, and the pipeline lives.
   *
   * @throws {AssertionError} naming what is off
   */
  finish(options: FinishOptions = {}): LaneStatistics {
    this.run();
    const limit = options.withinMilliseconds ?? (this.virtual ? 120_000 : 1000);
    if (this.virtual) {
      for (let waited = 0; waited < limit && !this.isAtRest; waited += coarseMilliseconds)
        this.step(coarseMilliseconds);
    } else {
      const until = this.nowNanoseconds + limit * 1e6;
      while (!this.isAtRest && this.nowNanoseconds < until) this.run();
    }
    const statistics = this.statistics();
    const pool = { capacity: this.pool.capacity, available: native.available(this.pool) };
    const faults = [
      ...findLost(statistics, pool),
      ...(statistics.held !== 0 && this.virtual
        ? [`${statistics.held} packets are still held after ${limit} ms`]
        : []),
      ...findReported(statistics, this.events, options.allowCallbackErrors ?? false),
    ];
    if (faults.length > 0) {
      throw new AssertionError({
        message: `${this.nf.name}: ${faults.join('\n  ')}`,
        stackStartFn: this.finish,
      });
    }
    return statistics;
  }

  /** Frees everything. The harness is of no use afterwards. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.lane.close();
    this.closePool();
  }

  private closePool(): void {
    if (this.pool.number !== undefined) native.closePool(this.pool.number);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
