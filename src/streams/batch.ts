/**
 * A batch of packets as columns over one native block (see native/lane/batch.h). It comes from its
 * lane's pool and goes back when it is settled; nothing is allocated per batch or per packet.
 *
 * Ownership: whoever is handed a batch settles it or hands it on, exactly once.
 */
import type { NativeLane } from '../native.ts';
import type { Lane } from './lane.ts';
import type { WhereMask } from './traits.ts';

/** What a lookup left for a row; `unknown`: a write that may stand or not, its packet is dropped. */
export const looked = { none: 0, hit: 1, miss: 2, unknown: 3 } as const;
/** What an author's function staged for a row. */
export const writeKind = { none: 0, insert: 1, swap: 2, remove: 3 } as const;
/** Bits of the `edits` column. */
export const edit = { source: 1, destination: 2, hop: 4 } as const;

/** One table's columns in one batch. */
export class RegisterColumns {
  readonly stride: number;
  readonly state: Uint8Array;
  readonly write: Uint8Array;
  readonly timer: Uint8Array;
  readonly leader: Uint16Array;
  readonly attended: Uint16Array;
  readonly staged: Uint16Array;
  readonly lost: Uint16Array;
  /** Byte offsets into the batch's `view`: keys are 16 bytes a row, records `stride`. */
  readonly key: number;
  readonly version: number;
  readonly record: number;
  readonly next: number;

  constructor(
    block: ArrayBuffer,
    base: number,
    index: number,
    stride: number,
    shape: NativeLane,
    rows: number,
  ) {
    const at = (column: string) => base + (shape.columns[`r${index}.${column}`] as number);
    this.stride = stride;
    this.state = new Uint8Array(block, at('state'), rows);
    this.write = new Uint8Array(block, at('write'), rows);
    this.timer = new Uint8Array(block, at('timer'), rows);
    this.leader = new Uint16Array(block, at('leader'), rows);
    this.attended = new Uint16Array(block, at('attended'), rows);
    this.staged = new Uint16Array(block, at('staged'), rows);
    this.lost = new Uint16Array(block, at('lost'), rows);
    this.key = at('key');
    this.version = at('version');
    this.record = at('record');
    this.next = at('next');
  }
}

/** Runs an author's function over one row of a batch. */
export interface Decider {
  /** True when it has decided this row before, in this lease of the batch. */
  decided(batch: PacketBatch, row: number): boolean;
  /** Takes back every edit that it staged for the row. */
  withdraw(batch: PacketBatch, row: number): void;
  /** Again, from where the row was before. */
  decide(batch: PacketBatch, row: number): void;
}

declare const fields: unique symbol;

/**
 * @typeParam Fields the records that upstream operators looked up, by field name: `lookupState` adds
 *   one, and `transform` and `writeState` ask for them.
 */
export class PacketBatch<Fields = unknown> {
  declare readonly [fields]: Fields;

  readonly lane: Lane;
  readonly index: number;
  readonly capacity: number;
  /** Words of the native header; `count` is the first. */
  readonly header: Int32Array;
  readonly handle: Uint32Array;
  readonly data: Uint32Array;
  readonly length: Uint32Array;
  readonly traits: Uint32Array;
  readonly verdict: Int32Array;
  readonly ingress: Uint8Array;
  readonly edits: Uint8Array;
  readonly l3: Uint16Array;
  readonly l4: Uint16Array;
  /** 16 bytes a row at `flow`: source, destination, ports, protocol, in network byte order. */
  readonly flow: number;
  readonly newSource: Uint32Array;
  readonly newDestination: Uint32Array;
  readonly newSourcePort: Uint16Array;
  readonly newDestinationPort: Uint16Array;
  /** 16 bytes a row at `link`: destination and source MAC of the next hop. */
  readonly link: number;
  readonly egress: Uint8Array;
  readonly exception: Uint16Array;
  readonly exceptionCode: Uint8Array;
  readonly registers: readonly RegisterColumns[];
  /** The whole native block, for columns that are read field by field. */
  readonly view: DataView;
  readonly bytes: Uint8Array;

  /** Which operator has the batch now; for the report about batches that nobody settles. */
  holder = 'source';
  /** Set while the batch is out of the pool. */
  leased = false;
  /** Lane clock, milliseconds, when it was leased. */
  leasedAt = 0;
  /** By register: runs the author's function that decided its rows again (see `transform`). */
  readonly deciders: (Decider | undefined)[] = [];
  /** Counts leases, so that a late completion can tell that its batch has moved on. */
  lease = 0;

