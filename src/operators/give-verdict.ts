import type { PacketBatch } from '../streams/batch.ts';
import type { Lane } from '../streams/lane.ts';
import type { WhereMask } from '../streams/traits.ts';
import type { Verdict } from '../streams/verdict.ts';

/** What gives the pending packets of a mask a verdict. Batches without such packets pass at no cost. */
export function giveVerdict(
  lane: Lane,
  rows: WhereMask,
  verdict: Verdict,
): (batch: PacketBatch) => void {
  const run = lane.kernel('verdict', { where: rows, verdict });
  return (batch) => {
    if (batch.mayMatch(rows)) run(batch);
  };
}
