/**
 * How a batch operator is made: an RxJS operator whose state, if it has any, is per subscription and
 * made with the first batch, since only a batch knows its lane.
 */
import { Observable, type OperatorFunction } from 'rxjs';
import type { PacketBatch } from './batch.ts';
import type { Lane } from './lane.ts';

export type BatchOperator<In, Out = In> = OperatorFunction<PacketBatch<In>, PacketBatch<Out>>;

/** One operator at work in one lane. */
export interface Stage {
  /** Takes ownership of the batch; passes it on by `emit`, at once or later, in order. */
  process(batch: PacketBatch): void;
  /** Lets go of everything held; held batches are reclaimed by the lane. */
  dispose?(): void;
}

/**
 * @param name shown in reports of batches that nobody settles
 * @param create called once per subscription
 */
export function batchOperator<In, Out = In>(
  name: string,
  create: (lane: Lane, emit: (batch: PacketBatch) => void) => Stage,
): BatchOperator<In, Out> {
  return (source) =>
    new Observable<PacketBatch<Out>>((subscriber) => {
      let stage: Stage | undefined;
      const emit = (batch: PacketBatch) => subscriber.next(batch as PacketBatch<Out>);
      const subscription = source.subscribe({
        next(batch) {
          stage ??= create(batch.lane, emit);
          batch.holder = name;
          stage.process(batch);
        },
        error: (error) => subscriber.error(error),
        complete: () => subscriber.complete(),
      });
      return () => {
        subscription.unsubscribe();
        stage?.dispose?.();
      };
    });
}

/** An operator that does its work at once and passes the batch on. */
export function synchronousOperator<In, Out = In>(
  name: string,
  create: (lane: Lane) => (batch: PacketBatch) => void,
): BatchOperator<In, Out> {
  return batchOperator<In, Out>(name, (lane, emit) => {
    const work = create(lane);
    return {
      process(batch) {
        work(batch);
        emit(batch);
      },
    };
  });
}
