import { Observable, type Subscriber, type Subscription } from 'rxjs';
import type { PacketBatch } from '../streams/batch.ts';
import type { Lane } from '../streams/lane.ts';
import { type BatchOperator, batchOperator, type Stage } from '../streams/operator.ts';
import { everyPacket, matches, type WhereMask } from '../streams/traits.ts';
import { parked } from '../streams/verdict.ts';
import { type PacketPredicate, Predicate } from './predicate.ts';

/** One way through a branch. A packet takes the first arm that matches it. */
export interface Arm<F> {
  /** Packets that may take this arm. Default: all that are pending. */
  readonly where?: WhereMask;
  /** Asked about those; as in `dropWhen`, it only looks. */
  readonly when?: PacketPredicate<F>;
  /** Sees the arm's packets as the only pending ones. Every batch must come out of it again. */
  readonly pipe: (packets: Observable<PacketBatch<F>>) => Observable<PacketBatch>;
}

/** `otherwise`: the arm of the packets that no other arm took. */
export type Arms<F> = Readonly<Record<string, Arm<F>>> & {
  readonly otherwise?: { readonly pipe: Arm<F>['pipe'] };
};

/**
 * Sends packets of different kinds through pipelines of their own, and rejoins them. The batch stays
 * whole and in order: it goes through one arm after the other, in the order in which they are
 * written, and in each arm only that arm's packets are pending. What an arm leaves pending goes on
 * behind the branch.
 *
 *            +-- web:       DNAT ---+
 *   batch ---+-- dns:       limit --+--- batch
 *            +-- otherwise: drop ---+
 *
 * An arm that stages writes must also write them (`writeState`): a later arm's lookup in the same
 * table starts that table's list anew.
 *
 * @throws {RangeError} no arm, or more than 32
 * @example
 * branch({
 *   ours: { where: where({ all: [own] }), pipe: (packets) => packets.pipe(answerPings()) },
 *   young: { when: (packet) => packet.ttl > 60, pipe: (packets) => packets.pipe(forwardTo('fast')) },
 *   otherwise: { pipe: (packets) => packets.pipe(forwardTo('slow')) },
 * })
 */
export function branch<F>(arms: Arms<F>): BatchOperator<F> {
  const { otherwise, ...named } = arms as Readonly<Record<string, Arm<F>>>;
  const ordered = Object.entries(named);
  if (otherwise) ordered.push(['otherwise', { pipe: otherwise.pipe }]);
  if (ordered.length < 1 || ordered.length > maxArms) {
    throw new RangeError(`branch: ${ordered.length} arms; 1 to ${maxArms} are allowed`);
  }
  return batchOperator(
    `branch(${ordered.map(([name]) => name).join(', ')})`,
    (lane, emit, fail) => new Branching(lane, ordered, emit, fail),
  );
}

const maxArms = 32;
/** Pending, and no arm matches. */
const noWay = 0xfe;
/** Not ours: settled before, or parked by a branch around this one. */
const notPending = 0xff;

/** One arm at work in one lane. */
class Way {
  readonly where: WhereMask;
  readonly asked: Predicate | undefined;
  /** Batches that are in the arm now. */
  inside = 0;
  private readonly subscription: Subscription;
  private entrance!: Subscriber<PacketBatch>;

  constructor(
    lane: Lane,
    arm: Arm<never>,
    left: (batch: PacketBatch) => void,
    fail: (error: unknown) => void,
  ) {
    this.where = arm.where ?? everyPacket;
    this.asked = arm.when && new Predicate(lane, arm.when);
    const source = new Observable<PacketBatch>((subscriber) => {
      this.entrance = subscriber;
    });
    this.subscription = arm.pipe(source as never).subscribe({ next: left, error: fail });
  }

  enter(batch: PacketBatch): void {
    this.inside++;
    this.entrance.next(batch);
  }

  close(): void {
    this.subscription.unsubscribe();
  }
}

/** Which way each packet of a batch goes; one per batch of the pool, reused. */
interface Plan {
  readonly wayOf: Uint8Array;
  /** Rows when the batch came into its arm: those behind them are made there. */
  count: number;
  /** A bit for each way that some packet takes. */
  taken: number;
}

class Branching implements Stage {
  private readonly ways: readonly Way[];
  private readonly emit: (batch: PacketBatch) => void;
  private readonly plans: Plan[] = [];

  constructor(
    lane: Lane,
    arms: readonly (readonly [string, Arm<never>])[],
    emit: (batch: PacketBatch) => void,
    fail: (error: unknown) => void,
  ) {
    this.emit = emit;
    this.ways = arms.map(
      ([, arm], way) => new Way(lane, arm, (batch) => this.leave(batch, way), fail),
    );
  }

  process(batch: PacketBatch): void {
    const plan = this.planOf(batch);
    this.choose(batch, plan);
    this.enterNext(batch, plan, 0);
  }

  dispose(): void {
    for (const way of this.ways) way.close();
  }

  private planOf(batch: PacketBatch): Plan {
    let plan = this.plans[batch.index];
    if (!plan) {
      plan = { wayOf: new Uint8Array(batch.capacity), count: 0, taken: 0 };
      this.plans[batch.index] = plan;
    }
    return plan;
  }

  private choose(batch: PacketBatch, plan: Plan): void {
    const { verdict, traits, count } = batch;
    const { wayOf } = plan;
    for (let row = 0; row < count; row++) wayOf[row] = verdict[row] === 0 ? noWay : notPending;
    plan.taken = 0;
    for (let way = 0; way < this.ways.length; way++) {
      const { where, asked } = this.ways[way] as Way;
      if (!batch.mayMatch(where)) continue;
      for (let row = 0; row < count; row++) {
        if (wayOf[row] !== noWay || !matches(traits[row] as number, where)) continue;
        if (asked !== undefined && !asked.holds(batch, row)) continue;
        wayOf[row] = way;
        plan.taken |= 1 << way;
      }
      asked?.finish();
    }
  }

  /**
   * Into the next arm that has packets of this batch, or behind the last. An arm that has none is
   * passed by, unless another batch is in it: batches would change places.
   */
  private enterNext(batch: PacketBatch, plan: Plan, from: number): void {
    for (let way = from; way < this.ways.length; way++) {
      const next = this.ways[way] as Way;
      if (next.inside === 0 && (plan.taken & (1 << way)) === 0) continue;
      park(batch, plan, way);
      next.enter(batch);
      return;
    }
    this.emit(batch);
  }

  private leave(batch: PacketBatch, way: number): void {
    (this.ways[way] as Way).inside--;
    const plan = this.planOf(batch);
    unpark(batch, plan, way);
    this.enterNext(batch, plan, way + 1);
  }
}

/** Every pending packet of another way, and those that no way takes, is out of the arm's sight. */
function park(batch: PacketBatch, plan: Plan, way: number): void {
  const { verdict, count } = batch;
  const { wayOf } = plan;
  plan.count = count;
  for (let row = 0; row < count; row++) {
    if (verdict[row] === 0 && wayOf[row] !== way) verdict[row] = parked;
  }
}

/** Undoes `park`; packets made in the arm belong to it, later arms do not see them. */
function unpark(batch: PacketBatch, plan: Plan, way: number): void {
  const { verdict, count } = batch;
  const { wayOf } = plan;
  let waiting = false;
  for (let row = 0; row < plan.count; row++) {
    if (verdict[row] !== parked || wayOf[row] === way || wayOf[row] === notPending) continue;
    verdict[row] = 0;
    waiting = true;
  }
  wayOf.fill(way, plan.count, count);
  if (waiting) batch.reopen();
}
