/**
 * How fast the NAT itself is here: clients' outward packets, over and over, through one lane.
 *
 * Timed is what a lane does with packets that lie in memory: receive, the whole pipeline, transmit.
 * Copying them in and out, which a network card does by itself, is not.
 */
import { native } from '../native.ts';
import { type NetworkFunction, openLane } from '../nfs/network-function.ts';
import { answerAnyArp, isArpRequest } from '../ports/arp-answers.ts';
import type { CaptureFeed } from '../ports/capture-feed.ts';
import { sessionOf } from '../state/sessions.ts';
import type { Store } from '../state/store.ts';
import type { AnyTable } from '../state/table.ts';
import type { Lane, LaneStatistics } from '../streams/lane.ts';
import { MemoryPort } from '../streams/memory-port.ts';

/** Packets copied in, then timed: 16 full bursts, and about 1 MB, as much as a second-level cache. */
const blockPackets = 2048;
const buffers = 8192;

export class DemoSpeed {
  packets = 0;
  nanoseconds = 0;
  private readonly lane: Lane;
  private readonly inside: MemoryPort;
  private readonly outside: MemoryPort;
  private readonly feed: CaptureFeed;
  private readonly scratch = new Uint8Array(4096);
  private next = 0;

  /** Opens a lane, which keeps the store's tables for as long as it is open. */
  constructor(nf: NetworkFunction, store: Store, feed: CaptureFeed, insideMac: Uint8Array) {
    const pool = native.openPool(buffers);
    const common = { pool, capacity: 2 * blockPackets };
    this.inside = new MemoryPort({ ...common, name: 'inside', mac: insideMac });
    this.outside = new MemoryPort({ ...common, name: 'outside' });
    this.feed = feed;
    this.lane = openLane(nf, store, { pool, ports: [this.inside, this.outside] });
    // Asking opens them; otherwise a table is opened with the first batch that needs it.
    for (const table of nf.tables as readonly AnyTable[]) sessionOf(this.lane, table).size(table);
  }

  get packetsPerSecond(): number {
    return (this.packets / Math.max(1, this.nanoseconds)) * 1e9;
  }

  /** The lane's own counts. */
  get statistics(): LaneStatistics {
    return this.lane.statistics();
  }

  /** One block of packets; about half a millisecond. */
  step(): void {
    this.copyIn();
    const waiting = this.inside.unread;
    const began = process.hrtime.bigint();
    // A full burst a breath, one more to send the last: the bound is for a port that gave none.
    for (let i = 0; i < blockPackets && this.inside.unread > 0; i++) this.lane.breathe();
    this.lane.breathe();
    this.nanoseconds += Number(process.hrtime.bigint() - began);
    this.packets += waiting - this.inside.unread;
    this.drain(this.outside);
    this.drain(this.inside);
  }

  /** Forgets what was timed so far: the first blocks find no neighbours and no compiled code. */
  restart(): void {
    this.packets = 0;
    this.nanoseconds = 0;
  }

  close(): void {
    this.lane.close();
  }

  private copyIn(): void {
    const { bytes, offsets, lengths } = this.feed;
    for (let left = blockPackets; left > 0; ) {
      const count = Math.min(left, offsets.length - this.next);
      const taken = this.inside.pushMany(bytes, offsets, lengths, this.next, count);
      if (taken === 0) return;
      left -= taken;
      this.next = (this.next + taken) % offsets.length;
    }
  }

  private drain(port: MemoryPort): void {
    const { scratch } = this;
    for (let length = port.takeInto(scratch); length > 0; length = port.takeInto(scratch)) {
      if (isArpRequest(scratch, length)) port.push(answerAnyArp(scratch));
    }
  }
}
