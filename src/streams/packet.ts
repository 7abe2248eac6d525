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

const { source, destination, hop } = edit;
const { ipv4, tcp, fragmentLater, hasFlow } = trait;

/** Knows how to put back the edits that an author's function stages others over. */
export interface EditKeeper {
  /** Called before a staged edit is staged again. */
  keep(batch: PacketBatch, row: number, bit: number): void;
}

/**
 * Reads and writes a batch's columns as offsets into the lane's whole block (see `PacketBatch.view`),
 * since a column's own typed array is another object for each batch.
 */
export class Packet {
  batch: PacketBatch;
  row = -1;
  /** By table, a bit: its record's cursor is at this row. */
  followed = 0;
  /** Rows have come to differ in what a record's cursor has of them: see `Place.begin`. */
  stirred = false;
  /** Set while an author's function runs that may have to run again. */
  keeper: EditKeeper | undefined = undefined;

  // Declared, and assigned once: the optimising compiler takes them for constants.
  declare private readonly arena: Uint8Array;
  declare private readonly frames: DataView;
  declare private readonly view: DataView;
  declare private readonly octets: Uint8Array;
  declare private readonly halves: Uint16Array;
  declare private readonly words: Uint32Array;
  // Where the batch's columns begin, each in its own elements; in bytes where read through `view`.
  private dataAt = 0;
  private lengthAt = 0;
  private traitsAt = 0;
  private l3At = 0;
  private l4At = 0;
  private flowAt = 0;
  private editsAt = 0;
  private newSourceAt = 0;
  private newSourcePortAt = 0;
  private newDestinationAt = 0;
  private newDestinationPortAt = 0;

  /** @param batch any of the lane's: where its columns are */
  constructor(arena: ArrayBuffer, batch: PacketBatch) {
    this.batch = batch;
    this.arena = new Uint8Array(arena);
    this.frames = new DataView(arena);
    this.view = batch.view;
    this.octets = batch.bytes;
    this.halves = new Uint16Array(batch.bytes.buffer);
    this.words = new Uint32Array(batch.bytes.buffer);
    this.enter(batch);
  }

  protected enter(batch: PacketBatch): void {
    this.batch = batch;
    this.dataAt = batch.data.byteOffset / 4;
    this.lengthAt = batch.length.byteOffset / 4;
    this.traitsAt = batch.traits.byteOffset / 4;
    this.l3At = batch.l3.byteOffset / 2;
    this.l4At = batch.l4.byteOffset / 2;
    this.flowAt = batch.flow;
    this.editsAt = batch.edits.byteOffset;
    this.newSourceAt = batch.newSource.byteOffset;
    this.newSourcePortAt = batch.newSourcePort.byteOffset;
    this.newDestinationAt = batch.newDestination.byteOffset;
    this.newDestinationPortAt = batch.newDestinationPort.byteOffset;
  }

  /** Moves the cursor. Operators call this; authors do not. */
  move(batch: PacketBatch, row: number): void {
    if (this.batch !== batch) this.enter(batch);
    this.row = row;
    this.followed = 0;
  }

  /** After the callback: any further use throws. */
  expire(): void {
    this.row = -1;
    this.followed = 0;
  }

  /** Throws where the packet was kept past its callback. */
  assertCurrent(): void {
    if (this.row < 0)
      throw Object.assign(new Error('a Packet was used after its callback'), {
        code: 'ERR_STALE_PACKET',
      });
  }

  private check(offset: number, bytes: number): number {
    this.assertCurrent();
    if (!(offset >= 0 && bytes >= 0 && offset + bytes <= this.length)) {
      throw new RangeError(`offset ${offset} of ${bytes} bytes lies outside the packet`);
    }
    return (this.words[this.dataAt + this.row] as number) + offset;
  }

  /** Frame length in bytes, Ethernet header included, without FCS. */
  get length(): number {
    return this.words[this.lengthAt + this.row] as number;
  }
  /** Number of the port it came in by. */
  get ingress(): number {
    return this.batch.ingress[this.row] as number;
  }
  get traits(): number {
    return this.words[this.traitsAt + this.row] as number;
  }
  has(traits: number): boolean {
    return (this.traits & traits) !== 0;
  }
  /** Offset of the network header from the frame's start. */
  get l3(): number {
    return this.halves[this.l3At + this.row] as number;
  }
  /** Offset of the transport header from the frame's start. */
  get l4(): number {
    return this.halves[this.l4At + this.row] as number;
  }

  u8(offset: number): number {
    return this.frames.getUint8(this.check(offset, 1));
  }
  u16(offset: number): number {
    return this.frames.getUint16(this.check(offset, 2));
  }
  u32(offset: number): number {
    return this.frames.getUint32(this.check(offset, 4));
  }
  /** A view of bytes of the frame; valid in the callback only. Allocates: not for every packet. */
  bytes(offset = 0, length = this.length - offset): Uint8Array {
    const at = this.check(offset, length);
    return this.arena.subarray(at, at + length);
  }

  /** The endpoints of the packet's flow (for an ICMP error, of the quoted packet, reversed). */
  get source(): number {
    return this.view.getUint32(this.flowAt + this.row * 16);
  }
  get destination(): number {
    return this.view.getUint32(this.flowAt + this.row * 16 + 4);
  }
  get sourcePort(): number {
    return this.view.getUint16(this.flowAt + this.row * 16 + 8);
  }
  get destinationPort(): number {
    return this.view.getUint16(this.flowAt + this.row * 16 + 10);
  }
  /** IP protocol number of the flow. */
  get protocol(): number {
    return this.view.getUint8(this.flowAt + this.row * 16 + 12);
  }
  /** TTL or hop limit. */
  get ttl(): number {
    return this.u8(this.l3 + (this.has(ipv4) ? 8 : 7));
  }
  /** TCP flags byte (RFC 9293 3.1), 0 for other protocols. */
  get tcpFlags(): number {
    return (this.traits & (tcp | fragmentLater)) === tcp ? this.u8(this.l4 + 13) : 0;
  }

  /** Fills in what a later fragment does not carry: the ports of its datagram. */
  completeFlow(sourcePort: number, destinationPort: number): void {
    const at = this.flowAt + this.row * 16;
    this.view.setUint16(at + 8, sourcePort);
    this.view.setUint16(at + 10, destinationPort);
    this.batch.addTraits(this.row, hasFlow);
  }

  /** Stages a new source endpoint: address and port, or address and ICMP query identifier. */
  setSource(address: number, port: number): void {
    const { row, view } = this;
    this.stage(source);
    view.setUint32(this.newSourceAt + row * 4, address);
    view.setUint16(this.newSourcePortAt + row * 2, port);
  }

  /** Stages a new destination endpoint. */
  setDestination(address: number, port: number): void {
    const { row, view } = this;
    this.stage(destination);
    view.setUint32(this.newDestinationAt + row * 4, address);
    view.setUint16(this.newDestinationPortAt + row * 2, port);
  }

  /** Stages the next hop: TTL less one, link addresses, and the verdict forward(port). */
  setNextHop(port: number, destination: Uint8Array, source: Uint8Array): void {
    const { batch, row } = this;
    this.stage(hop);
    const at = batch.link + row * 16;
    batch.bytes.set(destination, at);
    batch.bytes.set(source, at + 6);
    batch.egress[row] = port;
  }

  private stage(bit: number): void {
    const at = this.editsAt + this.row;
    const staged = this.octets[at] as number;
    if ((staged & bit) !== 0) this.displace(bit);
    this.octets[at] = staged | bit;
  }

  private displace(bit: number): void {
    this.keeper?.keep(this.batch, this.row, bit);
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
