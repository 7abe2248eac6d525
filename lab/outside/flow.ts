/**
 * One flow between a client behind the NAT and a server before it, as both see it: what they send, and
 * whether what arrives is what the other sent, translated. Round 0 of TCP opens the connection.
 */
import { formatIpv4 } from '../../src/wire/address.ts';
import { compose, type Description, type Packet } from '../../src/wire/frame.ts';
import * as icmp from '../../src/wire/icmp.ts';
import * as tcp from '../../src/wire/tcp.ts';

export type Protocol = 'udp' | 'tcp' | 'icmp';

export interface FlowOptions {
  readonly number: number;
  readonly protocol: Protocol;
  readonly client: number;
  readonly server: number;
  /** The NAT's external addresses. */
  readonly pool: readonly number[];
}

/** The Ethernet addresses of one hop. */
export interface Hop {
  readonly source: number;
  readonly destination: number;
}

const timeToLive = 64;
const serverPort = 7;
const shortest = 12;
const steps = 90; // payloads of 12, 102, ... 912 bytes, by round

export class Flow {
  readonly options: FlowOptions;
  /** As the server sees the client: address and port, or identifier. */
  binding: { readonly address: number; readonly port: number } | undefined;
  /** What was wrong with packets that arrived, in words. */
  readonly faults: string[] = [];
  private readonly clientPort: number;

  constructor(options: FlowOptions) {
    this.options = options;
    this.clientPort = 20_000 + options.number;
  }

  get name(): string {
    const { protocol, client, server } = this.options;
    return `${protocol} ${formatIpv4(client)}:${this.clientPort} to ${formatIpv4(server)}`;
  }

  /** What it is translated to, once known. */
  get bindingText(): string | undefined {
    const { name, binding } = this;
    return binding && `${name} as ${formatIpv4(binding.address)}:${binding.port}`;
  }

  /** What the client sends in a round. */
  request(round: number, hop: Hop): Uint8Array {
    const { client, server } = this.options;
    const ends = { source: this.clientPort, destination: serverPort };
    const ipv4 = { source: client, destination: server, timeToLive };
    return compose({ ethernet: hop, ipv4, ...this.transport(round, ends, icmp.TYPE.echo) });
  }

  /** What the server answers, to whom it saw. */
  reply(round: number, hop: Hop): Uint8Array {
    const { address, port } = this.binding ?? { address: 0, port: 0 };
    const ends = { source: serverPort, destination: port };
    const ipv4 = { source: this.options.server, destination: address, timeToLive };
    return compose({ ethernet: hop, ipv4, ...this.transport(round, ends, icmp.TYPE.echoReply) });
  }

  /** The round of a request as it reached the server; undefined, and a fault, where it is not as it should be. */
  arrivedAtServer(packet: Packet): number | undefined {
    const address = packet.ipv4?.source ?? 0;
    const port = this.ends(packet)?.[0] ?? 0;
    if (!this.options.pool.includes(address)) {
      return this.fault(`came from ${formatIpv4(address)}, which is not of the pool`);
    }
    if (this.binding && (this.binding.address !== address || this.binding.port !== port)) {
      const { binding } = this;
      this.fault(
        `was ${formatIpv4(binding.address)}:${binding.port}, is ${formatIpv4(address)}:${port}`,
      );
    }
    this.binding = { address, port };
    return this.roundOf(packet, icmp.TYPE.echo);
  }

  /** The round of a reply as it reached the client. */
  arrivedAtClient(packet: Packet): number | undefined {
    const port = this.ends(packet)?.[1];
    if (packet.ipv4?.destination !== this.options.client || port !== this.clientPort) {
      return this.fault(`came back to ${formatIpv4(packet.ipv4?.destination ?? 0)}:${port}`);
    }
    return this.roundOf(packet, icmp.TYPE.echoReply);
  }

  fault(what: string): undefined {
    this.faults.push(`${this.name}: ${what}`);
  }

  /** Source and destination; of ICMP, the identifier stands for both. */
  private ends({ udp, tcp: segment, icmp: query }: Packet): readonly [number, number] | undefined {
    const ports = udp ?? segment;
    if (ports) return [ports.source, ports.destination];
    return query && [query.identifier ?? 0, query.identifier ?? 0];
  }

  private transport(
    round: number,
    ends: { readonly source: number; readonly destination: number },
    type: number,
  ): Pick<Description, 'udp' | 'tcp' | 'icmp' | 'payload'> {
    const payload = this.payload(round, type);
    const { protocol } = this.options;
    if (protocol === 'udp') return { udp: ends, payload };
    if (protocol === 'tcp') return { tcp: this.segment(round, ends, type), payload };
    const identifier = type === icmp.TYPE.echoReply ? ends.destination : ends.source;
    return { icmp: { type, identifier, sequence: round & 0xffff }, payload };
  }

  /** Both sides begin at 1 after their SYN and send as much in each round. */
  private segment(round: number, ends: { source: number; destination: number }, type: number) {
    const answers = type === icmp.TYPE.echoReply;
    const { syn, ack, psh } = tcp.FLAG;
    const sent = 1 + this.sentBefore(round);
    const got = answers ? 1 + this.sentBefore(round + 1) : sent;
    if (round === 0) {
      const flags = answers ? syn | ack : syn;
      return { ...ends, sequence: 0, acknowledgement: answers ? 1 : 0, flags, window: 65_535 };
    }
    return { ...ends, sequence: sent, acknowledgement: got, flags: ack | psh, window: 65_535 };
  }

  private sentBefore(round: number): number {
    let sum = 0;
    for (let each = 1; each < round; each++) sum += length(each);
    return sum;
  }

  /** Says of which flow, round and direction it is; the rest is a pattern. None in a TCP handshake. */
  private payload(round: number, type: number): Uint8Array {
    const { number, protocol } = this.options;
    if (protocol === 'tcp' && round === 0) return new Uint8Array();
    const bytes = new Uint8Array(length(round)).map((_, i) => i * 7 + round);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, number);
    view.setUint32(4, round);
    view.setUint32(8, type);
    return bytes;
  }

  private roundOf(packet: Packet, type: number): number | undefined {
    const { payload, ipv4 } = packet;
    const opening = packet.tcp !== undefined && ((packet.tcp.flags ?? 0) & tcp.FLAG.syn) !== 0;
    if (!opening && payload.length < shortest) return this.fault('lost its payload');
    const window = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    const round = opening ? 0 : window.getUint32(4);
    const sent = this.payload(round, type);
    if (Buffer.compare(payload, sent) !== 0) return this.fault(`round ${round} was altered`);
    if (ipv4?.timeToLive !== timeToLive - 1) {
      this.fault(`round ${round} came with a time to live of ${ipv4?.timeToLive}`);
    }
    return round;
  }
}

function length(round: number): number {
  return shortest + (round % 11) * steps;
}
