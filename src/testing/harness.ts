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
import type { Store } from '../state/store.ts';
import type { Lane, LaneEvent, LaneStatistics } from '../streams/lane.ts';
import { MemoryPort } from '../streams/memory-port.ts';
import { formatMac, parseIpv4, parseMac, parsePrefix } from '../wire/address.ts';
import { answerArp, isArp, type LinkHosts, macBytes, portMac } from './links.ts';

export interface PortDescription {
  readonly name: string;
  /** `'02:00:00:00:00:01'`. Default: from the port's number, see `portMac`. */
  readonly mac?: string;
  /** Largest IP packet in bytes. Default 1500. */
  readonly mtu?: number;
  /** Networks of the link, such as `'10.0.0.0/24'`: only hosts there answer ARP. Default: any address does. */
  readonly networks?: readonly string[];
}

export interface HarnessOptions {
  /** Names alone stand for ports with every default. */
  readonly ports: readonly (string | PortDescription)[];
  /** Default: a memory store of its own, seeded with `seed`. */
  readonly store?: Store;
  /** Default 1. */
  readonly seed?: number;
  /** Whether the hosts of the links answer ARP requests. Default true; the exchange is then hidden. */
  readonly answerArp?: boolean;
  /** Addresses with no host: nobody answers for them. */
  readonly absent?: readonly string[];
  /** `machine`: real time, for measuring; nothing can then be skipped by `advance`. Default `virtual`. */
  readonly clock?: 'virtual' | 'machine';
  /** Catches packets kept past their callback. Default true. */
  readonly debug?: boolean;
  /** Packet buffers. Default 8192. */
  readonly buffers?: number;
  /** Packets received into one batch at the most. Default 128. */
  readonly burst?: number;
  /** Batches that can be in flight. Default 16. */
  readonly batches?: number;
}

/** A frame that the network function sent. */
export interface Output {
  readonly port: string;
  readonly frame: Uint8Array;
  /** Lane clock. */
  readonly nanoseconds: number;
}

