/**
 * Chooses external endpoints, from blocks that this lane leases of each address's ports.
 *
 * RFC 4787: REQ-2, an inside host keeps one external address while it has ports; REQ-3, ports below
 * 1024 are mapped below 1024 where one is free, others above; REQ-4, UDP keeps its parity (RTP and RTCP).
 * A port is used by one inside endpoint only, whatever the destination (REQ-1, no overloading).
 */
import {
  type Lease,
  leaseMilliseconds,
  type RecordRows,
  type StoreSession,
} from '../../state/store.ts';
import type { AnyTable } from '../../state/table.ts';
import type { Lane } from '../../streams/lane.ts';
import { externalKey } from './external-key.ts';

/** Numbers leased at once: one call to the store for this many new flows; left behind by a lane that dies. */
const block = 32;

/** One protocol's ports of one address, of one class and parity; port = first + step * number. */
class PortPool {
  private readonly lease: Lease;
  private readonly numbers = new Uint32Array(block);
  /** Leased and not yet used: from `next` to `end`. */
  private next = 0;
  private end = 0;
  private readonly lane: Lane;
  private readonly first: number;
  private readonly step: number;
  private leasedAt = 0;
  /** Given back here, and not yet to the store: the first `givenCount`. */
  private readonly given = new Uint32Array(block);
  private givenCount = 0;

  constructor(lane: Lane, lease: Lease, first: number, step: number) {
    this.lane = lane;
    this.lease = lease;
    this.first = first;
    this.step = step;
  }

  /** A port, or -1: there is none now. */
  take(): number {
    if (this.next === this.end) {
      this.next = 0;
      this.end = this.lease.take(this.numbers);
      this.leasedAt = this.lane.nowMilliseconds;
      if (this.end === 0) return -1;
    }
    return this.first + this.step * (this.numbers[this.next++] as number);
  }

  /** @returns true when `flush` is to follow, for this port and those given until then */
  give(port: number): boolean {
    if (this.givenCount === block) this.flush();
    this.given[this.givenCount] = (port - this.first) / this.step;
    return this.givenCount++ === 0;
  }

  flush(): void {
    const count = this.givenCount;
    this.givenCount = 0;
    if (count > 0) this.lease.giveAll(this.given, count);
  }

  /** Gives back what has been leased for so long that the audit may soon take it. */
  returnStale(): void {
    const age = (this.lane.nowMilliseconds - this.leasedAt) >>> 0;
    if (age > leaseMilliseconds) this.close();
  }

  close(): void {
    while (this.next < this.end) this.lease.give(this.numbers[this.next++] as number);
  }
}

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Ports below 1024 that stand in for ports below 1024; those below 512 belong to well-known services. */
const lowRange: PortRange = { first: 512, last: 1023 };
const tcp = 6;
const udp = 17;

/** One number for an address, a protocol that has ports, a class and a parity. */
function poolIndex(address: number, protocol: number, low: number, parity: number): number {
  const kind = protocol === tcp ? 0 : protocol === udp ? 1 : 2;
  return ((address * 3 + kind) * 2 + low) * 2 + parity;
}

/** How often blocks are looked through for stale ones. */
const staleTick = leaseMilliseconds / 10;

export class PortAllocator {
  /** Of the last `allocate`. */
  address = 0;
  port = 0;
  /** Counts allocations, modulo 2^16: goes into both records of a mapping. */
  serial = 0;
  private readonly lane: Lane;
  private readonly addresses: readonly number[];
  private readonly high: PortRange;
  private readonly session: StoreSession;
  private readonly table: AnyTable;
  /** By `poolIndex`; those never asked for are absent. */
  private readonly pools: (PortPool | undefined)[] = [];
  /** Those that have numbers to give back, while a run of endpoints is released. */
  private readonly ending: PortPool[] = [];

  /** @param table of external endpoints, where a port's use shows */
  constructor(
    lane: Lane,
    session: StoreSession,
    table: AnyTable,
    addresses: readonly number[],
    high: PortRange,
  ) {
    this.lane = lane;
    this.session = session;
    this.table = table;
    this.addresses = addresses;
    this.high = high;
    lane.every(staleTick, () => {
      for (const pool of this.pools) pool?.returnStale();
    });
    if (!session.synchronous) this.openPools();
  }

  /** Asks for the first blocks before the first packet needs them. */
  private openPools(): void {
    for (let index = 0; index < this.addresses.length; index++) {
      for (const [protocol, port] of [
        [1, 1024],
        [6, 1024],
        [udp, 1024],
        [udp, 1025],
      ] as const)
        this.pool(protocol, index, port, this.high);
    }
  }

  /** Sets `address` and `port`; false when every address is exhausted. */
  allocate(protocol: number, insideAddress: number, insidePort: number): boolean {
    this.serial = (this.serial + 1) & 0xffff;
    const count = this.addresses.length;
    const start = Math.imul(insideAddress, 0x9e3779b1) >>> 0;
    for (let k = 0; k < count; k++) {
      const index = (start + k) % count;
      if (insidePort < 1024 && protocol !== 1 && this.from(protocol, index, insidePort, lowRange))
        return true;
      if (this.from(protocol, index, insidePort, this.high)) return true;
    }
    return false;
  }

  private from(protocol: number, index: number, insidePort: number, range: PortRange): boolean {
    const port = this.pool(protocol, index, insidePort, range).take();
    if (port < 0) return false;
    this.address = this.addresses[index] as number;
    this.port = port;
    return true;
  }

  private pool(protocol: number, index: number, port: number, range: PortRange): PortPool {
    const low = range === lowRange ? 1 : 0;
    const parity = protocol === udp ? port & 1 : 0;
    const at = poolIndex(index, protocol, low, parity);
    let pool = this.pools[at];
    if (!pool) {
      const step = protocol === udp ? 2 : 1;
      const first = step === 2 && (range.first & 1) !== parity ? range.first + 1 : range.first;
      const address = this.addresses[index] as number;
      const lease = this.session.lease({
        name: `ports/${protocol}/${address}/${low}/${parity}`,
        first: 0,
        count: Math.floor((range.last - first) / step) + 1,
        use: {
          table: this.table,
          key: (number, out) => externalKey(out, 0, protocol, address, first + step * number),
        },
      });
      pool = new PortPool(this.lane, lease, first, step);
      this.pools[at] = pool;
    }
    return pool;
  }

  /** Gives an endpoint back: its binding has ended. */
  release(protocol: number, address: number, port: number): void {
    this.end(protocol, address, port);
    this.giveEnded();
  }

  /** Gives back the endpoints that are keys of those rows whose byte in `which` is 1. */
  releaseRows({ count, stride, bytes, view }: RecordRows, which: Uint8Array): void {
    for (let i = 0; i < count; i++) {
      if (which[i] !== 1) continue;
      const at = i * stride;
      this.end(bytes[at + 6] as number, view.getUint32(at), view.getUint16(at + 4));
    }
    this.giveEnded();
  }

  private end(protocol: number, address: number, port: number): void {
    const index = this.addresses.indexOf(address);
    if (index < 0) return; // of an address that is no longer configured
    const inLow = port <= lowRange.last && port < this.high.first;
    const pool = this.pool(protocol, index, port, inLow ? lowRange : this.high);
    if (pool.give(port)) this.ending.push(pool);
  }

  private giveEnded(): void {
    for (const pool of this.ending) pool.flush();
    this.ending.length = 0;
  }

  close(): void {
    for (const pool of this.pools) pool?.close();
  }
}
