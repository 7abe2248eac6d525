/**
 * The NAT's one decision: what becomes of a packet whose endpoint has no binding yet, or whose TCP
 * control flags move its binding on. Everything else is translated without a look.
 */
import type { Looked, RecordCursor } from '../../state/cursor.ts';
import type { Packet } from '../../streams/packet.ts';
import { matches, trait } from '../../streams/traits.ts';
import { drop, type Verdict } from '../../streams/verdict.ts';
import type { PortAllocator } from './port-allocator.ts';
import type { bindingRecord, portRecord } from './tables.ts';
import { tcpState, timers } from './tables.ts';

export type NatPacket = Packet &
  Looked<'binding', (typeof bindingRecord)['fields']> &
  Looked<'port', (typeof portRecord)['fields']> &
  Looked<'reserved', (typeof portRecord)['fields']>;

const noBinding = drop('no-binding');
const exhausted = drop('ports-exhausted');
const tcp = 6;
const udp = 17;
const syn = 0x02;
const finOrRst = 0x05;
const { opening, established, closing } = tcpState;
/** A constant, so that the engine need not look it up. */
const { tcpControl } = trait;
const tcpHeader = { all: trait.tcp, none: trait.fragmentLater };

/** The key of an external endpoint, as native/kernels/lookup.cc makes it: words low and high. */
export const endpointLow = (address: number) =>
  (((address & 0xff) << 24) |
    ((address & 0xff00) << 8) |
    ((address >>> 8) & 0xff00) |
    (address >>> 24)) >>>
  0;
export const endpointHigh = (protocol: number, port: number) =>
  (((port & 0xff) << 8) | (port >>> 8) | (protocol << 16)) >>> 0;

export class Binder {
  private readonly allocator: PortAllocator;
  private readonly answerEcho: (packet: Packet) => Verdict;

  constructor(allocator: PortAllocator, answerEcho: (packet: Packet) => Verdict) {
    this.allocator = allocator;
    this.answerEcho = answerEcho;
  }

  /** Rerunnable: looks only at the packet and its records. */
  readonly decide = (packet: NatPacket): Verdict | undefined => {
    const { binding, port } = packet;
    if (port.attended && !port.found) return this.unbound(packet);
    return binding.attended ? this.bind(packet, binding) : undefined;
  };

  /** Also stages the translation, for every packet: see `NatOptions.translation`. */
  readonly decideAndTranslate = (packet: NatPacket): Verdict | undefined => {
    const { binding, port } = packet;
    if (port.attended) {
      if (!port.found) return this.unbound(packet);
      packet.setDestination(port.address, port.port);
    }
    if (binding.attended) {
      const verdict = this.bind(packet, binding);
      if (verdict !== undefined) return verdict;
      packet.setSource(binding.address, binding.port);
    }
    return undefined;
  };

  /**
   * What is sent to an external port that leads nowhere. It is told first, so that it takes up no port
   * itself.
   */
  private unbound(packet: NatPacket): Verdict {
    return packet.has(trait.echoRequest) ? this.answerEcho(packet) : noBinding;
  }

  private bind(packet: NatPacket, binding: NatPacket['binding']): Verdict | undefined {
    if (!binding.found) return this.begin(packet);
    if (this.moves(packet, binding)) this.advance(packet, binding);
    return undefined;
  }

  private begin(packet: NatPacket): Verdict | undefined {
    if (packet.has(trait.icmpError)) return noBinding; // an error starts nothing (RFC 5508 REQ-4)
    return this.open(packet) ? undefined : exhausted;
  }

  /** Outside first: the reservation makes the port ours, then the binding is published. */
  private open(packet: NatPacket): boolean {
    const { allocator } = this;
    const { protocol, source, sourcePort } = packet;
    if (!allocator.allocate(protocol, source, sourcePort)) return false;
    const { binding, reserved } = packet;
    (reserved as unknown as RecordCursor).reserve(
      endpointLow(allocator.address),
      endpointHigh(protocol, allocator.port),
    );
    reserved.create();
    reserved.address = source;
    reserved.port = sourcePort;
    reserved.serial = allocator.serial;
    const timer =
      protocol === tcp ? timers.tcpTransitory : protocol === udp ? timers.udp : timers.icmp;
    binding.create(timer, protocol === tcp);
    binding.state = protocol === tcp ? opening : established;
    binding.address = allocator.address;
    binding.port = allocator.port;
    binding.serial = allocator.serial;
    binding.remoteAddress = packet.destination;
    binding.remotePort = packet.destinationPort;
    return true;
  }

  /**
   * TCP, as far as one side shows it (RFC 5382 4.3): opening until the inside sends something other
   * than SYN, then established, and closing from its FIN or RST. A binding that serves several remote
   * endpoints stays established until it is idle, since one connection's end says nothing of the others.
   *
   * A FIN or RST from outside moves nothing on: without the connection's sequence numbers a forged one
   * looks like any other, and RFC 7857 leaves it open whether to heed it. The inside answers a FIN with
   * its own; what a RST ended idles away as established.
   */
  private moves(packet: NatPacket, binding: NatPacket['binding']): boolean {
    // Before anything tells TCP and UDP apart: they come mixed, and a branch would be mispredicted.
    if (!packet.has(tcpControl) && binding.state === established) return false;
    return matches(packet.traits, tcpHeader);
  }

  private advance(packet: NatPacket, binding: NatPacket['binding']): void {
    const flags = packet.tcpFlags;
    if (binding.shared === 1) return;
    if (
      binding.remoteAddress !== packet.destination ||
      binding.remotePort !== packet.destinationPort
    ) {
      binding.update(timers.tcpEstablished, false);
      binding.shared = 1;
    } else if ((flags & finOrRst) !== 0) {
      if (binding.state !== closing) this.turn(packet, closing);
    } else if ((flags & syn) !== 0) {
      if (binding.state === closing) this.turn(packet, opening);
    } else if (binding.state === opening) {
      this.turn(packet, established);
    }
  }

  private turn(packet: NatPacket, state: number): void {
    const lasting = state === established;
    packet.binding.update(lasting ? timers.tcpEstablished : timers.tcpTransitory, !lasting);
    packet.binding.state = state;
  }
}
