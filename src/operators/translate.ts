import type { Looked } from '../state/cursor.ts';
import type { FieldsOfKind } from '../state/record.ts';
import type { Table } from '../state/table.ts';
import { edit } from '../streams/batch.ts';
import { type BatchOperatorOn, synchronousOperator } from '../streams/operator.ts';
import { everyPacket, type WhereMask } from '../streams/traits.ts';
import type { Verdict } from '../streams/verdict.ts';

export interface TranslateOptions<F> {
  readonly side: 'source' | 'destination';
  /** Field with the new address, declared as `ipv4`. */
  readonly address: FieldsOfKind<F, 'ipv4'>;
  /** Field with the new port or ICMP query identifier, declared as `port`. */
  readonly port: FieldsOfKind<F, 'port'>;
  readonly where?: WhereMask;
  /** What becomes of a packet without a record. Default: it goes on as it is. */
  readonly otherwise?: Verdict;
}

/**
 * Stages a new endpoint for every packet whose record was found, from two of its fields: what a
 * `transform` with `setSource` or `setDestination` does, without a call per packet.
 *
 * @example translate(bindings, { side: 'source', address: 'address', port: 'port' })
 */
export function translate<Name extends string, F>(
  table: Table<Name, F>,
  options: TranslateOptions<F>,
): BatchOperatorOn<Looked<Name, F>> {
  const { offsets, fields } = table.schema;
  const kind = (field: string) => (fields as Record<string, { kind: string }>)[field]?.kind;
  if (kind(options.address) !== 'ipv4')
    throw new TypeError(`translate: field ${options.address} is not declared as ipv4`);
  if (kind(options.port) !== 'port')
    throw new TypeError(`translate: field ${options.port} is not declared as port`);
  const rows = options.where ?? everyPacket;
  return synchronousOperator(`translate(${table.name})`, (lane) => {
    const run = lane.kernel('translate', {
      register: lane.register(table.name),
      side: edit[options.side],
      where: rows,
      addressOffset: offsets[options.address],
      portOffset: offsets[options.port],
      otherwise: options.otherwise ?? 0,
    });
    return (batch) => {
      if (batch.mayMatch(rows)) run(batch);
    };
  });
}