export interface FinishOptions {
  /**
   * Held packets must be let go of within this much lane time. Default 120,000. On the machine's clock
   * what the lane knows to be held is not waited for: 1000, for batches that are still out.
   */
  readonly withinMilliseconds?: number;
  /** Accept that authors' callbacks threw, which `finish` otherwise reports. */
  readonly allowCallbackErrors?: boolean;
}

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
  private readonly hosts: readonly LinkHosts[];
  private readonly answers: boolean;
  private readonly absent: Set<number>;
  private readonly virtual: boolean;
  private queued: Output[] = [];
  private closed = false;

  /** @throws {RangeError} a port's address that is none, or a name used twice */
  constructor(nf: NetworkFunction, options: HarnessOptions) {
    const { seed = 1, buffers = 8192, clock = 'virtual' } = options;
    const described = options.ports.map((port) =>
      typeof port === 'string' ? { name: port } : port,
    );
    if (new Set(described.map((port) => port.name)).size < described.length) {
      throw new RangeError(
        `ports: a name is used twice: ${described.map((port) => port.name).join(', ')}`,
      );
    }
    this.nf = nf;
    this.virtual = clock === 'virtual';
    this.answers = options.answerArp ?? true;
    this.absent = new Set(
      (options.absent ?? []).map((text) => known(parseIpv4(text), 'absent', text)),
    );
    this.hosts = described.map((port: PortDescription) => ({
      absent: this.absent,
      ...(port.networks && {
        networks: port.networks.map((text) =>
          known(parsePrefix(text), `networks of ${port.name}`, text),
        ),
      }),
    }));
    const macs = described.map((port: PortDescription, number) =>
      port.mac === undefined
        ? portMac(number)
        : known(parseMac(port.mac), `mac of ${port.name}`, port.mac),
    );
    this.pool = native.openPool(buffers);
    this.ports = described.map(
      (port: PortDescription, number) =>
        new MemoryPort({
          name: port.name,
          pool: this.pool,
          mac: macBytes(macs[number] as number),
          ...(port.mtu !== undefined && { mtu: port.mtu }),
        }),
    );
    this.lane = openLane(nf, options.store ?? memoryStore({ seed }), {
      pool: this.pool,
      ports: this.ports,
      virtualClock: this.virtual,
      debug: options.debug ?? true,
      log: (event) => {
        if (this.events.length < maximumEvents) this.events.push(event);
      },
      ...(options.burst !== undefined && { burst: options.burst }),
      ...(options.batches !== undefined && { batches: options.batches }),
    });
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
    const { mac } = this.port(port);
    const view = new DataView(mac.buffer, mac.byteOffset);
    return formatMac(view.getUint16(0) * 0x1_0000_0000 + view.getUint32(2));
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
    const number = known(parseIpv4(address), 'address', address);
    if (isAbsent) this.absent.add(number);
    else this.absent.delete(number);
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
          const reply = answerArp(frame, this.hosts[number] as LinkHosts);
          if (reply) port.push(reply);
          if (reply || !isReply(frame)) continue;
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

  /** Packets that came in or were made, and have neither left, nor been dropped, nor are known to be held. */
  get unaccounted(): number {
    const { received, originated, forwarded, dropped, held } = this.statistics();
    return total(received) + originated - total(forwarded) - total(Object.values(dropped)) - held;
  }

  /** Nothing held and no batch out: more time alone brings no output, timers apart. */
  get isIdle(): boolean {
    const { held, batchesOut } = this.statistics();
    return held === 0 && batchesOut === 0;
  }

  private get isAtRest(): boolean {
    const { held, batchesOut } = this.statistics();
    return this.unaccounted === 0 && batchesOut === 0 && (held === 0 || !this.virtual);
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
    const faults = this.faults(limit, options.allowCallbackErrors ?? false);
    if (faults.length > 0) {
      throw new AssertionError({
        message: `${this.nf.name}: ${faults.join('\n  ')}`,
        stackStartFn: this.finish,
      });
    }
    return this.statistics();
  }

  private faults(limit: number, allowCallbackErrors: boolean): string[] {
    const { received, originated, forwarded, dropped, batchesOut, held } = this.statistics();
    const { unaccounted } = this;
    const faults: string[] = [];
    if (unaccounted !== 0) {
      faults.push(
        `conservation: received ${total(received)} + originated ${originated} = forwarded ${total(forwarded)}` +
          ` + dropped ${total(Object.values(dropped))} + held ${held}, and ${unaccounted} that nobody accounts for`,
      );
    }
    if (held !== 0 && this.virtual) faults.push(`${held} packets are still held after ${limit} ms`);
    if (batchesOut !== 0) {
      const holders = this.events
        .filter((event) => event.event === 'batch-unsettled')
        .map((event) => event.holder);
      faults.push(
        `${batchesOut} batches were never settled, last held by ${[...new Set(holders)].join(', ') || 'nobody known'}`,
      );
    }
    const missing = this.pool.capacity - native.available(this.pool);
    if (missing !== held) {
      faults.push(
        `the pool misses ${missing} of ${this.pool.capacity} buffers where ${held} packets are held`,
      );
    }
    for (const { event, message } of this.events) {
      if (event === 'pipeline-failed') faults.push(`the pipeline failed: ${message}`);
      if (event === 'callback-error' && !allowCallbackErrors)
        faults.push(`a callback threw: ${message}`);
    }
    return faults;
  }

  /** Frees everything. The harness is of no use afterwards. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.lane.close();
    if (this.pool.number !== undefined) native.closePool(this.pool.number);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** An ARP reply, which shows that the network function answered for an address of its own. */
function isReply(frame: Uint8Array): boolean {
  return frame[21] === 2;
}

function known<T>(value: T | undefined, field: string, text: string): T {
  if (value === undefined) throw new RangeError(`${field}: "${text}" is not an address`);
  return value;
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
