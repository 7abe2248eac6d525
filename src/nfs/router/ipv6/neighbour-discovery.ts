/**
 * Neighbour Discovery (RFC 4861): answers for the router's own addresses, learns from what is said to
 * it, and asks for the next hops that packets need, holding the packets meanwhile.
 *
 * Learned is the sender of a question about us, and the answer to a question of ours; other chatter
 * only updates an entry that is there. Three questions a second apart, then the packets are dropped
 * (RFC 4861 7.2.2: MAX_MULTICAST_SOLICIT, RETRANS_TIMER).
 */
import { Hold } from '../../../streams/hold.ts';
import type { Lane } from '../../../streams/lane.ts';
import type { Packet } from '../../../streams/packet.ts';
import { drop, type Verdict } from '../../../streams/verdict.ts';
import { address as addresses, icmpv6, viewOf } from '../../../wire/index.ts';
import { isUnspecified } from './addresses.ts';
import type { Interface6, Interfaces6 } from './interfaces.ts';
import { type Neighbour6, NeighbourCache, neighbourName } from './neighbour-cache.ts';
import {
  advertisement,
  type NeighbourMessage,
  readNeighbourMessage,
  solicitation,
} from './neighbour-messages.ts';

const consumed = drop('ipv6-neighbour');
const malformed = drop('bad-ipv6-neighbour');

const retryMilliseconds = 1000;
const maxTries = 3;
/** Packets of 64 neighbours at once; three seconds of patience, as long as the questions go on. */
const holdLimits = {
  capacity: 512,
  perKey: 8,
  milliseconds: retryMilliseconds * maxTries,
  expired: 'ipv6-unresolved',
  full: 'ipv6-unresolved-full',
};

interface Question {
  readonly port: number;
  readonly address: Uint8Array;
  tries: number;
}

export class NeighbourDiscovery {
  private readonly lane: Lane;
  private readonly interfaces: Interfaces6;
  private readonly cache = new NeighbourCache();
  private readonly hold: Hold;
  /** Asked and not yet answered. Bounded by the packets held and the cache. */
  private readonly questions = new Map<string, Question>();

  constructor(lane: Lane, interfaces: Interfaces6) {
    this.lane = lane;
    this.interfaces = interfaces;
    this.hold = new Hold(lane, holdLimits);
    lane.every(retryMilliseconds, (now) => this.ask(now));
  }

  /** The link address of a next hop that a packet is about to be sent to. */
  resolve(port: number, address: Uint8Array): Neighbour6 | undefined {
    return this.cache.use(port, address, this.lane.nowMilliseconds);
  }

  /** A packet whose next hop is not known: held while we ask. */
  unresolved(packet: Packet, port: number, address: Uint8Array): Verdict {
    const name = neighbourName(port, address);
    const verdict = this.hold.take(packet, name);
    if (!this.questions.has(name) && this.questions.size < holdLimits.capacity) {
      const question = { port, address: address.slice(), tries: 1 };
      this.questions.set(name, question);
      packet.originate(port, solicitation(this.interfaces.face(port), question.address));
    }
    return verdict;
  }

  /** A solicitation or an advertisement: taken out of the stream, and answered where it asks for us. */
  receive(packet: Packet): Verdict {
    const heard = readNeighbourMessage(packet);
    if (!heard) return malformed;
    const face = this.interfaces.face(packet.ingress);
    if (heard.type === icmpv6.TYPE.neighborSolicitation) this.solicited(packet, face, heard);
    else this.advertised(face, heard);
    return consumed;
  }

  private solicited(packet: Packet, face: Interface6, asked: NeighbourMessage): void {
    if (!this.interfaces.answersFor(face, asked.target)) return;
    if (asked.mac !== undefined && !isUnspecified(asked.source))
      this.learn(face, asked.source, asked.mac);
    const sender = addresses.readMac(viewOf(packet.bytes(6, 6)), 0);
    packet.originate(face.number, advertisement(face, asked, asked.mac ?? sender));
  }

  /** RFC 4861 7.2.5: nothing is made of an answer that nobody asked for. */
  private advertised(face: Interface6, told: NeighbourMessage): void {
    const known = this.cache.find(face.number, told.target);
    const wasAsked = this.questions.has(neighbourName(face.number, told.target));
    const mac = told.mac ?? known?.mac;
    if (mac === undefined || (!known && !wasAsked)) return;
    if (known && !told.override && mac !== known.mac) return;
    this.learn(face, told.target, mac);
  }

  private learn(face: Interface6, address: Uint8Array, mac: number): void {
    if (isGroup(mac) || this.interfaces.isOwn(face, address)) return;
    const name = neighbourName(face.number, address);
    const { nowMilliseconds } = this.lane;
    const wasAsked = this.questions.has(name);
    if (!this.cache.learn(face.number, address, mac, nowMilliseconds, wasAsked)) return;
    this.questions.delete(name);
    this.hold.release(name);
  }

  /** Once a second: asks again, gives up, and asks neighbours in use whether they are still there. */
  private ask(now: number): void {
    for (const { port, address } of this.cache.age(now)) {
      const name = neighbourName(port, address);
      if (!this.questions.has(name)) this.questions.set(name, { port, address, tries: 0 });
    }
    for (const [name, question] of this.questions) {
      const { port, address, tries } = question;
      if (tries >= maxTries) {
        this.questions.delete(name);
        this.cache.remove(port, address);
        continue;
      }
      question.tries++;
      const known = this.cache.find(port, address);
      this.lane.transmit(port, solicitation(this.interfaces.face(port), address, known?.mac));
    }
  }
}

function isGroup(mac: number): boolean {
  return (Math.floor(mac / 2 ** 40) & 1) === 1;
}
