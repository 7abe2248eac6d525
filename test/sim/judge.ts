/**
 * Watches a simulation from outside: every packet that goes in and comes out, and what the store's nodes
 * hold at that moment. Throws a `Violation` at the first promise of the design that is broken.
 */
import type { Instance, PortName } from './instance.ts';
import { addresses, firstMark, flowRecord, flows, natTable, tokenOf } from './network-functions.ts';
import {
  addressOf,
  type Endpoint,
  endpointKey,
  inbound,
  outbound,
  readPacket,
  type Seen,
  timeToLive,
} from './packets.ts';
import type { Place } from './store-view.ts';
import { mayBeSumOf } from './subset-sum.ts';
import { Violation } from './violation.ts';
import type { World } from './world.ts';

/** A packet that was given to an instance. */
export interface Given {
  readonly id: number;
  readonly endpoint: Endpoint;
  readonly remotePort: number;
  /** The external port that an answer was sent to; undefined for what comes from inside. */
  readonly external: number | undefined;
  readonly time: number;
  readonly instance: Instance;
  readonly arrival: number;
  /** An answer whose binding is sure to live until it has been looked up. */
  readonly safe: boolean;
  readonly throws: boolean;
  emitted: boolean;
  /** What its flow's record counted with it, once that was committed. */
  count: number | undefined;
}

/** What is known of a binding from the packets that have left. */
interface Mapping {
  readonly external: number;
  /** It lives until then at least. */
  until: number;
}

const outsideAddress = addressOf(addresses.outside);
const remoteAddress = addressOf(addresses.remote);

export interface Watched {
  readonly world: World;
  /** Where the store's records are, the primary first. */
  places(): readonly Place[];
  /** For so long after each packet that left its endpoint keeps its external port. */
  readonly keptMilliseconds: number;
  /** An answer is looked up by then, whatever holds its instance up. */
  readonly slowestLookup: number;
  /** A lookup is answered once what it refreshes is refreshed: what was found does not end then. */
  readonly awaitsRefreshes: boolean;
}

export class Judge {
  private readonly watched: Watched;
  private readonly tell: (text: string) => void;
  private readonly given = new Map<number, Given>();
  private readonly mappings = new Map<string, Mapping>();
  /** By protocol and external port: the endpoint that was last seen behind it. */
  private readonly owners = new Map<string, { readonly endpoint: string; until: number }>();
  /** By instance and flow: the last packet of it that left. */
  private readonly lastOut = new Map<string, Given>();
  private readonly noBinding = new Map<Instance, number>();
  /** By key and external port: when bindings end, or have ended, as the store had it last. */
  private readonly ends = new Map<string, number>();
  private nextId = 1;
  readonly tally = { given: 0, left: 0, answers: 0 };

  constructor(watched: Watched, tell: (text: string) => void) {
    this.watched = watched;
    this.tell = tell;
  }

  private get now(): number {
    return this.watched.world.now;
  }

  /** Gives an inside host's packet to an instance. */
  sendOut(
    instance: Instance,
    endpoint: Endpoint,
    remotePort: number,
    flags: number,
    throws: boolean,
  ): void {
    const id = this.nextId++;
    const frame = outbound(id, endpoint, remotePort, flags);
    this.give(instance, 'inside', frame, { id, endpoint, remotePort, throws, external: undefined });
  }

  /** Gives the remote host's answer to an instance. */
  sendBack(instance: Instance, to: Given, external: number): void {
    const id = this.nextId++;
    const { endpoint, remotePort } = to;
    const frame = inbound(id, endpoint.protocol, remotePort, external);
    this.give(instance, 'outside', frame, { id, endpoint, remotePort, throws: false, external });
  }

  private give(
    instance: Instance,
    port: PortName,
    frame: Uint8Array,
    what: Pick<Given, 'id' | 'endpoint' | 'remotePort' | 'throws' | 'external'>,
  ): void {
    const mapping = this.mappings.get(nameOf(what.endpoint));
    const packet: Given = {
      ...what,
      time: this.now,
      instance,
      arrival: instance.arrivals,
      safe:
        mapping?.external === what.external &&
        this.now + this.watched.slowestLookup < (mapping?.until ?? 0),
      emitted: false,
      count: undefined,
    };
    if (!instance.receive(port, frame)) return; // the device counts what it misses
    this.given.set(what.id, packet);
    this.tally.given++;
    if (what.external !== undefined && !packet.safe)
      this.noBinding.set(instance, (this.noBinding.get(instance) ?? 0) + 1);
    this.tell(`${describe(packet)} given to instance ${instance.writer}`);
  }

  throwsOn(id: number): boolean {
    return this.given.get(id)?.throws ?? false;
  }

  /** The counting function's write for a packet has settled. */
  committed(id: number, count: number): void {
    const packet = this.given.get(id);
    if (!packet) return;
    if (packet.count !== undefined)
      throw new Violation(4, `${describe(packet)} was counted twice: ${packet.count}, ${count}`);
    packet.count = count;
  }

