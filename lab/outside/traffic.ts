/**
 * Clients and servers on the wire, with a NAT between them that has a virtual function on each side:
 * each flow goes from round to round as its packets arrive, and each packet is looked at. What got
 * lost is sent again, so that what is slow is not taken for broken.
 */
import { hostMac, Links } from '../../src/testing/links.ts';
import { formatMac, ip } from '../../src/wire/address.ts';
import * as arp from '../../src/wire/arp.ts';
import { compose, dissect, type Frame } from '../../src/wire/frame.ts';
import * as icmp from '../../src/wire/icmp.ts';
import { isMalformed } from '../../src/wire/malformed.ts';
import { Flow, type Protocol } from './flow.ts';
import type { Wire } from './wire.ts';

/** Where a NAT is: the Ethernet addresses of its virtual functions. */
export interface Way {
  readonly inside: number;
  readonly outside: number;
}

export interface Counts {
  requestsSent: number;
  requestsArrived: number;
  repliesSent: number;
  repliesArrived: number;
  /** Packets that had to be sent again. */
  again: number;
  /** Sent to be dropped: to ports that no flow has, and with no time left to live. */
  strays: number;
  expired: number;
  /** ICMP's word of the latter. */
  errors: number;
}

interface Running {
  readonly flow: Flow;
  /** In which it waits for an answer. */
  round: number;
  /** When its packet is taken for lost, or its next round begins. */
  due: number;
  waits: boolean;
  lastDone: number;
  longestSilence: number;
}

const gateway = ip('10.99.0.1');
const external = ip('198.18.0.1');
const router = ip('198.18.0.10');
const firstClient = ip('10.99.0.100');
const firstServer = ip('203.0.113.1');
const protocols: readonly Protocol[] = ['udp', 'tcp', 'icmp'];

/** The guest may stand still for hundreds of milliseconds; a packet that took longer was lost. */
const patienceMilliseconds = 1000;
const tickMilliseconds = 10;

export class Traffic {
  readonly counts: Counts = {
    ...{ requestsSent: 0, requestsArrived: 0, repliesSent: 0, repliesArrived: 0 },
    ...{ again: 0, strays: 0, expired: 0, errors: 0 },
  };
  /** What was wrong with frames. */
  readonly faults: string[] = [];
  private way: Way;
  private readonly wire: Wire;
  private readonly pause: number;
  private readonly flows: readonly Running[];
  private readonly links: Links;
  private readonly timer: NodeJS.Timeout;
  private answered = new Set<number>();
  private rounds = 0;

  /** @param pauseMilliseconds between the rounds of a flow */
  constructor(wire: Wire, way: Way, flows: number, pauseMilliseconds: number) {
    this.wire = wire;
    this.way = way;
    this.pause = pauseMilliseconds;
    this.flows = Array.from({ length: flows }, (_, number) => {
      const protocol = protocols[number % protocols.length] ?? 'udp';
      const ends = { client: firstClient + number, server: firstServer + number };
      const flow = new Flow({ number, protocol, pool: [external], ...ends });
      return { flow, round: -1, due: 0, waits: false, lastDone: 0, longestSilence: 0 };
    });
    const networks = ['10.99.0.0/24', '198.18.0.10/32'];
    this.links = new Links([{ name: 'wire', networks }], ['10.99.0.1']);
    wire.onFrame = (bytes) => this.take(bytes);
    this.timer = setInterval(() => this.tick(Date.now()), tickMilliseconds);
  }

  /** Rounds that each flow has done, at the least. */
  get done(): number {
    return Math.min(...this.flows.map(({ round, waits }) => (waits ? round : round + 1)));
  }

  /** Of any flow, from its first round on. */
  get longestSilenceMilliseconds(): number {
    return Math.max(...this.flows.map((each) => each.longestSilence));
  }

  /** Every packet that was sent and not to be dropped has arrived. */
  get complete(): boolean {
    const { requestsSent, requestsArrived, repliesSent, repliesArrived } = this.counts;
    const { expired, errors } = this.counts;
    return requestsSent === requestsArrived && repliesSent === repliesArrived && expired === errors;
  }

  /** The binding of each flow that has one, in words. */
  get bindings(): string[] {
    return this.flows.flatMap(({ flow }) => flow.bindingText ?? []);
  }

  get allFaults(): string[] {
    return [...this.faults, ...this.flows.flatMap(({ flow }) => flow.faults)];
  }

  /** Has every flow do as many rounds in all, or, by default, go on. */
  run(rounds = Number.POSITIVE_INFINITY): void {
    this.rounds = rounds;
  }

