/**
 * The cursor that an author's function gets: one packet of a batch, reused for the next. Keeping it
 * past the callback is a mistake that debug lanes catch (`ERR_STALE_PACKET`).
 *
 * Reads and writes are bounds-checked to the packet: an offset outside it throws a RangeError, which
 * drops that packet with reason `callback-error`. IPv4 addresses are numbers in host order, as
 * `parseIpv4` of `rxnf` gives them. Header edits are staged and take effect once everything that the
 * packet depends on has settled; so a function may be run again, on a newer record, and must not
 * count on having run once.
 */
import { edit, type PacketBatch } from './batch.ts';
import { trait } from './traits.ts';
import { forward, type Verdict } from './verdict.ts';

const swap16 = (v: number) => ((v & 0xff) << 8) | (v >>> 8);
const swap32 = (v: number) =>
  (((v & 0xff) << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24)) >>> 0;

export class Packet {
  batch!: PacketBatch;
  row = -1;
  /** Offset of the packet's first byte in `view`. */
  private start = 0;
  private readonly view: DataView;
  private readonly arena: Uint8Array;

  constructor(arena: ArrayBuffer) {
    this.view = new DataView(arena);
    this.arena = new Uint8Array(arena);
  }

  /** Moves the cursor. Operators call this; authors do not. */
  move(batch: PacketBatch, row: number): void {
    this.batch = batch;
    this.row = row;
    this.start = batch.data[row] as number;
  }

  /** After the callback: any further use throws. */
  expire(): void {
    this.row = -1;
    this.start = Number.NaN;
  }

  private check(offset: number, bytes: number): number {
    if (this.row < 0)
      throw Object.assign(new Error('a Packet was used after its callback'), {
        code: 'ERR_STALE_PACKET',
      });
    const length = this.batch.length[this.row] as number;
    if (!(offset >= 0 && bytes >= 0 && offset + bytes <= length)) {
      throw new RangeError(`offset ${offset} of ${bytes} bytes lies outside the packet`);
    }
    return this.start + offset;
  }

  /** Frame length in bytes, Ethernet header included, without FCS. */
  get length(): number {
    return this.batch.length[this.row] as number;
  }
  /** Number of the port it came in by. */
  get ingress(): number {
    return this.batch.ingress[this.row] as number;
  }
  get traits(): number {
    return this.batch.traits[this.row] as number;
  }
  has(traits: number): boolean {
    return ((this.batch.traits[this.row] as number) & traits) !== 0;
  }
  /** Offset of the network header from the frame's start. */
  get l3(): number {
    return this.batch.l3[this.row] as number;
  }
  /** Offset of the transport header from the frame's start. */
  get l4(): number {
    return this.batch.l4[this.row] as number;
  }

  u8(offset: number): number {
    return this.view.getUint8(this.check(offset, 1));
  }
  u16(offset: number): number {
    return this.view.getUint16(this.check(offset, 2));
  }
  u32(offset: number): number {
    return this.view.getUint32(this.check(offset, 4));
  }
  /** A view of bytes of the frame; valid in the callback only. Allocates: not for every packet. */
  bytes(offset = 0, length = this.length - offset): Uint8Array {
    const at = this.check(offset, length);
    return this.arena.subarray(at, at + length);
  }

  /** The endpoints of the packet's flow (for an ICMP error, of the quoted packet, reversed). */
  get source(): number {
    return this.batch.view.getUint32(this.batch.flow + this.row * 16);
  }
  get destination(): number {
    return this.batch.view.getUint32(this.batch.flow + this.row * 16 + 4);
  }
  get sourcePort(): number {
    return this.batch.view.getUint16(this.batch.flow + this.row * 16 + 8);
  }
  get destinationPort(): number {
    return this.batch.view.getUint16(this.batch.flow + this.row * 16 + 10);
  }
  /** IP protocol number of the flow. */
  get protocol(): number {
    return this.batch.view.getUint8(this.batch.flow + this.row * 16 + 12);
  }
  /** TTL or hop limit. */
  get ttl(): number {
    return this.u8(this.l3 + (this.has(trait.ipv4) ? 8 : 7));
  }
  /** TCP flags byte (RFC 9293 3.1), 0 for other protocols. */
  get tcpFlags(): number {
    return this.has(trait.tcp) && !this.has(trait.fragmentLater) ? this.u8(this.l4 + 13) : 0;
  }

  /** Fills in what a later fragment does not carry: the ports of its datagram. */
  completeFlow(sourcePort: number, destinationPort: number): void {
    const at = this.batch.flow + this.row * 16;
    this.batch.view.setUint16(at + 8, sourcePort);
    this.batch.view.setUint16(at + 10, destinationPort);
    this.batch.addTraits(this.row, trait.hasFlow);
  }

  /** Stages a new source endpoint: address and port, or address and ICMP query identifier. */
  setSource(address: number, port: number): void {
    const { batch, row } = this;
    batch.author(row, edit.source);
    batch.newSource[row] = swap32(address);
    batch.newSourcePort[row] = swap16(port);
  }

  /** Stages a new destination endpoint. */
  setDestination(address: number, port: number): void {
    const { batch, row } = this;
    batch.author(row, edit.destination);
    batch.newDestination[row] = swap32(address);
    batch.newDestinationPort[row] = swap16(port);
  }

  /** Stages the next hop: TTL less one, link addresses, and the verdict forward(port). */
  setNextHop(port: number, destination: Uint8Array, source: Uint8Array): void {
    const { batch, row } = this;
    batch.author(row, edit.hop);
    const at = batch.link + row * 16;
    batch.bytes.set(destination, at);
    batch.bytes.set(source, at + 6);
    batch.egress[row] = port;
  }

  get verdict(): Verdict {
    return this.batch.verdict[this.row] as Verdict;
  }
  set verdict(verdict: Verdict) {
    this.batch.verdict[this.row] = verdict;
  }

  /**
   * Makes a packet at the end of this batch, to be sent out of `port` as it is.
   *
   * @returns false when the batch or the pool has no room left; counted under `no-buffer` by callers.
   */
  originate(port: number, frame: Uint8Array): boolean {
    const made = this.batch.lane.originate(this.batch, port, frame.length);
    if (made < 0) return false;
    this.arena.set(frame, this.batch.data[made] as number);
    this.batch.verdict[made] = forward(port);
    return true;
  }
}
