/**
 * Capture in, capture out: replays clients' recorded traffic through a NAT, both directions, with the
 * far side acted.
 *
 *   clients' frames, as recorded ------> inside [ NAT ] outside ------> translation learnt
 *   <------ compared with the recording         [     ]         <------ servers' frames, addressed by it
 *
 * The recording was made on the inside link of a router without NAT, so a server's frame in it is
 * what the client must get: it is sent in on the outside port with the client's endpoint replaced by
 * the translation that was seen leaving, and must come out of the inside port as it was recorded.
 * Neither ports nor order are assumed: outputs are recognised by their bytes.
 */
import type { NetworkFunction } from '../nfs/network-function.ts';
import type { LaneStatistics } from '../streams/lane.ts';
import { contains, formatIpv4, parseIpv4, parsePrefix } from '../wire/address.ts';
import { concatenate } from '../wire/bytes.ts';
import { type Capture, frameAt } from '../wire/capture.ts';
import { CaptureWriter } from '../wire/capture-writer.ts';
import * as ethernet from '../wire/ethernet.ts';
import { dissect } from '../wire/frame.ts';
import { PROTOCOL } from '../wire/ip-protocol.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { isMalformed } from '../wire/malformed.ts';
import { type Endpoint, Ipv4Packet } from './client-endpoint.ts';
import { Harness, type HarnessOptions, type Output } from './harness.ts';
import { hostMac, isArp } from './links.ts';

export interface ReplayOptions extends Partial<Omit<HarnessOptions, 'clock' | 'absent'>> {
  /** Names of the NAT's ports; `ports` may describe them further. Default `inside` and `outside`. */
  readonly inside?: string;
  readonly outside?: string;
  /** The recorded clients' network. Default `10.99.0.0/24`, that of captures/clients.pcap. */
  readonly clients?: string;
  /** The recorded router's address on that link, which is now the NAT's. Default `10.99.0.1`. */
  readonly router?: string;
  /**
   * `recorded`: on the virtual clock, each frame at its time. `fast`: on the machine's clock, as many
   * frames at once as a burst holds. Default `recorded`.
   */
  readonly timing?: 'recorded' | 'fast';
  /** Called every 256 frames and at the end. */
  readonly onProgress?: (progress: ReplayProgress) => void;
}

export interface ReplayProgress {
  /** Recorded frames dealt with, and all there are. */
  readonly frames: number;
  readonly totalFrames: number;
  readonly flows: number;
  readonly translations: number;
  readonly missing: number;
  readonly statistics: LaneStatistics;
  readonly laneNanoseconds: number;
}

/** One client's conversation with one server; packets, in each direction. */
export interface FlowReport {
  readonly protocol: number;
  readonly client: string;
  readonly server: string;
  /** The client's endpoint as servers see it, or undefined where nothing left. */
  translation: string | undefined;
  readonly outward: { sent: number; received: number; missing: number };
  readonly inward: { sent: number; received: number; missing: number };
}

export interface ReplayResult extends ReplayProgress {
  readonly flowReports: readonly FlowReport[];
  /** Every frame sent, with lane time; see `captureOf`. */
  readonly outputs: readonly Output[];
  /** Outputs that are neither a recorded packet, translated, nor the NAT's own messages; the first 100. */
  readonly unexpected: readonly Output[];
  readonly unexpectedCount: number;
  /** Outputs with a wrong checksum or header. */
  readonly malformed: readonly Output[];
  /** ICMP errors and echo replies of the NAT itself to clients. */
  readonly own: number;
  /** Servers' frames that could not be addressed, since no translation was seen leaving. */
  readonly unaddressed: number;
  /** Frames whose client endpoint left under another translation than before. */
  readonly changedTranslations: number;
  /** IPv6 frames of clients sent in; their far side is not acted. */
  readonly ipv6: number;
  /** Packets by latency, see `Lane.latency`; all zero time on a virtual clock. */
  readonly latency: Float64Array;
}

