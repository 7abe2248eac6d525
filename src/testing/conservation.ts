/** What must hold when a network function has come to rest: nothing lost, nothing kept, nothing broken. */
import type { LaneEvent, LaneStatistics } from '../streams/lane.ts';

/** Packets that came in or were made, and have neither left, nor been dropped, nor are known to be held. */
export function unaccounted(statistics: LaneStatistics): number {
  const { received, originated, forwarded, dropped, held } = statistics;
  return total(received) + originated - total(forwarded) - total(Object.values(dropped)) - held;
}

/** One sentence for each packet or buffer count that is off; held packets are `findKept`'s. */
export function findLost(
  statistics: LaneStatistics,
  pool: { readonly capacity: number; readonly available: number },
): string[] {
  const { received, originated, forwarded, dropped, held, batchesOut } = statistics;
  const faults: string[] = [];
  const lost = unaccounted(statistics);
  if (lost !== 0) {
    faults.push(
      `conservation: received ${total(received)} + originated ${originated} = forwarded ${total(forwarded)}` +
        ` + dropped ${total(Object.values(dropped))} + held ${held}, and ${lost} that nobody accounts for`,
    );
  }
  const missing = pool.capacity - pool.available;
  if (missing !== held && batchesOut === 0) {
    faults.push(
      `the pool misses ${missing} of ${pool.capacity} buffers where ${held} packets are held`,
    );
  }
  return faults;
}

/** One sentence for each thing that a lane reported and a test must not pass over. */
export function findReported(
  { batchesOut }: LaneStatistics,
  events: readonly LaneEvent[],
  allowCallbackErrors: boolean,
): string[] {
  const faults: string[] = [];
  if (batchesOut !== 0) {
    const holders = events.filter((event) => event.event === 'batch-unsettled');
    const names = [...new Set(holders.map((event) => event.holder))].join(', ');
    faults.push(
      `${batchesOut} batches were never settled, last held by ${names || 'nobody known'}`,
    );
  }
  for (const { event, message } of events) {
    if (event === 'pipeline-failed') faults.push(`the pipeline failed: ${message}`);
    if (event === 'callback-error' && !allowCallbackErrors) {
      faults.push(`a callback threw: ${message}`);
    }
  }
  return faults;
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
