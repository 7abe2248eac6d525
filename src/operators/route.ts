import { AssertionError } from 'node:assert';
import { authorPacket } from '../state/author-packet.ts';
import { bytes, record } from '../state/record.ts';
import { localSessionOf } from '../state/sessions.ts';
import { type Table, table } from '../state/table.ts';
import type { PacketBatch } from '../streams/batch.ts';
import { callbackError, type Lane } from '../streams/lane.ts';
import { type BatchOperator, synchronousOperator } from '../streams/operator.ts';
import type { Packet } from '../streams/packet.ts';
import { everyPacket, type WhereMask } from '../streams/traits.ts';
import { drop, type Verdict } from '../streams/verdict.ts';

/** Next hops on the link: the two link addresses that go in front of a frame. */
export const neighbourRecord = record('neighbour', 1, {
  destination: bytes(6),
  source: bytes(6),
  zero: bytes(4),
});

/** Timer class of a neighbour that is configured and never expires. */
export const configuredNeighbour = 1;

/** A neighbour table for `route`: soft state of one lane, keyed by port and address. */
export function neighbourTable<Name extends string>(
  name: Name,
  capacity: number,
  idleSeconds: number,
) {
  return table(name, neighbourRecord, { capacity, idleSeconds: [idleSeconds, 0], scope: 'local' });
}

export interface Route {
  /** Host order, with its length in bits. */
  readonly address: number;
  readonly length: number;
  /** Port name. */
  readonly port: string;
  /** Address of the router on that port's link; absent: the destination itself is on the link. */
  readonly via?: number;
  /** Traits given to packets that take this route. */
  readonly marks?: number;
}

export const routeExceptions = ['', 'ttl-exceeded', 'too-big', 'unresolved', 'no-route'] as const;
export type RouteException = Exclude<(typeof routeExceptions)[number], ''>;

export interface RouteOptions {
  readonly routes: readonly Route[];
  readonly neighbours: Table<string, (typeof neighbourRecord)['fields']>;
  /** Rows routed. Default: all that are pending. They must be IPv4. */
  readonly where?: WhereMask;
  /**
   * Decides about a packet that cannot go on, still unedited: `nextHop` is the address that has no
   * known link address, or 0. Default: drop with the exception's name as reason.
   */
  readonly onException?: (packet: Packet, exception: RouteException, nextHop: number) => Verdict;
}

const reasons = routeExceptions.map((name) => drop(name === '' ? 'none' : name));

/**
 * Finds each packet's next hop by longest prefix match and stages it (RFC 1812 5.2). TTL is checked
 * here and decremented when `applyEdits` runs.
 *
 * @example route({ routes: [{ address: 0, length: 0, port: 'outside', via: gateway }], neighbours })
 */
export function route<F>(options: RouteOptions): BatchOperator<F> {
  const rows = options.where ?? everyPacket;
  return synchronousOperator('route', (lane) => {
    const session = localSessionOf(lane);
    const run = lane.kernel('route', {
      table: session.handle(options.neighbours as Table),
      where: rows,
      ...routeConfiguration(lane, options),
    });
    const { packet } = authorPacket(lane);
    return (batch) => {
      if (!batch.mayMatch(rows)) return;
      const exceptions = run(batch);
      for (let i = 0; i < exceptions; i++) except(batch, batch.exception[i] as number);
      if (exceptions > 0 && lane.debug) packet.expire();
    };

    function except(batch: PacketBatch, row: number): void {
      const code = batch.exceptionCode[row] as number;
      if (!options.onException) {
        batch.verdict[row] = reasons[code] as number;
        return;
      }
      packet.move(batch, row);
      const nextHop =
        routeExceptions[code] === 'unresolved' ? batch.view.getUint32(batch.link + row * 16) : 0;
      const exception = routeExceptions[code] as RouteException;
      try {
        batch.verdict[row] = options.onException(packet, exception, nextHop);
      } catch (error) {
        if (error instanceof AssertionError) throw error;
        batch.verdict[row] = -callbackError;
        lane.report({ event: 'callback-error', message: String(error) });
      }
    }
  });
}

/** The options as the native kernels take them. */
export function routeConfiguration(lane: Lane, options: RouteOptions): object {
  return {
    prefixes: options.routes.map((r) => ({
      address: r.address,
      length: r.length,
      egress: lane.port(r.port),
      gateway: r.via ?? 0,
      marks: r.marks ?? 0,
    })),
    ports: lane.ports.map((port) => ({ mtu: port.mtu })),
  };
}