/**
 * Replays a capture of clients through a NAT and compares what comes out.
 *
 * ```ts
 * const result = replayClients(nat(options), readCapture(readFileSync('captures/clients.pcap')));
 * writeFileSync('out.pcap', captureOf(result.outputs));
 * ```
 *
 * @throws {AssertionError} where the harness finds packets or buffers lost (`Harness.finish`)
 */
export function replayClients(
  nf: NetworkFunction,
  capture: Capture,
  options: ReplayOptions = {},
): ReplayResult {
  const replay = new Replay(nf, capture, options);
  try {
    return replay.run();
  } finally {
    replay.harness.close();
  }
}

/** A pcap file of outputs, of one port or of all; `startNanoseconds` since 1970 is the lane clock's zero. */
export function captureOf(
  outputs: readonly Output[],
  port?: string,
  startNanoseconds = 0n,
): Uint8Array {
  const chunks: Uint8Array[] = [];
  const writer = new CaptureWriter((chunk) => chunks.push(chunk));
  for (const output of outputs) {
    if (port !== undefined && output.port !== port) continue;
    const time = startNanoseconds + BigInt(Math.round(output.nanoseconds));
    const { frame } = output;
    writer.append(
      frame,
      0,
      frame.length,
      Number(time / 1_000_000_000n),
      Number(time % 1_000_000_000n),
    );
  }
  writer.flush();
  return concatenate(chunks);
}

/** A packet on its way through the NAT. */
interface Expected {
  readonly flow: FlowReport;
  /** Present for clients' packets: whose endpoint the output will reveal. */
  readonly client?: Endpoint;
  /** False for one that must not come out (TTL used up, no such host); it may. */
  readonly mustArrive: boolean;
}

const progressEvery = 256; // frames
const keptFaults = 100;
/** An asynchronous store and ARP need a few milliseconds until a translation shows. */
const translationWaitMilliseconds = 50;

