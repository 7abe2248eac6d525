/**
 * What runs in a simulated instance: a function that counts each flow's packets in the store, and the
 * real NAT behind it.
 *
 * The first packet of a flow is marked by another destination port. Whoever loses the creation of the
 * flow's record is not the first, so its packet must leave unmarked.
 */
import {
  applyEdits,
  chain,
  type Lane,
  type Looked,
  lookupState,
  type NetworkFunction,
  nat,
  networkFunction,
  type Packet,
  parse,
  record,
  table,
  trait,
  transform,
  u32,
  where,
  writeState,
} from 'rxnf';
import { parseIpv4 } from '../../src/wire/address.ts';

export const firstMark = 9999;

export const flowRecord = record('flow', 1, { packets: u32, sum: u32, first: u32 });
export const flows = table('flow', flowRecord, { capacity: 1024 });

export const addresses = {
  inside: '10.0.0.1',
  outside: '203.0.113.1',
  gateway: '203.0.113.254',
  host: (n: number) => `10.0.0.${5 + n}`,
  remote: '198.51.100.7',
};
export const gatewayMac = 0x0200_0000_fe00;
export const hostMac = 0x0200_0000_0500;
const hosts = 8;

/** What the counting function asks and tells. */
export interface Counted {
  throwsOn(id: number): boolean;
  /** A packet's count is committed. */
  committed(id: number, count: number): void;
}

export interface FunctionOptions {
  readonly translation: 'kernels' | 'callback';
  /** Idle life of bindings. */
  readonly idleMilliseconds: number;
  readonly counted: Counted;
  /** A planted mistake: edits are applied before the write that they depend on has settled. */
  readonly editsFirst?: boolean;
}

/** Unlike for different packets, so that sums tell which were counted. */
export function tokenOf(id: number): number {
  const mixed = Math.imul(id ^ (id >>> 16) ^ 0x2545f491, 0x9e3779b1);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

/** The number in a packet's payload. */
function idOf(packet: Packet): number {
  return packet.u32(packet.l4 + (packet.has(trait.tcp) ? 20 : 8));
}

type FlowPacket = Packet & Looked<'flow', (typeof flowRecord)['fields']>;

function counting({ counted, editsFirst }: FunctionOptions): NetworkFunction {
  const count = (packet: FlowPacket): void => {
    const id = idOf(packet);
    if (packet.flow.found) {
      packet.flow.update();
    } else {
      packet.flow.create();
      packet.flow.first = id;
      packet.setDestination(packet.destination, firstMark);
    }
    packet.flow.packets++;
    packet.flow.sum = (packet.flow.sum + tokenOf(id)) >>> 0;
    if (counted.throwsOn(id)) throw new Error('a mistake of the author');
  };
  return networkFunction('counting', [flows], (lane: Lane) => {
    const inside = lane.marks.mark('inside');
    const rows = where({ all: [trait.hasFlow, inside] });
    return (packets) => {
      const decided = packets.pipe(
        parse({ ports: { inside: { marks: inside } } }),
        lookupState(flows, { key: 'five-tuple', where: rows }),
        transform([flows], count),
      );
      const written = (editsFirst ? decided.pipe(applyEdits()) : decided).pipe(writeState([flows]));
      return written.pipe(
        transform([flows], (packet) => counted.committed(idOf(packet), packet.flow.packets)),
        applyEdits(),
      );
    };
  });
}

function ip(text: string): number {
  return parseIpv4(text) as number;
}

const nats = new Map<string, NetworkFunction>();

/** Declarations hold nothing, so one serves every run. */
function natOf(translation: 'kernels' | 'callback', idleMilliseconds: number): NetworkFunction {
  const name = `${translation} ${idleMilliseconds}`;
  let made = nats.get(name);
  if (!made) {
    const seconds = idleMilliseconds / 1000;
    made = nat({
      inside: ['inside'],
      outside: 'outside',
      interfaces: {
        inside: [{ address: ip(addresses.inside), length: 24 }],
        outside: [{ address: ip(addresses.outside), length: 24 }],
      },
      pool: [ip(addresses.outside)],
      // Not a default route: filling a whole route table for each lane takes ten times the rest of a run.
      routes: [
        { address: ip('198.51.100.0'), length: 24, port: 'outside', via: ip(addresses.gateway) },
      ],
      neighbours: [
        { port: 'outside', address: ip(addresses.gateway), mac: gatewayMac },
        ...Array.from({ length: hosts }, (_, n) => ({
          port: 'inside',
          address: ip(addresses.host(n)),
          mac: hostMac + n,
        })),
      ],
      capacity: 512,
      ports: { first: 2000, last: 2127 },
      timeouts: { udp: seconds, tcpTransitory: seconds, tcpEstablished: seconds, icmp: seconds },
      shortTimeouts: true,
      translation,
    });
    nats.set(name, made);
  }
  return made;
}

export function simulatedFunction(options: FunctionOptions): NetworkFunction {
  return chain(counting(options), natOf(options.translation, options.idleMilliseconds));
}

/** A NAT's table by its name. */
export function natTable(name: string) {
  const found = natOf('kernels', 2000).tables.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`the NAT has no table ${name}`);
  return found;
}