  /** A frame has left an instance. Returns the packet, with its external port, when it may be answered. */
  emitted(
    instance: Instance,
    frame: Uint8Array,
  ): { readonly packet: Given; readonly external: number } | undefined {
    const seen = readPacket(frame);
    const packet = seen && this.given.get(seen.id);
    if (!seen || !packet)
      throw new Violation(16, `instance ${instance.writer} sent what nobody gave it, or damaged`);
    if (packet.emitted) throw new Violation(5, `${describe(packet)} left twice`);
    packet.emitted = true;
    this.tally.left++;
    if (packet.external !== undefined) this.tally.answers++;
    this.tell(
      `${describe(packet)} leaves instance ${instance.writer}, external port ${
        packet.external ?? seen.sourcePort
      }`,
    );
    if (seen.timeToLive !== timeToLive - 1)
      throw new Violation(1, `${describe(packet)} left with a TTL of ${seen.timeToLive}`);
    if (packet.throws && packet.external === undefined)
      throw new Violation(1, `${describe(packet)} left though the author's function threw on it`);
    this.checkOrder(packet);
    if (packet.external !== undefined) {
      this.checkAnswer(packet, seen);
      return undefined;
    }
    const isEnding = this.isEnding(packet, seen.sourcePort);
    this.checkTranslation(packet, seen, isEnding);
    this.checkCommitted(packet, seen, isEnding);
    return { packet, external: seen.sourcePort };
  }

  private checkOrder(packet: Given): void {
    const { endpoint, external, instance, remotePort } = packet;
    const direction = external === undefined ? 'out' : 'in';
    const flow = `${instance.writer} ${nameOf(endpoint)} ${remotePort} ${direction}`;
    const last = this.lastOut.get(flow);
    if (last && last.arrival > packet.arrival)
      throw new Violation(8, `${describe(packet)} left after ${describe(last)}, given later`);
    this.lastOut.set(flow, packet);
  }

  private checkAnswer(packet: Given, seen: Seen): void {
    const { endpoint } = packet;
    const right =
      seen.destination === addressOf(addresses.host(endpoint.host)) &&
      seen.destinationPort === endpoint.port &&
      seen.protocol === endpoint.protocol;
    if (right || !packet.safe) return; // of an old binding: the port may be another's by now
    throw new Violation(12, `${describe(packet)} went to port ${seen.destinationPort} instead`);
  }

  /** The store has changed: see `isEnding`. */
  noteEnds(): void {
    if (this.watched.awaitsRefreshes) return;
    const [{ view }] = this.watched.places();
    for (const [key, { deadline, record }] of view.entries('binding'))
      this.ends.set(`${key} ${portOf('binding', record)}`, deadline);
  }

  /**
   * True where a packet has met its binding after its idle life, while it was there still, and the refresh that
   * this asked for has not come, or has come too late: nothing is promised of such a binding.
   */
  private isEnding(packet: Given, external: number): boolean {
    const { endpoint, time } = packet;
    const { awaitsRefreshes, keptMilliseconds } = this.watched;
    const mapping = this.mappings.get(nameOf(endpoint));
    if (awaitsRefreshes || (mapping?.external === external && mapping.until >= time)) return false;
    const end = this.ends.get(`${insideKey(endpoint)} ${external}`);
    return end !== undefined && end < this.now + keptMilliseconds;
  }

  private checkTranslation(packet: Given, seen: Seen, isEnding: boolean): void {
    const { endpoint } = packet;
    if (seen.source !== outsideAddress || seen.destination !== remoteAddress)
      throw new Violation(1, `${describe(packet)} left with addresses that are not right`);
    const external = seen.sourcePort;
    const name = nameOf(endpoint);
    const until = packet.time + this.watched.keptMilliseconds;
    const mapping = this.mappings.get(name);
    if (mapping && mapping.until > this.now && mapping.external !== external) {
      throw new Violation(
        11,
        `${describe(packet)} left from port ${external}; its endpoint had ${mapping.external}, which` +
          ` lives until ${mapping.until.toFixed(1)} ms at least`,
      );
    }
    const owner = this.owners.get(`${endpoint.protocol} ${external}`);
    if (owner && owner.endpoint !== name && owner.until > this.now) {
      throw new Violation(
        10,
        `${describe(packet)} left from port ${external}, which is ${owner.endpoint}'s until` +
          ` ${owner.until.toFixed(1)} ms at least`,
      );
    }
    if (isEnding) return;
    const later = (known: number | undefined) => Math.max(known ?? 0, until);
    this.mappings.set(name, {
      external,
      until: mapping?.external === external ? later(mapping.until) : until,
    });
    this.owners.set(`${endpoint.protocol} ${external}`, {
      endpoint: name,
      until: owner?.endpoint === name ? later(owner.until) : until,
    });
  }

