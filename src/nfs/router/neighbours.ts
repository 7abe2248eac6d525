/**
 * ARP (RFC 826, RFC 1122 2.3.2): answers for the router's own addresses, learns its neighbours, and
 * asks for those that packets need, holding the packets meanwhile.
 *
 * Learned is what answers a question of ours or was sent to us; another station's chatter only updates
 * an entry that is there. An entry in use is asked for again every 30 seconds, and given up when three
 * questions go unanswered (RFC 1122 2.3.2.1), so that a neighbour that has moved is noticed.
 */

import { configuredNeighbour } from '../../operators/route.ts';
import { authorPacket } from '../../state/author-packet.ts';
import { localSessionOf } from '../../state/sessions.ts';
import type { TableSession } from '../../state/store.ts';
import type { Table } from '../../state/table.ts';
import { Hold } from '../../streams/hold.ts';
import type { Lane } from '../../streams/lane.ts';
import { type BatchOperator, synchronousOperator } from '../../streams/operator.ts';
import type { Packet } from '../../streams/packet.ts';
import { trait, where } from '../../streams/traits.ts';
import { drop, type Verdict } from '../../streams/verdict.ts';
import { arp, ethernet, isMalformed } from '../../wire/index.ts';
import { addressTowards, answersFor, contains, type RouterInterface } from './address-book.ts';

const arpRows = where({ all: [trait.arp] });
const consumed = drop('arp');
const malformed = drop('bad-arp');

const retryMilliseconds = 1000;
const maxTries = 3;
const refreshMilliseconds = 30_000;
/** Packets of 64 neighbours at once; three seconds of patience, as long as the questions go on. */
const holdLimits = {
  capacity: 512,
  perKey: 8,
  milliseconds: retryMilliseconds * maxTries,
  expired: 'unresolved',
  full: 'unresolved-full',
};

interface Question {
  readonly port: number;
  readonly address: number;
  tries: number;
}

export class Neighbours {
  private readonly lane: Lane;
  private readonly interfaces: readonly RouterInterface[];
  private readonly table: Table;
  private readonly session: TableSession;
  private readonly hold: Hold;
  /** By `port/address`: asked and not yet answered. Bounded by the packets held and the table. */
  private readonly questions = new Map<string, Question>();
  private readonly known = new Map<string, { port: number; address: number }>();

  constructor(lane: Lane, table: Table, interfaces: readonly RouterInterface[]) {
    this.lane = lane;
    this.table = table;
    this.interfaces = interfaces;
    this.session = localSessionOf(lane);
    this.hold = new Hold(lane, holdLimits);
    lane.every(retryMilliseconds, () => this.repeat());
    lane.every(refreshMilliseconds, () => this.refresh());
  }

  /** Takes every ARP packet out of the stream. */
  answer<F>(): BatchOperator<F> {
    return synchronousOperator('answerArp', (lane) => {
      const { packet } = authorPacket(lane);
      return (batch) => {
        if (!batch.mayMatch(arpRows)) return;
        const { count } = batch;
        for (let row = 0; row < count; row++) {
          if (batch.verdict[row] !== 0 || ((batch.traits[row] as number) & trait.arp) === 0)
            continue;
          packet.move(batch, row);
          batch.verdict[row] = this.receive(packet);
        }
      };
    });
  }

  /** An entry that is configured: it neither expires nor is asked for. */
  configure(port: number, address: number, mac: number): void {
    const face = this.interfaces[port] as RouterInterface;
    this.session.put(
      this.table,
      neighbourKey(port, address),
      linkRecord(face, mac),
      configuredNeighbour,
    );
  }

