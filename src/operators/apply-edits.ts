import { type BatchOperator, synchronousOperator } from '../streams/operator.ts';

/**
 * Applies the header edits staged so far, with checksums updated (RFC 1624), and forwards packets
 * that have a next hop. Comes after every operator that a packet may still be dropped by; a chain's
 * next network function sees the edited packet.
 */
export function applyEdits<F>(): BatchOperator<F> {
  return synchronousOperator('applyEdits', (lane) => {
    const run = lane.kernel('rewrite', {});
    return (batch) => {
      if (!batch.allSettled) run(batch);
    };
  });
}
