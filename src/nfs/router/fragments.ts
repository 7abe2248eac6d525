/**
 * Fragments in any order (RFC 4787 REQ-14): a datagram's first fragment carries its ports, so they are
 * kept in a table until the others have passed; fragments that overtake the first are held for it.
 */

import { lookupState } from '../../operators/lookup-state.ts';
import { transform } from '../../operators/transform.ts';
import { writeState } from '../../operators/write-state.ts';
import type { Looked } from '../../state/cursor.ts';
import { port, record } from '../../state/record.ts';
import { type Table, table } from '../../state/table.ts';
import { Hold } from '../../streams/hold.ts';
import type { Lane } from '../../streams/lane.ts';
import type { Packet } from '../../streams/packet.ts';
import { trait, where } from '../../streams/traits.ts';
import type { Verdict } from '../../streams/verdict.ts';
import type { Pipeline } from '../network-function.ts';

const fragmentRecord = record('fragment', 1, { sourcePort: port, destinationPort: port });
type FragmentFields = (typeof fragmentRecord)['fields'];
export type FragmentTable = Table<'fragment', FragmentFields>;

/** Seconds that a datagram's fragments may take (RFC 791 suggests 15; RFC 1122 3.3.2 allows less). */
const reassemblySeconds = 15;
/** Fragments ahead of their first: two seconds, 64 of one datagram (64 KiB at 1,024 bytes), 512 in all. */
const holdLimits = {
  capacity: 512,
  perKey: 64,
  milliseconds: 2000,
  againMilliseconds: 20,
  expired: 'fragment-without-first',
  full: 'fragment-hold-full',
};

export function fragmentTable(capacity: number): FragmentTable {
  return table('fragment', fragmentRecord, { capacity, idleSeconds: reassemblySeconds });
}

const fragments = where({ all: [trait.ipv4, trait.fragment], none: [trait.otherProtocol] });

/** Completes the flow of every later fragment, or holds it. */
export function trackFragments(lane: Lane, fragmentsSeen: FragmentTable): Pipeline {
  const hold = new Hold(lane, holdLimits);

  function track(packet: Packet & Looked<'fragment', FragmentFields>): Verdict | undefined {
    const datagram = `${packet.source}/${packet.destination}/${packet.protocol}/${packet.u16(packet.l3 + 4)}`;
    if (packet.has(trait.fragmentLater)) {
      if (!packet.fragment.found) return hold.take(packet, datagram);
      packet.completeFlow(packet.fragment.sourcePort, packet.fragment.destinationPort);
    } else {
      packet.fragment.create();
      packet.fragment.sourcePort = packet.sourcePort;
      packet.fragment.destinationPort = packet.destinationPort;
      hold.release(datagram);
    }
    return undefined;
  }

  return (packets) =>
    packets.pipe(
      lookupState(fragmentsSeen, { key: 'fragment', where: fragments }),
      transform([fragmentsSeen], track),
      writeState([fragmentsSeen]),
    );
}