  private receive(packet: Packet): Verdict {
    const bytes = packet.bytes(packet.l3);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (isMalformed(arp.check(view, 0, bytes.length))) return malformed;
    const face = this.interfaces[packet.ingress] as RouterInterface;
    const sender = arp.senderAddress(view, 0);
    const mac = arp.senderMac(view, 0);
    const target = arp.targetAddress(view, 0);
    const forUs = answersFor(face, target);
    const reachable = face.prefixes.some((prefix) => contains(prefix, sender));
    if (reachable && !answersFor(face, sender) && (mac & 0x0100_0000_0000) === 0) {
      const key = keyOf(face.number, sender);
      if (forUs || this.questions.has(key) || this.known.has(key)) this.learn(face, sender, mac);
    }
    if (forUs && arp.operation(view, 0) === arp.OPERATION.request) {
      packet.originate(face.number, arpFrame(face, arp.OPERATION.reply, mac, target, sender));
    }
    return consumed;
  }

  private learn(face: RouterInterface, address: number, mac: number): void {
    const name = keyOf(face.number, address);
    if (!this.known.has(name) && this.known.size >= this.table.capacity) return;
    if (!this.session.put(this.table, neighbourKey(face.number, address), linkRecord(face, mac), 0))
      return;
    this.known.set(name, { port: face.number, address });
    this.questions.delete(name);
    this.hold.release(name);
  }

  /** A packet whose next hop is not known: held while we ask. */
  unresolved(packet: Packet, address: number): Verdict {
    const port = packet.batch.egress[packet.row] as number;
    const name = keyOf(port, address);
    const verdict = this.hold.take(packet, name);
    if (!this.questions.has(name) && this.questions.size < holdLimits.capacity) {
      const question = { port, address, tries: 1 };
      this.questions.set(name, question);
      const frame = this.question(question);
      if (frame) packet.originate(port, frame);
    }
    return verdict;
  }

  /** Largest IP packet on the link that a packet was routed to. */
  mtu(packet: Packet): number {
    return this.lane.ports[packet.batch.egress[packet.row] as number]?.mtu ?? 1500;
  }

  private question({ port, address }: Question): Uint8Array | undefined {
    const face = this.interfaces[port] as RouterInterface;
    const own = addressTowards(face, address);
    return own === undefined ? undefined : arpFrame(face, arp.OPERATION.request, 0, own, address);
  }

  private repeat(): void {
    for (const [name, question] of this.questions) {
      if (question.tries >= maxTries) {
        this.questions.delete(name);
        if (this.known.delete(name))
          this.session.remove(this.table, neighbourKey(question.port, question.address));
        continue;
      }
      question.tries++;
      const frame = this.question(question);
      if (frame) this.lane.transmit(question.port, frame);
    }
  }

  /** Asks again for every entry that packets still use; forgets those that have expired. */
  private refresh(): void {
    for (const [name, { port, address }] of this.known) {
      if (!this.session.read(this.table, neighbourKey(port, address))) {
        this.known.delete(name);
      } else if (!this.questions.has(name)) {
        this.questions.set(name, { port, address, tries: 0 });
      }
    }
  }
}

function linkRecord(face: RouterInterface, mac: number): Uint8Array {
  const record = new Uint8Array(16);
  const view = new DataView(record.buffer);
  ethernet.setDestination(view, 0, mac);
  ethernet.setSource(view, 0, face.mac);
  return record;
}

function keyOf(port: number, address: number): string {
  return `${port}/${address}`;
}

/** As native/kernels/route.cc makes it: the address as on the wire, then the port. */
export function neighbourKey(port: number, address: number): Uint8Array {
  const key = new Uint8Array(16);
  const view = new DataView(key.buffer);
  view.setUint32(0, address);
  view.setUint32(4, port, true);
  return key;
}

function arpFrame(
  face: RouterInterface,
  operation: number,
  targetMac: number,
  senderAddress: number,
  targetAddress: number,
): Uint8Array {
  const frame = new Uint8Array(60);
  const view = new DataView(frame.buffer);
  ethernet.write(view, 0, {
    destination: operation === arp.OPERATION.request ? ethernet.BROADCAST : targetMac,
    source: face.mac,
    type: ethernet.TYPE.arp,
  });
  arp.write(view, ethernet.HEADER_LENGTH, {
    operation,
    senderMac: face.mac,
    senderAddress,
    targetMac,
    targetAddress,
  });
  return frame;
}
