/**
 * How a batch operator is made: an RxJS operator whose state, if it has any, is per subscription and
 * made with the first batch, since only a batch knows its lane.
 *
 * Operators piped one after another share one subscription: a batch goes from stage to stage by plain
 * calls, and through RxJS only where the author's own operators stand between.
 */
import { Observable, type OperatorFunction, type Subscriber } from 'rxjs';
import type { PacketBatch } from './batch.ts';
import type { Lane } from './lane.ts';

export type BatchOperator<In, Out = In> = OperatorFunction<PacketBatch<In>, PacketBatch<Out>>;

/** For batches with these fields and whatever others, which it hands on. */
export type BatchOperatorOn<Fields> = <In extends Fields>(
  source: Observable<PacketBatch<In>>,
) => Observable<PacketBatch<In>>;

type Emit = (batch: PacketBatch) => void;

/**
 * Work that is done with a batch when it returns. A batch that is `allSettled` passes by it, unless it
 * is made with `seesSettled`.
 */
export type Work = ((batch: PacketBatch) => void) & { readonly seesSettled?: true };

/** For work on packets that have their verdicts. */
export function seesSettled(work: (batch: PacketBatch) => void): Work {
  return Object.assign(work, { seesSettled: true as const });
}

/** An operator that may keep a batch for a while. */
export interface Stage {
  /** Takes ownership of the batch; passes it on by `emit`, at once or later, in order. */
  process(batch: PacketBatch): void;
  /** Lets go of everything held; held batches are reclaimed by the lane. */
  dispose?(): void;
}

/** Ends the whole stream with an error: for operators that run pipelines of their own. */
type Fail = (error: unknown) => void;

interface Step {
  readonly name: string;
  readonly create: (lane: Lane, emit: Emit, fail: Fail) => Stage | Work;
}

/**
 * @param name shown in reports of batches that nobody settles
 * @param create called once per subscription, with the first batch's lane
 */
export function batchOperator<In, Out = In>(
  name: string,
  create: Step['create'],
): BatchOperator<In, Out> {
  return (source) => {
    const step = { name, create };
    const steps = source instanceof Steps ? [...source.steps, step] : [step];
    const root = source instanceof Steps ? source.root : (source as Observable<PacketBatch>);
    return new Steps(root, steps) as unknown as Observable<PacketBatch<Out>>;
  };
}

/** An operator that does its work at once and passes the batch on. */
export function synchronousOperator<In, Out = In>(
  name: string,
  create: (lane: Lane) => Work,
): BatchOperator<In, Out> {
  return batchOperator<In, Out>(name, create);
}

/** Consecutive batch operators over one source. */
class Steps extends Observable<PacketBatch> {
  readonly root: Observable<PacketBatch>;
  readonly steps: readonly Step[];

  constructor(root: Observable<PacketBatch>, steps: readonly Step[]) {
    super((subscriber) => run(root, steps, subscriber));
    this.root = root;
    this.steps = steps;
  }
}

function run(
  root: Observable<PacketBatch>,
  steps: readonly Step[],
  subscriber: Subscriber<PacketBatch>,
) {
  const stages: Stage[] = [];
  let enter: Emit | undefined;
  const subscription = root.subscribe({
    next(batch) {
      enter ??= link(steps, batch.lane, subscriber, stages);
      enter(batch);
    },
    error: (error) => subscriber.error(error),
    complete: () => subscriber.complete(),
  });
  return () => {
    subscription.unsubscribe();
    for (const stage of stages) stage.dispose?.();
  };
}

/** From the last step to the first; runs of synchronous work become one loop. */
function link(
  steps: readonly Step[],
  lane: Lane,
  subscriber: Subscriber<PacketBatch>,
  stages: Stage[],
): Emit {
  const fail: Fail = (error) => subscriber.error(error);
  let emit: Emit = (batch) => subscriber.next(batch);
  let works: Work[] = [];
  const close = () => {
    if (works.length > 0) emit = inTurn(works, emit);
    works = [];
  };
  for (const { name, create } of steps.toReversed()) {
    // A stage needs the emit behind it, which work still being collected is part of.
    let behind: Emit | undefined;
    const made = create(lane, (batch) => (behind as Emit)(batch), fail);
    if (typeof made === 'function') {
      works.unshift(made);
      continue;
    }
    close();
    behind = emit;
    stages.push(made);
    emit = (batch) => {
      batch.holder = name;
      made.process(batch);
    };
  }
  close();
  return emit;
}

function inTurn(works: readonly Work[], emit: Emit): Emit {
  /** By work: the next that sees settled batches. */
  const nextSeeing = works.map((_, i) => {
    const next = works.findIndex((work, k) => k > i && work.seesSettled);
    return next < 0 ? works.length : next;
  });
  return (batch) => {
    let i = batch.allSettled && !works[0]?.seesSettled ? (nextSeeing[0] as number) : 0;
    while (i < works.length) {
      (works[i] as Work)(batch);
      i = batch.allSettled ? (nextSeeing[i] as number) : i + 1;
    }
    emit(batch);
  };
}
