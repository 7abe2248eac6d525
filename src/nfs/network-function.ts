/**
 * A network function: a name, the tables it keeps state in, and the pipeline that it is. It holds no
 * state of its own: what is not in its tables ends with the batch.
 */
import type { OperatorFunction } from 'rxjs';
import { openSessions } from '../state/sessions.ts';
import type { Store } from '../state/store.ts';
import type { Table } from '../state/table.ts';
import type { PacketBatch } from '../streams/batch.ts';
import { Lane, type LaneOptions } from '../streams/lane.ts';

export type Pipeline = OperatorFunction<PacketBatch, PacketBatch>;

export interface NetworkFunction {
  readonly name: string;
  /** Every table it uses, its own soft state included; at most six in a chain. */
  readonly tables: readonly Table[];
  /** The pipeline for one lane; called once per lane. */
  build(lane: Lane): Pipeline;
}

/**
 * Declares a network function.
 *
 * @example
 * const counter = networkFunction('counter', [flows], (lane) => (packets) => packets.pipe(
 *   parse(),
 *   lookupState(flows, { key: 'flow' }),
 *   transform([flows], countPacket),
 *   writeState([flows]),
 *   forwardTo(lane.port('out')),
 * ));
 */
export function networkFunction(
  name: string,
  // biome-ignore lint/suspicious/noExplicitAny: tables of any record
  tables: readonly Table<string, any>[],
  build: (lane: Lane) => Pipeline,
): NetworkFunction {
  return { name, tables, build };
}

/**
 * Joins network functions: each gets what the one before it left pending. Tables of one name are one
 * table, so two of them may share state.
 */
export function chain(...functions: readonly NetworkFunction[]): NetworkFunction {
  const tables = new Map<string, Table>();
  for (const table of functions.flatMap((nf) => nf.tables)) {
    const other = tables.get(table.name);
    if (other && other !== table) {
      throw new Error(
        `two network functions of this chain declare a table ${table.name}, and differently`,
      );
    }
    tables.set(table.name, table);
  }
  return networkFunction(
    functions.map((nf) => nf.name).join(' | '),
    [...tables.values()],
    (lane) => {
      const pipelines = functions.map((nf) => nf.build(lane));
      return (packets) => pipelines.reduce((stream, pipeline) => pipeline(stream), packets);
    },
  );
}

/** Opens a lane that runs a network function over its ports, with its state in a store. */
export function openLane(
  nf: NetworkFunction,
  store: Store,
  options: Omit<LaneOptions, 'tables'>,
): Lane {
  const writer = store.takeWriter?.() ?? options.writer;
  const lane = new Lane({ ...options, ...(writer !== undefined && { writer }), tables: nf.tables });
  openSessions(lane, store);
  lane.run(nf.build(lane));
  return lane;
}