  /** Sends what follows through another NAT. */
  turn(way: Way): void {
    this.way = way;
  }

  /** Asks both sides of the NAT who has their addresses (RFC 826): true once both have answered for themselves. */
  isThere(): boolean {
    const { inside, outside } = this.way;
    if (this.answered.has(inside) && this.answered.has(outside)) return true;
    this.ask(firstClient, gateway, inside);
    this.ask(router, external, outside);
    return false;
  }

  /** Packets that the NAT is to drop. */
  stray(count: number): void {
    const { inside, outside } = this.way;
    for (let i = 0; i < count; i++) {
      const udp = { source: 7, destination: 60_000 + i };
      const ends = { source: firstServer, destination: external };
      this.wire.send(
        compose({ ethernet: { source: hostMac(router), destination: outside }, ipv4: ends, udp }),
      );
      const ipv4 = { source: firstClient, destination: firstServer, timeToLive: 1 };
      this.wire.send(
        compose({ ethernet: { source: hostMac(firstClient), destination: inside }, ipv4, udp }),
      );
    }
    this.counts.strays += count;
    this.counts.expired += count;
  }

  stop(): void {
    clearInterval(this.timer);
    this.wire.onFrame = () => undefined;
  }

  private ask(from: number, about: number, destination: number): void {
    const senderMac = hostMac(from);
    const question = { senderMac, senderAddress: from, targetAddress: about };
    this.wire.send(
      compose({
        ethernet: { source: senderMac, destination },
        arp: { operation: arp.OPERATION.request, ...question },
      }),
    );
  }

  private tick(now: number): void {
    for (const each of this.flows) {
      if (now < each.due) continue;
      if (each.waits) this.counts.again++;
      else if (each.round + 1 >= this.rounds) continue;
      else each.round++;
      each.waits = true;
      each.due = now + patienceMilliseconds;
      this.counts.requestsSent++;
      const source = hostMac(each.flow.options.client);
      this.wire.send(each.flow.request(each.round, { source, destination: this.way.inside }));
    }
  }

  private take(bytes: Uint8Array): void {
    const answer = this.links.answer(0, bytes);
    if (answer) this.wire.send(answer);
    const frame = dissect(bytes, { verify: true });
    if (isMalformed(frame)) this.faults.push(`a frame of the NAT's is malformed: ${frame}`);
    else if (frame.arp?.operation === arp.OPERATION.reply) this.answered.add(this.answerer(frame));
    else if (frame.ipv4) this.takePacket(frame);
  }

  /** Who an ARP reply says has the address: the way it came. */
  private answerer({ ethernet, arp: reply }: Frame): number {
    const { inside, outside } = this.way;
    const said = reply?.senderMac ?? 0;
    if (said !== ethernet.source || (said !== inside && said !== outside)) {
      this.faults.push(`ARP: ${formatMac(ethernet.source)} says that ${formatMac(said)} has it`);
    }
    return said;
  }

  private takePacket(frame: Frame): void {
    const { ipv4, ethernet } = frame;
    if (frame.icmp?.type === icmp.TYPE.timeExceeded) {
      this.counts.errors++;
      return;
    }
    const toServer = ethernet.destination === hostMac(router);
    const number = (toServer ? ipv4?.destination : ipv4?.source) ?? 0;
    const each = this.flows[number - firstServer];
    if (each === undefined) {
      this.faults.push(`a packet of nobody's, to ${formatMac(ethernet.destination)}`);
    } else if (toServer) this.atServer(each, frame);
    else this.atClient(each, frame);
  }

  private atServer({ flow }: Running, frame: Frame): void {
    this.counts.requestsArrived++;
    const round = flow.arrivedAtServer(frame);
    if (round === undefined) return;
    this.counts.repliesSent++;
    const hop = { source: hostMac(router), destination: this.way.outside };
    this.wire.send(flow.reply(round, hop));
  }

  private atClient(each: Running, frame: Frame): void {
    this.counts.repliesArrived++;
    const round = each.flow.arrivedAtClient(frame);
    if (frame.ethernet.destination !== hostMac(each.flow.options.client)) {
      each.flow.fault(`came to ${formatMac(frame.ethernet.destination)}`);
    }
    if (round !== each.round || !each.waits) return; // of one that was sent again
    const now = Date.now();
    if (each.lastDone > 0) each.longestSilence = Math.max(each.longestSilence, now - each.lastDone);
    each.lastDone = now;
    each.waits = false;
    each.due = now + this.pause;
  }
}
