/**
 * A lane's numbers of a pool that lies on a server: some are kept at hand, since asking takes time, and
 * what is given back is gathered into one command at a time.
 *
 * A command that is repeated after a lost reply has the same token, and the same effect and answer.
 */
import type { Lane } from '../../streams/lane.ts';
import { type Lease, leaseMilliseconds, type NumberPool } from '../store.ts';
import type { RemoteClient } from './client.ts';
import { functionCall, listOf, type Word } from './command.ts';
import { fnv1a, poolKeys } from './key-names.ts';

/** At hand: asked for when there are fewer than this, as many again. */
const stock = 256;
/** After a refusal or an empty pool, so that it is not asked without pause. */
const retryMilliseconds = 20;
const givenAtOnce = 1024;

export class RemoteLease implements Lease {
  private readonly lane: Lane;
  private readonly client: RemoteClient;
  private readonly pool: NumberPool;
  private readonly partition: number;
  private readonly keys: [string, string];
  private readonly atHand: number[] = [];
  private readonly given: number[] = [];
  private token = 0;
  /** Commands whose answer is not known yet; sent again as they are. */
  private asked: Word[] | undefined;
  private giving: { readonly words: Word[]; readonly numbers: readonly number[] } | undefined;
  private isAsking = false;
  private isGiving = false;
  private retryAt: number | undefined;
  private askedAt = 0;
  private isEmpty = false;

  constructor(lane: Lane, client: RemoteClient, pool: NumberPool) {
    this.lane = lane;
    this.client = client;
    this.pool = pool;
    this.partition = fnv1a(pool.name) % client.partitions;
    this.keys = poolKeys(this.partition, pool.name);
    this.ask();
    lane.every(retryMilliseconds, () => {
      this.sendGiven();
      this.returnStale();
    });
    lane.onClose(() => this.close());
  }

  get pending(): boolean {
    return !this.isEmpty;
  }

  take(out: Uint32Array): number {
    const count = Math.min(out.length, this.atHand.length);
    for (let i = 0; i < count; i++) out[i] = this.atHand.shift() as number;
    if (this.atHand.length < stock / 2) this.ask();
    return count;
  }

  /** Reported by the server, not thrown, where the number is not out: it is then handed out to nobody. */
  give(number: number): void {
    this.given.push(number);
    this.sendGiven();
  }

  giveAll(numbers: Uint32Array, count: number): void {
    for (let i = 0; i < count; i++) this.given.push(numbers[i] as number);
    this.sendGiven();
  }

  private ask(): void {
    const now = this.lane.nowMilliseconds;
    if (this.isAsking || (this.retryAt !== undefined && ((now - this.retryAt) | 0) < 0)) return;
    this.asked ??= this.request();
    this.isAsking = this.client.call(this.partition, this.asked, (reply) => {
      this.isAsking = false;
      this.askedAt = this.lane.nowMilliseconds;
      const numbers = listOf(reply);
      this.retryAt = numbers.length > 0 ? undefined : this.askedAt + retryMilliseconds;
      if (!Array.isArray(reply)) return;
      this.asked = undefined;
      this.isEmpty = numbers.length === 0;
      for (const number of numbers) this.atHand.push(number as number);
    });
  }

  private request(): Word[] {
    const { first, count } = this.pool;
    const wanted = Math.min(stock, Math.ceil(count / 8));
    return functionCall('lease', this.keys, this.client.writer, ++this.token, wanted, first, count);
  }

  private sendGiven(): void {
    if (this.isGiving) return;
    if (!this.giving && this.given.length > 0) {
      const numbers = this.given.splice(0, givenAtOnce);
      const { writer } = this.client;
      this.giving = {
        words: functionCall('give', this.keys, writer, ++this.token, ...numbers),
        numbers,
      };
    }
    const { giving } = this;
    if (!giving) return;
    this.isGiving = this.client.call(this.partition, giving.words, (reply) => {
      this.isGiving = false;
      if (typeof reply !== 'number') return; // the store is away: the next tick sends it again
      this.giving = undefined;
      if (reply < giving.numbers.length) this.reportNotOut(giving.numbers, reply);
      this.sendGiven();
    });
  }

  private reportNotOut(numbers: readonly number[], accepted: number): void {
    this.lane.report({
      event: 'number-not-out',
      pool: this.pool.name,
      message: `${numbers.length - accepted} of ${numbers.length} numbers given back were not out`,
      numbers: numbers.slice(0, 16),
    });
  }

  /** What nobody took for so long that the audit may soon: it is leased anew when it is needed. */
  private returnStale(): void {
    if (this.atHand.length === 0) return;
    if ((this.lane.nowMilliseconds - this.askedAt) >>> 0 < leaseMilliseconds) return;
    this.askedAt = this.lane.nowMilliseconds;
    this.returnAll();
  }

  private returnAll(): void {
    this.given.push(...this.atHand.splice(0));
    this.sendGiven();
  }

  private close(): void {
    this.retryAt = this.lane.nowMilliseconds + leaseMilliseconds;
    this.returnAll();
  }
}
