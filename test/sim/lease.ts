/** A session's numbers of a pool: one block at hand, the next asked for when it is taken. */
import { type Lease, leaseMilliseconds, type NumberPool } from '../../src/state/store.ts';
import type { Lane } from '../../src/streams/lane.ts';
import { nameKey } from './columns.ts';
import type { SimSession } from './session.ts';
import type { Out } from './store-functions.ts';
import { Violation } from './violation.ts';

const block = 8;
/** What is at hand for longer goes back, so that what is taken is taken soon after it was leased. */
const stockMilliseconds = leaseMilliseconds / 2;
const standardAuditMilliseconds = leaseMilliseconds;
/**
 * Between the first sight of a number without a record and its return: longer than a lessee may keep it
 * unused, and longer than any releaser that is not fenced takes from the record's removal to the return.
 */
const graceMilliseconds = 2 * leaseMilliseconds;

export class SimLease implements Lease {
  private readonly lane: Lane;
  private readonly session: SimSession;
  private readonly pool: NumberPool;
  private stock: number[] = [];
  private stockedAt = 0;
  private asking = false;
  /** By number and lease: when it was first seen without a record. */
  private suspects = new Map<string, number>();

  constructor(lane: Lane, session: SimSession, pool: NumberPool) {
    this.lane = lane;
    this.session = session;
    this.pool = pool;
    this.refill();
    const { auditMilliseconds = standardAuditMilliseconds } = session.options;
    lane.every(auditMilliseconds, (now) => {
      this.returnStale(now);
      this.audit();
    });
  }

  get pending(): boolean {
    return this.asking;
  }

  take(out: Uint32Array): number {
    this.returnStale(this.lane.nowMilliseconds);
    const taken = this.stock.splice(0, out.length);
    out.set(taken);
    if (this.stock.length === 0) this.refill();
    return taken.length;
  }

  give(number: number): void {
    const { name } = this.pool;
    this.session.change(
      (functions) => functions.give(name, number),
      (answer) => {
        if (answer?.value === false)
          throw new Violation(10, `${name}: number ${number} was returned but is not out`);
      },
    );
  }

  giveAll(numbers: Uint32Array, count: number): void {
    for (let i = 0; i < count; i++) this.give(numbers[i] as number);
  }

  private refill(): void {
    if (this.asking) return;
    this.asking = true;
    const { name, first, count } = this.pool;
    const { writer } = this.session.options;
    this.session.changeCommitted(
      (functions) => functions.lease(name, first, count, block, writer),
      (numbers) => {
        this.asking = false;
        this.stockedAt = this.lane.nowMilliseconds;
        this.stock.push(...(numbers ?? []).map(({ number }) => number));
      },
    );
  }

  private returnStale(now: number): void {
    if ((now - this.stockedAt) >>> 0 <= stockMilliseconds) return;
    for (const number of this.stock.splice(0)) this.give(number);
  }

  /** Numbers that are out and have no record, twice and by the same lease, belong to nobody. */
  private audit(): void {
    const { name, use } = this.pool;
    this.session.ask(
      (functions) => {
        const out = functions.numbersOut(name);
        const keys = out.map(({ number }) => this.keyOf(number));
        return functions.unused(use.table, keys).map((i) => out[i]);
      },
      (answer) => answer && this.suspect(answer.value),
    );
  }

  private suspect(unused: readonly Out[]): void {
    const now = this.lane.nowMilliseconds;
    const { cluster, fencedGraceMilliseconds = graceMilliseconds } = this.session.options;
    const met = new Map<string, number>();
    const due: Out[] = [];
    for (const out of unused) {
      const since = this.suspects.get(`${out.number} ${out.lease}`) ?? now;
      const grace = cluster.isFenced(out.lessee) ? fencedGraceMilliseconds : graceMilliseconds;
      if ((now - since) >>> 0 >= grace) due.push(out);
      else met.set(`${out.number} ${out.lease}`, since);
    }
    this.suspects = met;
    const { name } = this.pool;
    if (due.length === 0) return;
    this.session.change(
      (functions) => functions.reclaim(name, due),
      () => undefined, // the next audit finds what is still out
    );
  }

  private keyOf(number: number): string {
    const bytes = new Uint8Array(16);
    this.pool.use.key(number, bytes);
    return nameKey(bytes);
  }
}