class Replay {
  readonly harness: Harness;
  private readonly capture: Capture;
  private readonly options: ReplayOptions;
  private readonly inside: string;
  private readonly outside: string;
  private readonly clients: NonNullable<ReturnType<typeof parsePrefix>>;
  private readonly router: number;
  private readonly isFast: boolean;
  private readonly absent: ReadonlySet<number>;
  private readonly flows = new Map<string, FlowReport>();
  private readonly fragments = new Map<string, { flow: FlowReport; client: Endpoint }>();
  private readonly translations = new Map<string, Endpoint>();
  /** By client address: the external address, for fragments without ports. */
  private readonly external = new Map<number, number>();
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
  private changedTranslations = 0;
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
    this.harness = new Harness(nf, {
      ...options,
      ports: options.ports ?? [inside, outside],
      clock: this.isFast ? 'machine' : 'virtual',
      absent: [...this.absent].map(formatIpv4),
    });
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
      if (frame && !isArp(frame)) this.replay(frame.slice());
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
      flowReports: [...this.flows.values()],
      outputs: this.outputs,
      unexpected: this.unexpected,
      unexpectedCount: this.unexpectedCount,
      malformed: this.malformed,
      own: this.own,
      unaddressed: this.unaddressed,
      changedTranslations: this.changedTranslations,
      ipv6: this.ipv6,
      latency: this.harness.lane.latency(),
    };
  }

  private progress(): ReplayProgress {
    let missing = 0;
    for (const flow of this.flows.values()) missing += flow.outward.missing + flow.inward.missing;
    return {
      frames: this.frames,
      totalFrames: this.capture.count,
      flows: this.flows.size,
      translations: this.translations.size,
      missing,
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
    return Number.parseInt(this.harness.macOf(port).replaceAll(':', ''), 16);
  }

  private fromClient(frame: Uint8Array, packet: Ipv4Packet): void {
    const { view } = packet;
    const isUnicast = (frame[0] as number) % 2 === 0;
    const { flow, client } = this.flowOf(packet, 'source');
    const isForServer =
      isUnicast &&
      packet.destination !== this.router &&
      !contains(this.clients, packet.destination);
    if (isForServer) {
      this.routerMac ??= ethernet.destination(view, 0);
      const mustArrive =
        ipv4.timeToLive(view, packet.at) > 1 && !this.absent.has(packet.destination);
      this.expect(this.leaving, packet.key('source'), { flow, client, mustArrive });
      flow.outward.sent++;
      if (mustArrive) flow.outward.missing++;
    }
    if (isUnicast) ethernet.setDestination(view, 0, this.macOf(this.inside));
    ethernet.setSource(view, 0, hostMac(packet.source));
    this.push(this.inside, frame);
  }

  private fromServer(frame: Uint8Array, packet: Ipv4Packet): void {
    const { flow, client } = this.flowOf(packet, 'destination');
    const translation = this.translationOf(packet.protocol, client, flow.protocol);
    if (!translation) {
      this.unaddressed++;
      return;
    }
    this.expect(this.arriving, packet.key(undefined), { flow, mustArrive: true });
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

  /** The flow of a packet, and its client; a later fragment has those of its first. */
  private flowOf(
    packet: Ipv4Packet,
    side: 'source' | 'destination',
  ): { flow: FlowReport; client: Endpoint } {
    const { view, at } = packet;
    const datagram = `${packet.source} ${packet.destination} ${packet.protocol} ${ipv4.identification(view, at)}`;
    const first = packet.isLaterFragment ? this.fragments.get(datagram) : undefined;
    if (first) return first;
    const client = packet.endpoint(side);
    const server = packet.endpoint(side === 'source' ? 'destination' : 'source');
    const protocol = (packet.quoted ?? packet).protocol;
    const isQuery = protocol === PROTOCOL.icmp;
    const name = `${protocol} ${format(client)} ${format(isQuery ? { ...server, port: undefined } : server)}`;
    let flow = this.flows.get(name);
    if (!flow) {
      flow = {
        protocol,
        client: format(client),
        server: format(isQuery ? { ...server, port: undefined } : server),
        translation: undefined,
        outward: { sent: 0, received: 0, missing: 0 },
        inward: { sent: 0, received: 0, missing: 0 },
      };
      this.flows.set(name, flow);
    }
    const found = { flow, client };
    if (ipv4.moreFragments(view, at) && !packet.isLaterFragment)
      this.fragments.set(datagram, found);
    return found;
  }

  /** The client's endpoint as seen outside, waited for a little. */
  private translationOf(outer: number, client: Endpoint, protocol: number): Endpoint | undefined {
    if (client.port === undefined) {
      const address = this.external.get(client.address);
      return address === undefined ? undefined : { address, port: undefined };
    }
    const name = `${outer === PROTOCOL.icmp ? protocol : outer} ${format(client)}`;
    if (this.translations.has(name)) return this.translations.get(name);
    this.flush();
    const until = this.harness.nowNanoseconds + translationWaitMilliseconds * 1e6;
    while (
      !this.translations.has(name) &&
      this.harness.nowNanoseconds < until &&
      !this.harness.isIdle
    ) {
      if (this.isFast) this.harness.run();
      else this.harness.advance(1);
      this.recogniseOutputs();
    }
    return this.translations.get(name);
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
    const { flow, client } = expected;
    flow.outward.received++;
    if (expected.mustArrive) flow.outward.missing--;
    const seen = packet.endpoint('source');
    if (client === undefined) return true;
    this.external.set(client.address, seen.address);
    if (seen.port === undefined || packet.quoted) return true;
    const name = `${flow.protocol} ${format(client)}`;
    const known = this.translations.get(name);
    if (known && (known.address !== seen.address || known.port !== seen.port))
      this.changedTranslations++;
    this.translations.set(name, seen);
    flow.translation = format(seen);
    return true;
  }

  private hasArrived(packet: Ipv4Packet): boolean {
    const expected = this.arriving.get(packet.key(undefined))?.shift();
    if (!expected) return false;
    expected.flow.inward.received++;
    expected.flow.inward.missing--;
    return true;
  }
}

function format({ address, port }: Endpoint): string {
  return port === undefined ? formatIpv4(address) : `${formatIpv4(address)}:${port}`;
}
