/**
 * A flow splitter: stands between hosts and several instances of one NAT that share their state, and
 * sends each flow through one of them, now this one, now that one.
 *
 *   client ---- [          ] ---- inside  [ instance 0 ] outside ---- [          ] ---- server
 *               [ splitter ] ---- inside  [ instance 1 ] outside ---- [ splitter ]
 *
 * It is as unkind as a network may be: each direction of a flow has a path of its own, and a share of
 * all paths is drawn anew many times a second. It learns of a death as a switch does, from its port
 * alone: what was sent there meanwhile is lost. To hosts the instances are one router, so ARP from
 * them goes to all instances, and these have the same addresses.
 */

import type { PortCounters } from '../native.ts';
import { type NetworkFunction, networkFunction } from '../nfs/network-function.ts';
import { parse } from '../operators/parse.ts';
import { transform } from '../operators/transform.ts';
import type { Lane, LanePort } from '../streams/lane.ts';
import type { Packet } from '../streams/packet.ts';
import { trait } from '../streams/traits.ts';
import { drop, forward, type Verdict } from '../streams/verdict.ts';

/** Names of the splitter's ports towards one instance. */
export interface SplitInstance {
  readonly inside: string;
  readonly outside: string;
}

export interface FlowSplitterOptions {
  readonly client: string;
  readonly server: string;
  readonly instances: readonly SplitInstance[];
  /**
   * `random`: each direction of each flow is drawn by itself. `crossed`: outward through the first
   * instance that lives, back through the last. Default `random`.
   */
  readonly paths?: 'random' | 'crossed';
  /** How often paths are drawn anew, by the lane's clock. Default 20. */
  readonly moveMilliseconds?: number;
  /** The share of paths drawn anew each time, 0 to 1. Default 0.05. */
  readonly movedShare?: number;
  /** Default 1. */
  readonly seed?: number;
}

/** Flows that share a path; enough that a few dozen flows rarely do. */
const buckets = 1024;
/** How soon a link that went down is noticed: quicker than a switch, slower than a packet. */
const watchMilliseconds = 5;
const noInstance = drop('no-instance');
const notSplit = drop('not-split');

/**
 * Declares a flow splitter.
 *
 * @example
 * flowSplitter({
 *   client: 'client',
 *   server: 'server',
 *   instances: [{ inside: 'inside-0', outside: 'outside-0' }, { inside: 'inside-1', outside: 'outside-1' }],
 * })
 */
export function flowSplitter(options: FlowSplitterOptions): NetworkFunction {
  return networkFunction('flow-splitter', [], (lane) => {
    const splitter = new Splitter(lane, options);
    const everything = lane.ports.map(({ name }) => [name, { acceptAny: true }]);
    return (packets) =>
      packets.pipe(
        parse({ ports: Object.fromEntries(everything) }),
        transform((packet) => splitter.decide(packet)),
      );
  });
}

class Splitter {
  private readonly client: number;
  private readonly server: number;
  private readonly inside: readonly number[];
  private readonly outside: readonly number[];
  /** By direction, by bucket: any number; among those that live it chooses one. */
  private readonly paths: readonly [outward: Uint32Array, inward: Uint32Array];
  private readonly crossed: boolean;
  private readonly ports: readonly LanePort[];
  private alive: readonly number[];
  private state: number;

  constructor(lane: Lane, options: FlowSplitterOptions) {
    const { instances, moveMilliseconds = 20, movedShare = 0.05, seed = 1 } = options;
    this.client = lane.port(options.client);
    this.server = lane.port(options.server);
    this.inside = instances.map((it) => lane.port(it.inside));
    this.outside = instances.map((it) => lane.port(it.outside));
    this.crossed = options.paths === 'crossed';
    this.ports = lane.ports;
    this.state = seed >>> 0;
    this.paths = [new Uint32Array(buckets), new Uint32Array(buckets)];
    for (const path of this.paths) for (let i = 0; i < buckets; i++) this.draw(path, i);
    this.alive = this.living();
    lane.every(watchMilliseconds, () => {
      this.alive = this.living();
    });
    const moved = Math.ceil(buckets * movedShare);
    lane.every(moveMilliseconds, () => {
      for (const path of this.paths)
        for (let i = 0; i < moved; i++) this.draw(path, this.random() % buckets);
    });
  }

  decide(packet: Packet): Verdict {
    const from = packet.ingress;
    if (from === this.client) return this.spread(packet, this.inside, 0);
    if (from === this.server) return this.spread(packet, this.outside, 1);
    return forward(this.inside.includes(from) ? this.client : this.server);
  }

  private spread(packet: Packet, ports: readonly number[], direction: 0 | 1): Verdict {
    const { alive } = this;
    if (alive.length === 0) return noInstance;
    if (packet.has(trait.arp)) return this.flood(packet, ports);
    if (!packet.has(trait.ipv4)) return notSplit;
    const instance = this.crossed
      ? alive.at(direction === 0 ? 0 : -1)
      : alive[(this.paths[direction][bucketOf(packet)] as number) % alive.length];
    return forward(ports[instance as number] as number);
  }

  private flood(packet: Packet, ports: readonly number[]): Verdict {
    const [first, ...others] = this.alive.map((instance) => ports[instance] as number);
    for (const port of others) packet.originate(port, packet.bytes());
    return forward(first as number);
  }

  /** Instances both of whose links are up. */
  private living(): number[] {
    const up = (port: number) => (this.ports[port] as CountingPort).counters().linkUp;
    return this.inside.flatMap((port, i) => (up(port) && up(this.outside[i] as number) ? [i] : []));
  }

  private draw(path: Uint32Array, bucket: number): void {
    path[bucket] = this.random();
  }

  /** A Weyl sequence, mixed (as SplitMix does): any seed is as good as another. */
  private random(): number {
    this.state = (this.state + 0x9e3779b9) >>> 0;
    return mix(this.state);
  }
}

type CountingPort = LanePort & { counters(): PortCounters };

/** Fragments without ports and other IPv4 go by their addresses alone. */
function bucketOf(packet: Packet): number {
  if (!packet.has(trait.hasFlow)) return mix(packet.u32(packet.l3 + 12)) % buckets;
  const ports = ((packet.sourcePort << 16) | packet.destinationPort) >>> 0;
  return mix((packet.source ^ mix((packet.destination ^ mix(ports)) >>> 0)) >>> 0) % buckets;
}

/** The finaliser of MurmurHash3: every bit of the input moves half of the output's. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
