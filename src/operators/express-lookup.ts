import type { Observable } from 'rxjs';
import { localSessionOf, tableSessionOf } from '../state/sessions.ts';
import { type KeyKind, keyKinds } from '../state/store.ts';
import type { AnyTable } from '../state/table.ts';
import type { PacketBatch } from '../streams/batch.ts';
import type { Lane } from '../streams/lane.ts';
import { seesSettled, synchronousOperator } from '../streams/operator.ts';
import type { WhereMask } from '../streams/traits.ts';
import { type ParseOptions, parseConfiguration } from './parse.ts';
import { type RouteOptions, routeConfiguration } from './route.ts';

/** One `lookupState` of the long way, which attends all. */
export interface ExpressLookup {
  readonly table: AnyTable;
  readonly key: Extract<
    KeyKind,
    'source-endpoint' | 'destination-endpoint' | 'five-tuple' | 'flow'
  >;
  /** Packets that the long way would parse, route, look up in this table, and nothing else. */
  readonly where: WhereMask;
  /** Rows whose hit prolongs the record's life. Default: every row looked up. */
  readonly refresh?: WhereMask;
}

export interface ExpressLookupOptions {
  readonly parse: ParseOptions;
  /** Absent: packets are not routed before they are looked up. */
  readonly route?: RouteOptions;
  readonly lookups: readonly ExpressLookup[];
}

/**
 * Takes the packets that nearly all packets are from the wire to their record in one native pass, and
 * the others (a miss, a fragment, an unknown neighbour, anything malformed) the long way, which must
 * come to the same: parse, route where asked, look up. Behind it a batch is whole and in order again,
 * and nothing tells which way a packet came; so a pipeline is right without this and fast with it. An
 * author's function that follows may do whatever it likes.
 *
 *             +-- plain, found ------------------------------+
 *   batch ----+                                              +--- batch --- transform ---
 *             +-- parse -- ... -- route -- lookupState(s) ---+
 *
 * Only where every table is in this machine's memory: for other stores every packet goes the long way.
 *
 * @example
 * packets.pipe(
 *   expressLookup({ parse: parsing, lookups: [{ table: flows, key: 'flow', where: tcpOrUdp }] }, (rest) =>
 *     rest.pipe(parse(parsing), dropFragments(), lookupState(flows, { key: 'flow', where: tcpOrUdp })),
 *   ),
 *   transform([flows], count),
 *   writeState([flows]),
 *   applyEdits(),
 * )
 */
export function expressLookup<In, Out>(
  options: ExpressLookupOptions,
  longWay: (packets: Observable<PacketBatch<In>>) => Observable<PacketBatch<Out>>,
): (packets: Observable<PacketBatch<In>>) => Observable<PacketBatch<Out>> {
  const prepare = synchronousOperator<In>('expressLookup', (lane) => {
    const configuration = configure(lane, options);
    if (!configuration) return () => undefined;
    const run = lane.kernel('expressLookup', configuration);
    return (batch) => {
      if (run(batch) === 0) batch.settledAll(); // for the long way; `rejoin` opens it again
    };
  });
  const rejoin = synchronousOperator<Out>('expressLookup', (lane) => {
    const configuration = configure(lane, options);
    if (!configuration) return () => undefined;
    const run = lane.kernel('rejoin', configuration);
    return seesSettled((batch) => {
      if (batch.allSettled) batch.reopen();
      else run(batch);
    });
  });
  return (packets) => longWay(packets.pipe(prepare)).pipe(rejoin);
}

/** The options as the native kernels take them; undefined where a table is elsewhere. */
function configure(lane: Lane, { parse, route, lookups }: ExpressLookupOptions) {
  const sessions = lookups.map(({ table }) => tableSessionOf(lane, table));
  if (sessions.includes(undefined)) return undefined;
  return {
    parse: parseConfiguration(lane, parse),
    ...(route && {
      route: {
        table: localSessionOf(lane).handle(route.neighbours as AnyTable),
        where: route.where ?? { all: 0, none: 0 },
        ...routeConfiguration(lane, route),
      },
    }),
    lookups: lookups.map(({ table, key, where, refresh }, i) => ({
      table: sessions[i]?.handle(table),
      register: lane.register(table.name),
      key: keyKinds[key],
      where,
      refresh: refresh ?? where,
    })),
  };
}
