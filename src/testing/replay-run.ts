/** One replay at work: see replay.ts for what it does, and what it compares. */
import type { NetworkFunction } from '../nfs/network-function.ts';
import { memoryStore } from '../state/memory-store.ts';
import {
  contains,
  formatIpv4,
  type Prefix,
  parseIpv4,
  parseMac,
  parsePrefix,
} from '../wire/address.ts';
import { type Capture, frameAt } from '../wire/capture.ts';
import * as ethernet from '../wire/ethernet.ts';
import { dissect } from '../wire/frame.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { isMalformed } from '../wire/malformed.ts';
import { type Endpoint, Ipv4Packet } from './client-endpoint.ts';
import { Harness, type Output } from './harness.ts';
import { hostMac, isArp } from './links.ts';
import type { ReplayOptions, ReplayProgress, ReplayResult } from './replay.ts';
import { type FlowMember, ReplayFlows } from './replay-flows.ts';
import { type ReplayBench, Twins } from './twins.ts';

/** A packet on its way through the NAT. */
interface Expected {
  readonly member: FlowMember;
  /** False for one that must not come out (TTL used up, no such host); it may. */
  readonly mustArrive: boolean;
}

const progressEvery = 256; // frames
const keptFaults = 100;
/** An asynchronous store and ARP need a few milliseconds until a translation shows. */
const translationWaitMilliseconds = 50;

export class Replay {
  readonly harness: ReplayBench;
  private readonly twins: Twins | undefined;
  private readonly capture: Capture;
  private readonly options: ReplayOptions;
  private readonly inside: string;
  private readonly outside: string;
  private readonly clients: Prefix;
  private readonly router: number;
  private readonly isFast: boolean;
  private readonly absent: ReadonlySet<number>;
  private readonly flows = new ReplayFlows();
  /** By key, first in first out: packets that should leave on each side. */
  private readonly leaving = new Map<string, Expected[]>();
  private readonly arriving = new Map<string, Expected[]>();
  private readonly outputs: Output[] = [];
  private readonly unexpected: Output[] = [];
  private readonly malformed: Output[] = [];
  private frames = 0;
  private waiting = 0;
  private own = 0;
  private unexpectedCount = 0;
  private unaddressed = 0;
  private ipv6 = 0;

  constructor(nf: NetworkFunction, capture: Capture, options: ReplayOptions) {
    const {
      inside = 'inside',
      outside = 'outside',
      clients = '10.99.0.0/24',
      router = '10.99.0.1',
    } = options;
    const prefix = parsePrefix(clients);
    const address = parseIpv4(router);
    if (!prefix || address === undefined)
      throw new RangeError(`clients or router: "${clients}", "${router}" are no addresses`);
    this.capture = capture;
    this.options = options;
    this.inside = inside;
    this.outside = outside;
    this.clients = prefix;
    this.router = address;
    this.isFast = options.timing === 'fast';
    this.absent = this.findAbsent();
    const bench = {
      ...options,
      ports: options.ports ?? [inside, outside],
      clock: this.isFast ? 'machine' : 'virtual',
      absent: [...this.absent].map(formatIpv4),
    } as const;
    const { killAtFrame, store = memoryStore() } = options;
    this.twins =
      killAtFrame === undefined ? undefined : new Twins(nf, { ...bench, store, killAtFrame });
    this.harness = this.twins ?? new Harness(nf, bench);
  }

  run(): ReplayResult {
    const { count, timestampsNanoseconds } = this.capture;
    const start = timestampsNanoseconds[0] ?? 0n;
    const burst = this.options.burst ?? 128;
    for (let index = 0; index < count; index++) {
      const frame = frameAt(this.capture, index);
      if (!this.isFast) {
        const due = Number((timestampsNanoseconds[index] as bigint) - start);
        const wait = (due - this.harness.nowNanoseconds) / 1e6;
        if (wait > 0) this.harness.advance(wait);
      }
      // A copy, since it is rewritten; slice() of a Buffer would not be one.
      if (frame && !isArp(frame)) this.replay(Uint8Array.from(frame));
      if (this.isFast ? this.waiting >= burst : this.waiting > 0) this.flush();
      this.frames = index + 1;
      if (this.frames % progressEvery === 0) this.options.onProgress?.(this.progress());
    }
    this.flush();
    this.harness.finish();
    this.recogniseOutputs();
    const progress = this.progress();
    this.options.onProgress?.(progress);
    return {
      ...progress,
      flowReports: this.flows.reports,
      outputs: this.outputs,
      unexpected: this.unexpected,
      unexpectedCount: this.unexpectedCount,
      malformed: this.malformed,
      own: this.own,
      unaddressed: this.unaddressed,
      changedTranslations: this.flows.changed,
      ipv6: this.ipv6,
      latency: this.harness.latency(),
      lost: this.twins?.lost ?? 0,
    };
  }

  private progress(): ReplayProgress {
    return {
      frames: this.frames,
      totalFrames: this.capture.count,
      flows: this.flows.size,
      translations: this.flows.translationCount,
      missing: this.flows.missing,
      statistics: this.harness.statistics(),
      laneNanoseconds: this.harness.laneNanoseconds,
    };
  }

  /** Addresses that clients sent to and that never sent anything: no host has them. */
  private findAbsent(): ReadonlySet<number> {
    const called = new Set<number>();
    const heard = new Set<number>([this.router]);
    for (let index = 0; index < this.capture.count; index++) {
      const frame = frameAt(this.capture, index);
      const packet = frame && Ipv4Packet.in(frame);
      if (!packet) continue;
      heard.add(packet.source);
      if (!contains(this.clients, packet.destination)) called.add(packet.destination);
    }
    for (const address of heard) called.delete(address);
    return called;
  }

