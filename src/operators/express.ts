import { localSessionOf, tableSessionOf } from '../state/sessions.ts';
import type { AnyTable, Table } from '../state/table.ts';
import { type BatchOperator, synchronousOperator } from '../streams/operator.ts';
import { type ParseOptions, parseConfiguration } from './parse.ts';
import { type RouteOptions, routeConfiguration } from './route.ts';

/** One direction: the table that knows the packet's endpoint, and the fields that replace it. */
export interface ExpressTranslation<F> {
  readonly table: Table<string, F>;
  /** Field declared as `ipv4`. */
  readonly address: keyof F & string;
  /** Field declared as `port`. */
  readonly port: keyof F & string;
  /** Hits prolong the record's life. */
  readonly refresh: boolean;
}

export interface ExpressOptions<S, D> {
  readonly parse: ParseOptions;
  readonly route: RouteOptions;
  /** Mark of the ports whose packets get a new source, when they take a route marked `outside`. */
  readonly inside: number;
  readonly outside: number;
  readonly source: ExpressTranslation<S>;
  /** Mark of the addresses whose packets get a new destination. */
  readonly external: number;
  readonly destination: ExpressTranslation<D>;
}

/**
 * Takes the packets of established flows all the way in one native pass: parse, lookup, translate,
 * route, rewrite, forward. Everything else (a miss, a TCP flag, a fragment, an unknown neighbour, a
 * malformed packet) is left as it came for the operators that follow, so a pipeline is right without
 * this operator and fast with it. See native/kernels/express.h.
 *
 * Only where every table is in this process's memory: for other stores it does nothing.
 *
 * @example packets.pipe(express({ ... }), parse(...), lookupState(...), ..., applyEdits())
 */
export function express<S extends object, D extends object, In>(
  options: ExpressOptions<S, D>,
): BatchOperator<In> {
  return synchronousOperator('express', (lane) => {
    const { source, destination, route } = options;
    const session = tableSessionOf(lane, source.table as AnyTable);
    if (!session) return () => undefined;
    const side = <F>({ table, address, port, refresh }: ExpressTranslation<F>) => ({
      table: session.handle(table as AnyTable),
      addressOffset: table.schema.offsets[address],
      portOffset: table.schema.offsets[port],
      refresh,
    });
    const run = lane.kernel('express', {
      table: localSessionOf(lane).handle(route.neighbours as AnyTable),
      parse: parseConfiguration(lane, options.parse),
      route: routeConfiguration(lane, route),
      inside: options.inside,
      outside: options.outside,
      external: options.external,
      source: side(source),
      destination: side(destination),
    });
    return (batch) => {
      if (run(batch) === 0) batch.settledAll();
    };
  });
}