  constructor(
    lane: Lane,
    index: number,
    rows: number,
    shape: NativeLane,
    strides: readonly number[],
  ) {
    const { block } = shape;
    const base = index * shape.batchSize;
    const at = (column: string) => base + (shape.columns[column] as number);
    this.lane = lane;
    this.index = index;
    this.capacity = rows;
    this.header = new Int32Array(block, base, 32);
    this.handle = new Uint32Array(block, at('handle'), rows);
    this.data = new Uint32Array(block, at('data'), rows);
    this.length = new Uint32Array(block, at('length'), rows);
    this.traits = new Uint32Array(block, at('traits'), rows);
    this.verdict = new Int32Array(block, at('verdict'), rows);
    this.ingress = new Uint8Array(block, at('ingress'), rows);
    this.edits = new Uint8Array(block, at('edits'), rows);
    this.l3 = new Uint16Array(block, at('l3'), rows);
    this.l4 = new Uint16Array(block, at('l4'), rows);
    this.flow = at('flow');
    this.newSource = new Uint32Array(block, at('newSource'), rows);
    this.newDestination = new Uint32Array(block, at('newDestination'), rows);
    this.newSourcePort = new Uint16Array(block, at('newSourcePort'), rows);
    this.newDestinationPort = new Uint16Array(block, at('newDestinationPort'), rows);
    this.link = at('link');
    this.egress = new Uint8Array(block, at('egress'), rows);
    this.exception = new Uint16Array(block, at('exception'), rows);
    this.exceptionCode = new Uint8Array(block, at('exceptionCode'), rows);
    this.view = new DataView(block);
    this.bytes = new Uint8Array(block);
    this.registers = strides.map(
      (stride, i) => new RegisterColumns(block, base, i, stride, shape, rows),
    );
  }

  /** Rows in use; those made here by NFs come after those received. */
  get count(): number {
    return this.header[0] as number;
  }

  /** Lane clock at receive, milliseconds, wrapping at 2^32. */
  get nowMilliseconds(): number {
    return (this.header[1] as number) >>> 0;
  }

  attendedCount(register: number): number {
    return this.header[4 + register] as number;
  }
  stagedCount(register: number): number {
    return this.header[10 + register] as number;
  }
  lostCount(register: number): number {
    return this.header[16 + register] as number;
  }
  get exceptionCount(): number {
    return this.header[22] as number;
  }

  /** Every row has its verdict: operators may pass over the whole batch. */
  get allSettled(): boolean {
    return this.header[24] !== 0;
  }
  settledAll(): void {
    this.header[24] = 1;
  }
  /** Some row is pending again. */
  reopen(): void {
    this.header[24] = 0;
  }

  /** Every row has been found in a register's table, and nothing is staged there. */
  isHit(register: number): boolean {
    return ((this.header[26] as number) & (1 << register)) !== 0;
  }
  /** Some row may have been looked up in a register's table, or have something staged there. */
  isTouched(register: number): boolean {
    return ((this.header[27] as number) & (1 << register)) !== 0;
  }
  /** From now on rows differ in what a register has of them. */
  touch(register: number): void {
    const bit = 1 << register;
    this.header[26] = (this.header[26] as number) & ~bit;
    this.header[27] = (this.header[27] as number) | bit;
  }

  /** Rows of one key have not found their leaders yet: `Lane.join`, before the first write is staged. */
  get isUnjoined(): boolean {
    return this.header[28] !== 0;
  }

  /** False when no row can match: lets an operator pass over the whole batch. */
  mayMatch(where: WhereMask): boolean {
    return ((this.header[23] as number) & where.all) >>> 0 === where.all;
  }

  /** Gives a row more traits, so that `mayMatch` knows of them too. */
  addTraits(row: number, traits: number): void {
    this.traits[row] = ((this.traits[row] as number) | traits) >>> 0;
    this.header[23] = (this.header[23] as number) | traits;
  }

  /**
   * Puts a row at the end of a register's staged list; `writeState` performs them in that order. A
   * row that was staged, taken back and staged again stands there twice, and its second mention does
   * nothing; so a full list is first cut to one mention of each.
   */
  stage(register: number, row: number): void {
    const { staged } = this.registers[register] as RegisterColumns;
    let count = this.header[10 + register] as number;
    if (count === staged.length) {
      const rows = new Set(staged);
      rows.delete(row);
      staged.set([...rows]);
      count = rows.size;
    }
    staged[count] = row;
    this.header[10 + register] = count + 1;
  }
}
