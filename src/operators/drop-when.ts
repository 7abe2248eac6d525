import type { PacketBatch } from '../streams/batch.ts';
import { type BatchOperator, synchronousOperator } from '../streams/operator.ts';
import { everyPacket, matches, type WhereMask } from '../streams/traits.ts';
import { drop } from '../streams/verdict.ts';
import { type PacketPredicate, Predicate } from './predicate.ts';

/**
 * Drops the pending packets for which an author's predicate is true, under a reason that is counted
 * from zero. Masks need no call per packet: where one says it, prefer `dropRows`.
 *
 * @param reason name of the drop reason
 * @param where packets that the predicate is asked about; default: all that are pending
 * @example packets.pipe(lookupState(banned, { key: 'flow' }), dropWhen((packet) => packet.banned.found, 'banned'))
 */
export function dropWhen<F>(
  predicate: PacketPredicate<F>,
  reason: string,
  where: WhereMask = everyPacket,
): BatchOperator<F> {
  const verdict = drop(reason);
  return synchronousOperator('dropWhen', (lane) => {
    const asked = new Predicate(lane, predicate);
    return (batch) => {
      if (!batch.allSettled && batch.mayMatch(where)) dropRowsThat(batch, asked, where, verdict);
    };
  });
}

function dropRowsThat(
  batch: PacketBatch,
  asked: Predicate,
  where: WhereMask,
  verdict: number,
): void {
  const { verdict: verdicts, traits, count } = batch;
  for (let row = 0; row < count; row++) {
    if (verdicts[row] !== 0 || !matches(traits[row] as number, where)) continue;
    if (asked.holds(batch, row)) verdicts[row] = verdict;
  }
  asked.finish();
}
