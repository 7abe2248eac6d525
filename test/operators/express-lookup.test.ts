/**
 * `expressLookup` in front of an author's own function: whatever it decides, writes or throws, all is as
 * it is without, and packets of one flow in one batch see each other's writes.
 */

import type { Observable } from 'rxjs';
import {
  applyEdits,
  drop,
  dropRows,
  forwardTo,
  type Looked,
  lookupState,
  networkFunction,
  type Packet,
  type PacketBatch,
  parse,
  record,
  table,
  trait,
  transform,
  u32,
  where,
  writeState,
} from 'rxnf';
import { Harness } from 'rxnf/testing';
import { describe, expect, it } from 'vitest';
import { expressLookup } from '../../src/operators/express-lookup.ts';
import { formatText, parseText } from '../../src/wire/text.ts';
import { Random } from '../sim/random.ts';
import { anyStation } from './bench.ts';

const flowRecord = record('flow', 1, { packets: u32, sum: u32 });
const flows = table('flow', flowRecord, { capacity: 256 });
type FlowPacket = Packet & Looked<'flow', (typeof flowRecord)['fields']>;

const tcpOrUdp = where({ all: [trait.hasFlow], none: [trait.fragment] });
const marker = drop('marked');

interface Setting {
  readonly decide: (packet: FlowPacket) => ReturnType<typeof drop> | undefined;
  readonly express: boolean;
  /** The whole of it once more, on the same batches. */
  readonly twice?: boolean;
}

function run({ decide, express, twice = false }: Setting, bursts: readonly (readonly string[])[]) {
  const longWay = (packets: Observable<PacketBatch>) =>
    packets.pipe(
      parse(anyStation),
      dropRows([{ where: where({ all: [trait.fragment] }), reason: 'fragment' }]),
      lookupState(flows, { key: 'five-tuple', where: tcpOrUdp }),
    );
  const options = {
    parse: anyStation,
    lookups: [{ table: flows, key: 'five-tuple' as const, where: tcpOrUdp }],
  };
  const looked = express ? expressLookup(options, longWay) : longWay;
  const once = (packets: Observable<PacketBatch>) =>
    looked(packets).pipe(transform([flows], decide), writeState([flows]));
  const nf = networkFunction(
    'own',
    [flows],
    () => (packets) =>
      (twice ? once(once(packets)) : once(packets)).pipe(
        transform([flows], show),
        applyEdits(),
        forwardTo('out'),
      ),
  );
  using harness = new Harness(nf, { ports: ['in', 'out'], answerArp: false });
  const sent = bursts.map((burst) => {
    for (const packet of burst) harness.send('in', parseText(packet));
    harness.run();
    return harness.outputs().map(({ frame }) => formatText(frame));
  });
  const { dropped } = harness.finish({ allowCallbackErrors: true });
  return { sent, dropped: Object.entries(dropped).filter(([, packets]) => packets > 0) };
}

/** What stands once it is written, in the source port. */
function show(packet: FlowPacket): void {
  const { flow } = packet;
  if (flow.attended) packet.setSource(packet.source, flow.found ? 2000 + flow.packets : 1);
}

const flow = (n: number, rest = '') => `10.0.0.${n}:1000 > 198.51.100.7:53 ${rest || 'udp'}`;

/** Shows what its record has counted in the destination port. */
function count(packet: FlowPacket): undefined {
  const { flow } = packet;
  if (flow.found) flow.update();
  else flow.create();
  flow.packets++;
  flow.sum += packet.length;
  packet.setDestination(packet.destination, flow.packets);
}

function bursts(random: Random): string[][] {
  const kinds = ['udp', 'udp len=40', 'tcp A', 'tcp S', 'udp checksum=0', 'ttl=1 udp'];
  const odd = [
    '10.0.0.1 > 198.51.100.7 icmp echo id=7 seq=1',
    '10.0.0.1 > 198.51.100.7 proto=udp id=9 frag=16 hex="aabb"',
    flow(1, 'options=0703040000000000 udp'),
  ];
  return Array.from({ length: 25 }, () =>
    Array.from({ length: random.whole(1, 40) }, () =>
      random.chance(0.03) ? random.pick(odd) : flow(random.whole(1, 12), random.pick(kinds)),
    ),
  );
}

/** What authors do, packet by packet; the sequence is the same for whoever runs it. */
const authors: Record<string, (packet: FlowPacket) => ReturnType<typeof drop> | undefined> = {
  'writes for every packet': count,
  'writes for a few': (packet) =>
    packet.flow.found && packet.length !== 82 ? undefined : count(packet),
  'only reads': (packet) => {
    if (!packet.flow.found) return count(packet);
    packet.setSource(packet.source, packet.flow.packets + 1);
    return packet.length === 82 ? marker : undefined;
  },
  'throws after it has written': (packet) => {
    count(packet);
    if (packet.length === 82) throw new Error('a mistake');
    return undefined;
  },
  'removes what it finds': (packet) => {
    if (packet.flow.found && packet.length === 82) packet.flow.remove();
    else if (!packet.flow.found) count(packet);
    return undefined;
  },
};

describe('expressLookup', () => {
  for (const [what, decide] of Object.entries(authors)) {
    it.each([1, 2, 3])(`changes nothing for an author that ${what} (traffic %i)`, (seed) => {
      const traffic = bursts(new Random(seed));
      const express = run({ decide, express: true }, traffic);
      expect(express).toEqual(run({ decide, express: false }, traffic));
      expect(express.sent.flat().length).toBeGreaterThan(100);
    });
  }

  it.each([1, 2, 3])('can be met twice by a batch (traffic %i)', (seed) => {
    const traffic = bursts(new Random(seed));
    const decide = (packet: FlowPacket) => {
      if (packet.length === 82) return count(packet);
      if (packet.flow.found) packet.flow.update();
      else packet.flow.create();
      packet.flow.packets++;
      return undefined;
    };
    const express = run({ decide, express: true, twice: true }, traffic);
    expect(express).toEqual(run({ decide, express: false, twice: true }, traffic));
  });

  it('lets packets of one flow in one batch see what the earlier ones wrote', () => {
    const { sent } = run({ decide: count, express: true }, [
      [flow(1), flow(2)],
      [flow(1), flow(2), flow(1), flow(1), flow(2)],
    ]);
    const ports = sent[1]?.map((text) => Number(/7:(\d+)/.exec(text)?.[1]));
    expect(ports).toEqual([2, 2, 3, 4, 3]);
  });

  it('catches a packet that is kept past its callback', () => {
    let kept: FlowPacket | undefined;
    const decide = (packet: FlowPacket) => {
      kept = packet;
      return packet.flow.found ? undefined : count(packet);
    };
    run({ decide, express: true }, [[flow(1)], [flow(1)]]);
    expect(() => kept?.u8(0)).toThrow(expect.objectContaining({ code: 'ERR_STALE_PACKET' }));
  });
});
