/** Everything that a NAT keeps, besides packets in flight. */

import { neighbourTable } from '../../operators/route.ts';
import { ipv4, port, record, u8, u16 } from '../../state/record.ts';
import { alias, type CommitClass, table } from '../../state/table.ts';
import { fragmentTable } from '../router/fragments.ts';
import type { NatTimeouts } from './options.ts';

/** Timer classes of bindings and sessions. */
export const timers = { tcpTransitory: 0, tcpEstablished: 1, udp: 2, icmp: 3 } as const;

/**
 * Inside endpoint (the key) to the external endpoint that stands for it. For TCP also how far its
 * connection is, so that the idle timeout follows it (RFC 5382 REQ-5).
 */
export const bindingRecord = record('binding', 1, {
  address: ipv4,
  remoteAddress: ipv4,
  port,
  remotePort: port,
  /** One of `tcpState`; of other protocols `established` from the start. */
  state: u8,
  /** 1 once a second remote endpoint has been met: the binding is not closed with one connection. */
  shared: u8,
  /** As in its port record: tells this binding from the next one of the same two endpoints. */
  serial: u16,
});

/** External endpoint (the key) to the inside endpoint behind it. It lives as long as its binding. */
export const portRecord = record('port', 1, { address: ipv4, port, serial: u16 });

/** An inside and a remote endpoint that have spoken, where filtering depends on both. */
export const sessionRecord = record('session', 1, { created: u8 });

export const tcpState = { opening: 0, established: 1, closing: 2 } as const;

export function natTables(capacity: number, timeouts: Required<NatTimeouts>, commit: CommitClass) {
  const idleSeconds = [
    timeouts.tcpTransitory,
    timeouts.tcpEstablished,
    timeouts.udp,
    timeouts.icmp,
  ];
  const ports = table('port', portRecord, { capacity, commit });
  return {
    bindings: table('binding', bindingRecord, { capacity, idleSeconds, commit }),
    ports,
    /** The same table, for the record that a packet reserves while it looks another up (hairpinning). */
    reserved: alias(ports, 'reserved'),
    sessions: table('session', sessionRecord, { capacity: capacity * 4, idleSeconds, commit }),
    fragments: fragmentTable(4096),
    neighbours: neighbourTable('neighbour', 4096, 120),
  };
}

export type NatTables = ReturnType<typeof natTables>;