  /** Output commit: what the packet depends on is on every node that may become primary. */
  private checkCommitted(packet: Given, seen: Seen, isEnding: boolean): void {
    for (const place of this.watched.places()) {
      if (!isEnding) this.checkBinding(place, packet, seen);
      const { where } = place;
      const flow = this.flowOf(place, packet);
      if (packet.count === undefined || !flow || flow.packets < packet.count) {
        throw new Violation(
          3,
          `${describe(packet)} left as its flow's packet ${packet.count}, but ${where} has counted ${
            flow?.packets ?? 'none'
          }`,
        );
      }
      const marked = seen.destinationPort === firstMark;
      if (marked !== (flow.first === packet.id)) {
        throw new Violation(
          3,
          `${describe(packet)} left ${marked ? 'marked as the first' : 'unmarked'} of its flow, but ${
            where
          } has packet ${flow.first} for the first`,
        );
      }
    }
  }

  private checkBinding({ view, where }: Place, packet: Given, seen: Seen): void {
    const { endpoint } = packet;
    const binding = view.entries('binding').get(insideKey(endpoint));
    const translated = binding && portOf('binding', binding.record);
    if (translated !== seen.sourcePort) {
      throw new Violation(
        3,
        `${describe(packet)} left from port ${seen.sourcePort}, but ${where} has ${
          translated === undefined ? 'no binding for it' : `port ${translated} for it`
        }`,
      );
    }
    const ports = view.entries('port');
    const reserved = ports.get(endpointKey(endpoint.protocol, outsideAddress, seen.sourcePort));
    if (!reserved || portOf('port', reserved.record) !== endpoint.port)
      throw new Violation(
        3,
        `${describe(packet)} left, but ${where} does not have its port record`,
      );
  }

  private flowOf({ view: records }: Place, packet: Given) {
    const { endpoint, remotePort } = packet;
    const inside = addressOf(addresses.host(endpoint.host));
    const key =
      endpointKey(endpoint.protocol, inside, endpoint.port).slice(0, 8) +
      endpointKey(endpoint.protocol, remoteAddress, remotePort).slice(0, 8);
    const value = records.entries(flows.storage).get(key);
    if (!value) return undefined;
    const view = new DataView(value.record.buffer, value.record.byteOffset);
    const { offsets } = flowRecord;
    return {
      packets: view.getUint32(offsets.packets, true),
      sum: view.getUint32(offsets.sum, true),
      first: view.getUint32(offsets.first, true),
    };
  }

  /** Every packet's effect on its flow's record was exactly one, or at the most one where it was lost. */
  checkCounts(): void {
    const byFlow = new Map<string, Given[]>();
    for (const packet of this.given.values()) {
      if (packet.external !== undefined) continue;
      const name = `${nameOf(packet.endpoint)} ${packet.remotePort}`;
      byFlow.set(name, [...(byFlow.get(name) ?? []), packet]);
    }
    for (const [name, packets] of byFlow) {
      const counted = packets.filter(({ count }) => count !== undefined);
      const unsure = packets.filter(({ count, throws }) => count === undefined && !throws);
      const flow = this.flowOf(this.watched.places()[0], packets[0]) ?? { packets: 0, sum: 0 };
      const extra = flow.packets - counted.length;
      const sum = counted.reduce((total, { id }) => (total + tokenOf(id)) >>> 0, 0);
      const rest = (flow.sum - sum) >>> 0;
      const tokens = unsure.map(({ id }) => tokenOf(id));
      if (extra >= 0 && extra <= unsure.length && mayBeSumOf(rest, extra, tokens)) continue;
      throw new Violation(
        4,
        `flow ${name} has counted ${flow.packets} packets, where ${counted.length} were told that they` +
          ` were counted and ${unsure.length} were lost on the way: not each of them exactly once`,
      );
    }
  }

  /** Answers within a binding's life find it, through whatever instance they come. */
  checkAnswersFound(instances: readonly Instance[]): void {
    for (const instance of instances) {
      const dropped = instance.dropped('no-binding');
      const late = this.noBinding.get(instance) ?? 0;
      if (dropped > late) {
        throw new Violation(
          12,
          `instance ${instance.writer} found no binding for ${dropped} answers, of which ${late} came late`,
        );
      }
    }
  }
}

function insideKey({ host, port, protocol }: Endpoint): string {
  return endpointKey(protocol, addressOf(addresses.host(host)), port);
}

/** The port in a binding's or a port's record. */
function portOf(table: string, record: Uint8Array): number {
  const at = (natTable(table).schema.offsets as Record<string, number>)['port'];
  return new DataView(record.buffer, record.byteOffset).getUint16(at);
}

function nameOf({ host, port, protocol }: Endpoint): string {
  return `${addresses.host(host)}:${port}/${protocol}`;
}

function describe({ id, endpoint, external, remotePort }: Given): string {
  return external === undefined
    ? `packet ${id} (${nameOf(endpoint)} to ${remotePort})`
    : `answer ${id} (${remotePort} to port ${external}, for ${nameOf(endpoint)})`;
}