  private replay(frame: Uint8Array): void {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    const packet = Ipv4Packet.in(frame);
    if (!packet) {
      // Of IPv6 what clients sent is known by its link source: the router's frames are not theirs.
      if (frame.length >= 14 && ethernet.type(view, 0) === ethernet.TYPE.ipv6)
        this.replayIpv6(frame, view);
      return;
    }
    if (packet.source === this.router) return; // the NAT says such things itself
    if (contains(this.clients, packet.source)) this.fromClient(frame, packet);
    else if (contains(this.clients, packet.destination)) this.fromServer(frame, packet);
  }

  private routerMac: number | undefined;

  private replayIpv6(frame: Uint8Array, view: DataView): void {
    if (ethernet.source(view, 0) === this.routerMac || this.routerMac === undefined) return;
    if (ethernet.destination(view, 0) === this.routerMac)
      ethernet.setDestination(view, 0, this.macOf(this.inside));
    this.push(this.inside, frame);
    this.ipv6++;
  }

  private macOf(port: string): number {
    return parseMac(this.harness.macOf(port)) as number;
  }

  private fromClient(frame: Uint8Array, packet: Ipv4Packet): void {
    const { view } = packet;
    const isUnicast = (frame[0] as number) % 2 === 0;
    const member = this.flows.find(packet, 'source');
    const isForServer =
      isUnicast &&
      packet.destination !== this.router &&
      !contains(this.clients, packet.destination);
    if (isForServer) {
      this.routerMac ??= ethernet.destination(view, 0);
      const mustArrive =
        ipv4.timeToLive(view, packet.at) > 1 && !this.absent.has(packet.destination);
      this.expect(this.leaving, packet.key('source'), { member, mustArrive });
      member.flow.outward.sent++;
      if (mustArrive) member.flow.outward.missing++;
    }
    if (isUnicast) ethernet.setDestination(view, 0, this.macOf(this.inside));
    ethernet.setSource(view, 0, hostMac(packet.source));
    this.push(this.inside, frame);
  }

  private fromServer(frame: Uint8Array, packet: Ipv4Packet): void {
    const member = this.flows.find(packet, 'destination');
    const { flow, client } = member;
    const translation = this.translationOf(member);
    if (!translation) {
      this.unaddressed++;
      return;
    }
    this.expect(this.arriving, packet.key(undefined), { member, mustArrive: true });
    flow.inward.sent++;
    flow.inward.missing++;
    const { view, at } = packet;
    packet.replace('destination', {
      address: translation.address,
      port: translation.port ?? client.port,
    });
    // One more than was recorded behind a router, so that what the client gets has the recorded TTL.
    ipv4.setTimeToLive(view, at, Math.min(255, ipv4.timeToLive(view, at) + 1));
    ipv4.fillChecksum(view, at);
    ethernet.setDestination(view, 0, this.macOf(this.outside));
    ethernet.setSource(view, 0, hostMac(packet.source));
    this.push(this.outside, frame);
  }

  private push(port: string, frame: Uint8Array): void {
    this.harness.send(port, frame);
    this.waiting++;
  }

  private expect(into: Map<string, Expected[]>, key: string, expected: Expected): void {
    const queue = into.get(key);
    if (queue) queue.push(expected);
    else into.set(key, [expected]);
  }

  /** The client's endpoint as seen outside, waited for a little. */
  private translationOf(member: FlowMember): Endpoint | undefined {
    const known = this.flows.translation(member);
    if (known) return known;
    this.flush();
    const until = this.harness.nowNanoseconds + translationWaitMilliseconds * 1e6;
    while (!this.flows.translation(member) && !this.harness.isIdle) {
      if (this.harness.nowNanoseconds >= until) break;
      if (this.isFast) this.harness.run();
      else this.harness.advance(1);
      this.recogniseOutputs();
    }
    return this.flows.translation(member);
  }

  private flush(): void {
    this.harness.run();
    this.waiting = 0;
    this.recogniseOutputs();
  }

  private recogniseOutputs(): void {
    for (const output of this.harness.outputs()) {
      this.outputs.push(output);
      if (
        isMalformed(dissect(output.frame, { verify: true })) &&
        this.malformed.length < keptFaults
      )
        this.malformed.push(output);
      const packet = Ipv4Packet.in(output.frame);
      const isKnown =
        packet !== undefined &&
        (output.port === this.outside ? this.hasLeft(packet) : this.hasArrived(packet));
      if (isKnown || !packet) continue;
      if (packet.source === this.router && output.port === this.inside) {
        this.own++;
        continue;
      }
      this.unexpectedCount++;
      if (this.unexpected.length < keptFaults) this.unexpected.push(output);
    }
  }

  private hasLeft(packet: Ipv4Packet): boolean {
    const expected = this.leaving.get(packet.key('source'))?.shift();
    if (!expected) return false;
    const { outward } = expected.member.flow;
    outward.received++;
    if (expected.mustArrive) outward.missing--;
    this.flows.learn(expected.member, packet.endpoint('source'), packet.quoted !== undefined);
    return true;
  }

  private hasArrived(packet: Ipv4Packet): boolean {
    const expected = this.arriving.get(packet.key(undefined))?.shift();
    if (!expected) return false;
    const { inward } = expected.member.flow;
    inward.received++;
    inward.missing--;
    return true;
  }
}
