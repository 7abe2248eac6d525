/**
 * Address-and-port-dependent filtering (RFC 4787 5, RFC 5382 4.3): what comes from outside passes only
 * if the inside endpoint has sent to that very remote endpoint. Mapping stays endpoint-independent.
 */

import { lookupState } from '../../operators/lookup-state.ts';
import { transform } from '../../operators/transform.ts';
import { writeState } from '../../operators/write-state.ts';
import type { Looked } from '../../state/cursor.ts';
import { edit } from '../../streams/batch.ts';
import type { Packet } from '../../streams/packet.ts';
import { trait } from '../../streams/traits.ts';
import { drop, type Verdict } from '../../streams/verdict.ts';
import type { Pipeline } from '../network-function.ts';
import { type NatTables, type sessionRecord, timers } from './tables.ts';

const filtered = drop('filtered');

/** After the translations have been staged: they tell inside from outside. */
export function filterSessions({ sessions }: NatTables): Pipeline {
  function filter(
    packet: Packet & Looked<'session', (typeof sessionRecord)['fields']>,
  ): Verdict | undefined {
    if (packet.session.found) return undefined;
    const toInside = ((packet.batch.edits[packet.row] as number) & edit.destination) !== 0;
    if (toInside || packet.has(trait.icmpError)) return filtered;
    packet.session.create(
      packet.protocol === 6
        ? timers.tcpEstablished
        : packet.protocol === 17
          ? timers.udp
          : timers.icmp,
    );
    packet.session.created = 1;
    return undefined;
  }
  return (packets) =>
    packets.pipe(
      lookupState(sessions, { key: 'session', attend: 'misses' }),
      transform([sessions], filter),
      writeState([sessions]),
    );
}
