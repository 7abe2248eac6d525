/** Who speaks to whom in a replay, and under which external endpoint servers see each client. */
import { formatIpv4 } from '../wire/address.ts';
import { PROTOCOL } from '../wire/ip-protocol.ts';
import * as ipv4 from '../wire/ipv4.ts';
import type { Endpoint, Ipv4Packet, Side } from './client-endpoint.ts';

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

/** A flow, and its client's endpoint as recorded. */
export interface FlowMember {
  readonly flow: FlowReport;
  readonly client: Endpoint;
}

export class ReplayFlows {
  private readonly flows = new Map<string, FlowReport>();
  /** By datagram: the flow of its first fragment, for the later ones. */
  private readonly datagrams = new Map<string, FlowMember>();
  private readonly translations = new Map<string, Endpoint>();
  /** By client address: the external address, for fragments without ports. */
  private readonly external = new Map<number, number>();
  /** Endpoints that left under another translation than before. */
  changed = 0;

  get size(): number {
    return this.flows.size;
  }
  get translationCount(): number {
    return this.translations.size;
  }
  get reports(): readonly FlowReport[] {
    return [...this.flows.values()];
  }
  get missing(): number {
    let missing = 0;
    for (const { outward, inward } of this.flows.values()) {
      missing += outward.missing + inward.missing;
    }
    return missing;
  }

  /** The flow of a packet whose client is on `side`. */
  find(packet: Ipv4Packet, side: Side): FlowMember {
    const { view, at } = packet;
    const datagram = `${packet.source} ${packet.destination} ${packet.protocol} ${ipv4.identification(view, at)}`;
    const first = packet.isLaterFragment ? this.datagrams.get(datagram) : undefined;
    if (first) return first;
    const client = packet.endpoint(side);
    const found = { flow: this.flowOf(packet, side, client), client };
    if (ipv4.moreFragments(view, at) && !packet.isLaterFragment)
      this.datagrams.set(datagram, found);
    return found;
  }

  private flowOf(packet: Ipv4Packet, side: Side, client: Endpoint): FlowReport {
    const protocol = (packet.quoted ?? packet).protocol;
    const far = packet.endpoint(side === 'source' ? 'destination' : 'source');
    // A query's identifier is the client's alone.
    const server = protocol === PROTOCOL.icmp ? { ...far, port: undefined } : far;
    const name = `${protocol} ${format(client)} ${format(server)}`;
    let flow = this.flows.get(name);
    if (!flow) {
      flow = {
        protocol,
        client: format(client),
        server: format(server),
        translation: undefined,
        outward: { sent: 0, received: 0, missing: 0 },
        inward: { sent: 0, received: 0, missing: 0 },
      };
      this.flows.set(name, flow);
    }
    return flow;
  }

  /** A client's packet has left from `seen`; `isError`: as an ICMP error about the flow. */
  learn({ flow, client }: FlowMember, seen: Endpoint, isError: boolean): void {
    this.external.set(client.address, seen.address);
    if (seen.port === undefined || isError) return;
    const name = `${flow.protocol} ${format(client)}`;
    const known = this.translations.get(name);
    if (known && (known.address !== seen.address || known.port !== seen.port)) this.changed++;
    this.translations.set(name, seen);
    flow.translation = format(seen);
  }

  /** What servers address a client by, or undefined while nothing of it has left. */
  translation({ flow, client }: FlowMember): Endpoint | undefined {
    if (client.port !== undefined)
      return this.translations.get(`${flow.protocol} ${format(client)}`);
    const address = this.external.get(client.address);
    return address === undefined ? undefined : { address, port: undefined };
  }
}

function format({ address, port }: Endpoint): string {
  return port === undefined ? formatIpv4(address) : `${formatIpv4(address)}:${port}`;
}
