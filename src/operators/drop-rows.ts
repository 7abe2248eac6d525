import { type BatchOperator, synchronousOperator } from '../streams/operator.ts';
import type { WhereMask } from '../streams/traits.ts';
import { drop } from '../streams/verdict.ts';
import { giveVerdict } from './give-verdict.ts';

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
  return synchronousOperator('dropRows', (lane) => {
    const runs = compiled.map((rule) => giveVerdict(lane, rule.where, rule.verdict));
    return (batch) => {
      for (let k = 0; k < runs.length; k++) (runs[k] as (typeof runs)[number])(batch);
    };
  });
}
