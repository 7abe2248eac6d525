import type { PacketBatch } from '../streams/batch.ts';
import { type BatchOperator, synchronousOperator } from '../streams/operator.ts';
import { matches, type WhereMask } from '../streams/traits.ts';
import { drop } from '../streams/verdict.ts';

function apply(batch: PacketBatch, rows: WhereMask, reason: number): void {
  const { verdict, traits, count } = batch;
  for (let row = 0; row < count; row++) {
    if (verdict[row] === 0 && matches(traits[row] as number, rows)) verdict[row] = reason;
  }
}

/**
 * Drops the packets that a mask describes, each rule under its own reason; the first rule that
 * matches counts. Batches without such packets pass at no cost.
 *
 * @example dropRows([{ where: where({ all: [trait.ipv6] }), reason: 'ipv6' }])
 */
export function dropRows<F>(
  rules: readonly { where: WhereMask; reason: string }[],
): BatchOperator<F> {
  const compiled = rules.map((rule) => ({ where: rule.where, verdict: drop(rule.reason) }));
  return synchronousOperator('dropRows', () => (batch) => {
    for (let k = 0; k < compiled.length; k++) {
      const rule = compiled[k] as (typeof compiled)[number];
      if (batch.mayMatch(rule.where)) apply(batch, rule.where, rule.verdict);
    }
  });
}
