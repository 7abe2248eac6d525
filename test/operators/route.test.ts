import fc from 'fast-check';
import { applyEdits, neighbourTable, type Route, type RouteException, route } from 'rxnf';
import { describe, expect, it } from 'vitest';
import { neighbourKey } from '../../src/nfs/router/neighbours.ts';
import { localSessionOf } from '../../src/state/sessions.ts';
import type { AnyTable } from '../../src/state/table.ts';
import { drop } from '../../src/streams/verdict.ts';
import { formatIpv4 } from '../../src/wire/address.ts';
import { dissect, type Frame } from '../../src/wire/frame.ts';
import { formatText, parseText } from '../../src/wire/text.ts';
import { bench, send } from './bench.ts';

const neighbours = neighbourTable('neighbour', 1024, 60);
/** Link addresses by gateway: its last byte says which. */
const gateway = (n: number) => 0xc0a80000 + n;
const mac = (n: number) => new Uint8Array([2, 0, 0, 0, n >>> 8, n & 255]);

type Options = Partial<Parameters<typeof route>[0]> & { routes: readonly Route[]; known?: number };

/** Routes with the gateways 1 to `known` resolved. */
function routing({ known = 300, ...options }: Options) {
  return bench(
    (lane) => {
      const session = localSessionOf(lane);
      for (let n = 1; n <= known; n++) {
        const record = new Uint8Array(16);
        record.set(mac(n));
        record.set(mac(0), 6);
        for (const port of [0, 1])
          session.put(neighbours as AnyTable, neighbourKey(port, gateway(n)), record, 1);
      }
      return (packets) => packets.pipe(route({ neighbours, ...options }), applyEdits());
    },
    { ports: ['in', { name: 'out', mtu: 1000 }] },
  );
}

const mask = (length: number) => (length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0);

/** The route that a destination takes, by looking at all: the longest, of equals the last. */
function slow(routes: readonly Route[], destination: number): number {
  let best = -1;
  routes.forEach(({ address, length }, i) => {
    if ((destination & mask(length)) >>> 0 !== address) return;
    if (best < 0 || length >= (routes[best] as Route).length) best = i;
  });
  return best;
}

describe('route', () => {
  it('takes the longest of many prefixes, of /17 to /32 too', () => {
    const prefix = fc.record({
      // Crowded, so that prefixes lie in one another.
      address: fc.oneof(fc.nat(0xffff), fc.nat(0xffffff)).map((n) => (0x0a000000 | n) >>> 0),
      length: fc.oneof(fc.integer({ min: 8, max: 32 }), fc.integer({ min: 17, max: 32 })),
    });
    fc.assert(
      fc.property(
        fc.array(prefix, { minLength: 1, maxLength: 250 }),
        fc.array(fc.nat(0xffffff), { minLength: 1, maxLength: 40 }),
        (prefixes, others) => {
          const routes = prefixes.map(({ address, length }, i) => ({
            address: (address & mask(length)) >>> 0,
            length,
            port: 'out',
            via: gateway(i + 1),
          }));
          using harness = routing({ routes });
          const destinations = [
            ...others.map((n) => (0x0a000000 | n) >>> 0),
            ...prefixes.slice(0, 60).map(({ address }) => address),
          ];
          destinations.forEach((destination, id) => {
            const text = `10.0.0.1:1 > ${formatIpv4(destination)}:2 id=${id} udp`;
            harness.send('in', parseText(text));
          });
          harness.run();
          const taken = new Map(
            harness.received('out').map((frame) => {
              const { ethernet, ipv4 } = dissect(frame) as Frame;
              return [ipv4?.identification, (ethernet.destination & 0xffff) - 1];
            }),
          );
          destinations.forEach((destination, id) => {
            expect(taken.get(id) ?? -1).toBe(slow(routes, destination));
          });
          harness.finish();
        },
      ),
      { numRuns: 40 },
    );
  });

  const routes: Route[] = [
    { address: 0, length: 0, port: 'out', via: gateway(1) },
    { address: 0x0b000000, length: 8, port: 'out', via: gateway(999) },
  ];
  const cases: [RouteException, string, number][] = [
    ['ttl-exceeded', '10.0.0.1:1 > 10.0.0.2:2 ttl=1 udp', 0],
    ['too-big', '10.0.0.1:1 > 10.0.0.2:2 df udp len=1000', 0],
    ['unresolved', '10.0.0.1:1 > 11.0.0.2:2 udp', gateway(999)],
  ];

  it.each(cases)('drops under the name of the exception: %s', (exception, text) => {
    using harness = routing({ routes });
    expect(send(harness, text)).toEqual([]);
    expect(harness.finish().dropped[exception]).toBe(1);
  });

  it.each(cases)('asks what to do, of the packet as it came: %s', (exception, text, nextHop) => {
    const asked: unknown[] = [];
    const answered = drop('asked');
    using harness = routing({
      routes,
      onException(packet, why, hop) {
        asked.push([why, hop, packet.ttl, packet.u16(packet.l3 + 10) !== 0]);
        return answered;
      },
    });
    send(harness, text);
    expect(asked).toEqual([[exception, nextHop, exception === 'ttl-exceeded' ? 1 : 64, true]]);
    expect(harness.finish().dropped['asked']).toBe(1);
  });

  it('counts a throw of that question against its packet', () => {
    using harness = routing({
      routes: [],
      onException(packet) {
        packet.u8(9999);
        return drop('asked');
      },
    });
    send(harness, '10.0.0.1:1 > 10.0.0.2:2 udp');
    expect(harness.finish({ allowCallbackErrors: true }).dropped['callback-error']).toBe(1);
  });

  it('drops what no prefix covers', () => {
    using harness = routing({ routes: [] });
    send(harness, '10.0.0.1:1 > 10.0.0.2:2 udp');
    expect(harness.finish().dropped['no-route']).toBe(1);
  });

  it('looks for the destination itself where a route has no gateway', () => {
    const onLink: Route[] = [{ address: 0xc0a80000, length: 16, port: 'out' }];
    using harness = routing({ routes: onLink });
    const [frame] = ((): Uint8Array[] => {
      send(harness, '10.0.0.1:1 > 10.0.0.2:2 udp');
      harness.send('in', parseText('10.0.0.1:1 > 192.168.0.7:2 ttl=9 udp'));
      harness.run();
      return harness.received('out');
    })();
    const { ethernet } = dissect(frame as Uint8Array) as Frame;
    expect(ethernet.destination & 0xffff).toBe(7);
    expect(formatText(frame as Uint8Array)).toContain('ttl=8');
  });
});
