/** `translate` and `applyEdits`: what leaves is what composing the translated packet anew would give. */
import fc from 'fast-check';
import {
  applyEdits,
  drop,
  ipv4,
  type Lane,
  lookupState,
  neighbourTable,
  type Packet,
  type Pipeline,
  port,
  record,
  route,
  table,
  transform,
  translate,
  u32,
  writeState,
} from 'rxnf';
import { describe, expect, it } from 'vitest';
import { neighbourKey } from '../../src/nfs/router/neighbours.ts';
import { localSessionOf } from '../../src/state/sessions.ts';
import type { AnyTable } from '../../src/state/table.ts';
import { formatIpv4 } from '../../src/wire/address.ts';
import { fragment } from '../../src/wire/frame.ts';
import { formatText, parseText } from '../../src/wire/text.ts';
import { bench, full, send } from './bench.ts';

interface Endpoint {
  readonly address: number;
  readonly port: number;
}

const endpoint = fc.record({
  address: fc.integer({ min: 0x01000000, max: 0x7effffff }),
  port: fc.oneof(fc.nat(0xffff), fc.constantFrom(0, 1, 0xffff)),
});

const neighbours = neighbourTable('neighbour', 16, 60);
const gateway = 0xc0a80001;

/** Every destination is behind one gateway out of `out`. */
function oneHop(lane: Lane): Pipeline {
  const link = Uint8Array.from([2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
  localSessionOf(lane).put(neighbours as AnyTable, neighbourKey(1, gateway), link, 1);
  const everywhere = { address: 0, length: 0, port: 'out', via: gateway };
  return (packets) => packets.pipe(route({ neighbours, routes: [everywhere] }));
}

const asIs: Pipeline = (packets) => packets;

/** One pipeline for all runs: what it stages is set before each packet. */
function translator(before: (lane: Lane) => Pipeline = () => asIs) {
  const next: { source?: Endpoint; destination?: Endpoint } = {};
  const stage = (packet: Packet): void => {
    if (next.source) packet.setSource(next.source.address, next.source.port);
    if (next.destination) packet.setDestination(next.destination.address, next.destination.port);
  };
  const harness = bench((lane) => {
    const first = before(lane);
    return (packets) => first(packets).pipe(transform(stage), applyEdits());
  });
  const run = (text: string, source?: Endpoint, destination?: Endpoint): string | undefined => {
    Object.assign(next, { source, destination });
    return send(harness, text)[0];
  };
  return { harness, run };
}

const text = (e: Endpoint) => `${formatIpv4(e.address)}:${e.port}`;

/** Source, destination, and what replaces them, each or not. */
const edits = fc.record({
  from: endpoint,
  to: endpoint,
  source: fc.option(endpoint, { nil: undefined }),
  destination: fc.option(endpoint, { nil: undefined }),
  payload: fc
    .uint8Array({ minLength: 1, maxLength: 60 })
    .map((b) => Buffer.from(b).toString('hex')),
});

describe('applyEdits', () => {
  const { run } = translator();

  it.each([
    'tcp S seq=7',
    'tcp PA seq=9 ack=3 mss=1400',
    'udp',
    'options=01010100 udp',
    'vlan=7 udp',
    'df ttl=1 tcp R',
  ])('rewrites endpoints as if the packet had been made so: %s', (rest) => {
    fc.assert(
      fc.property(edits, ({ from, to, source, destination, payload }) => {
        const before = `${text(from)} > ${text(to)} ${rest} hex="${payload}"`;
        const after = `${text(source ?? from)} > ${text(destination ?? to)} ${rest} hex="${payload}"`;
        expect(run(before, source, destination)).toBe(full(after));
      }),
      { numRuns: 60 },
    );
  });

  const routed = translator(oneHop);
  it.each([
    'tcp S seq=7 mss=1400',
    'udp',
    'udp checksum=0',
    'options=01010100 udp',
    'df tcp R',
    'mf frag=0 id=7 udp',
  ])('rewrites endpoints on the way to the next hop, too: %s', (rest) => {
    fc.assert(
      fc.property(edits, ({ from, to, source, destination, payload }) => {
        const line = (a: Endpoint, b: Endpoint, hop: string) =>
          `${text(a)} > ${text(b)} ${hop} ${rest} hex="${payload}"`;
        const sent = routed.run(line(from, to, 'ttl=9'), source, destination);
        const after = line(source ?? from, destination ?? to, 'to=02:00:00:00:00:09 ttl=8');
        expect(sent).toBe(full(after));
      }),
      { numRuns: 60 },
    );
  });

  it('rewrites the identifier of ICMP queries', () => {
    fc.assert(
      fc.property(edits, fc.boolean(), ({ from, to, source, destination, payload }, reply) => {
        const kind = reply ? 'echo-reply' : 'echo';
        const ping = (a: number, b: number, id: number) =>
          `${formatIpv4(a)} > ${formatIpv4(b)} icmp ${kind} id=${id} seq=3 hex="${payload}"`;
        // Both ports of a query are its identifier: of two the destination's is written last.
        const id = destination?.port ?? source?.port ?? from.port;
        expect(run(ping(from.address, to.address, from.port), source, destination)).toBe(
          full(ping(source?.address ?? from.address, destination?.address ?? to.address, id)),
        );
      }),
      { numRuns: 100 },
    );
  });

  it.each(['tcp S', 'udp', 'tcp S quote=28', 'udp quote=28', 'tcp S quote=30'])(
    'rewrites both layers of ICMP errors, the quoted packet the other way round: %s',
    (quoted) => {
      const [transport, quote = ''] = quoted.split(' quote');
      const suffix = quote && ` quote${quote}`;
      const router = 0x5da0d822;
      fc.assert(
        fc.property(edits, ({ from, to, source, destination, payload }) => {
          // The error goes to `to`, about a packet from there to `from`; it comes from a router between.
          const error = (outer: number, inner: Endpoint, a: Endpoint) =>
            `${formatIpv4(outer)} > ${formatIpv4(a.address)} icmp unreachable code=1${suffix} ` +
            `(${text(a)} > ${text(inner)} ${transport} hex="${payload}")`;
          const result = run(error(router, from, to), source, destination);
          const translated = error(source?.address ?? router, source ?? from, destination ?? to);
          expect(result).toBe(full(translated));
        }),
        { numRuns: 60 },
      );
    },
  );

  it('leaves a UDP checksum of zero alone, and writes none that means none', () => {
    fc.assert(
      fc.property(edits, ({ from, to, source, destination }) => {
        const datagram = (a: Endpoint, b: Endpoint) => `${text(a)} > ${text(b)} udp checksum=0 "x"`;
        const after = datagram(source ?? from, destination ?? to);
        expect(run(datagram(from, to), source, destination)).toBe(full(after));
      }),
      { numRuns: 60 },
    );
  });

  it('sends a UDP checksum that comes out as zero as ones', () => {
    // One source port of all makes it so (RFC 768).
    let found = 0;
    for (let n = 0; n < 65_536; n++) {
      const made = parseText(`10.0.0.1:${n} > 10.0.0.2:2 udp "ab"`);
      if (made[40] !== 0xff || made[41] !== 0xff) continue;
      found++;
      const after = run('10.0.0.1:1 > 10.0.0.2:2 udp "ab"', { address: 0x0a000001, port: n });
      expect(after).toBe(formatText(made));
    }
    expect(found).toBe(1);
  });

  it('rewrites a first fragment, and of a later one its addresses only', () => {
    fc.assert(
      fc.property(edits, ({ from, to, source, destination }) => {
        const cut = (a: Endpoint, b: Endpoint) =>
          fragment(parseText(`${text(a)} > ${text(b)} id=7 udp len=600`), 300).map((f) =>
            formatText(f),
          );
        const before = cut(from, to);
        expect(before.length).toBe(3);
        expect(before.map((each) => run(each, source, destination))).toEqual(
          cut(source ?? from, destination ?? to),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('mends no checksum that came wrong', () => {
    const bad = (a: string) => `${a} > 10.0.0.2:2 tcp S checksum=bad "x"`;
    expect(run(bad('10.0.0.1:1'), { address: 0x0a000009, port: 9 })).toBe(full(bad('10.0.0.9:9')));
  });

  it('leaves packets without edits, and settled ones, byte for byte', () => {
    expect(run('10.0.0.1:1 > 10.0.0.2:2 udp "x"')).toBe(full('10.0.0.1:1 > 10.0.0.2:2 udp "x"'));
  });
});

describe('translate', () => {
  const binding = record('binding', 1, { pad: u32, address: ipv4, port });
  const bindings = table('binding', binding, { capacity: 64 });

  it.each(['source', 'destination'] as const)('stages the %s of hits from their record', (side) => {
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          lookupState(bindings, { key: `${side}-endpoint` }),
          transform([bindings], (packet) => {
            if (packet.ttl !== 1) return;
            packet.binding.create();
            packet.binding.address = 0x01020304;
            packet.binding.port = 0x0506;
          }),
          writeState([bindings]),
          translate(bindings, { side, address: 'address', port: 'port' }),
          applyEdits(),
        ),
      { tables: [bindings] },
    );
    const hit = side === 'source' ? '1.2.3.4:1286 > 10.0.0.2:2' : '10.0.0.1:1 > 1.2.3.4:1286';
    expect(send(harness, '10.0.0.1:1 > 10.0.0.2:2 ttl=1 udp "x"')).toEqual([
      full(`${hit} ttl=1 udp "x"`),
    ]);
    expect(send(harness, '10.0.0.1:1 > 10.0.0.2:2 udp "x"')).toEqual([full(`${hit} udp "x"`)]);
    const miss = '10.0.0.7:7 > 10.0.0.8:8 udp';
    expect(send(harness, miss)).toEqual([full(miss)]);
    harness.finish();
  });

  it('lets nothing through that has no record, where it is told so', () => {
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          lookupState(bindings, { key: 'source-endpoint' }),
          translate(bindings, {
            side: 'source',
            address: 'address',
            port: 'port',
            otherwise: drop('untranslated'),
          }),
          applyEdits(),
        ),
      { tables: [bindings] },
    );
    expect(send(harness, '10.0.0.7:7 > 10.0.0.8:8 udp')).toEqual([]);
    expect(harness.finish().dropped['untranslated']).toBe(1);
  });

  it('refuses fields of another kind at run time too', () => {
    const loose = translate as unknown as (t: unknown, o: object) => unknown;
    expect(() => loose(bindings, { side: 'source', address: 'pad', port: 'port' })).toThrow(
      /field pad is not declared as ipv4/,
    );
    expect(() => loose(bindings, { side: 'source', address: 'address', port: 'none' })).toThrow(
      /field none is not declared as port/,
    );
  });
});
