/** The NAT over a store that takes time and loses writes: what comes out must not differ. */
import { readFileSync } from 'node:fs';
import { memoryStore, nat } from 'rxnf';
import { Harness, replayClients } from 'rxnf/testing';
import { describe, expect, it } from 'vitest';
import { delayedStore } from '../../../src/state/delayed-store.ts';
import { readCapture } from '../../../src/wire/capture.ts';
import { dissect, type Frame } from '../../../src/wire/frame.ts';
import { parseText } from '../../../src/wire/text.ts';
import { check, ip, network } from './network.ts';

const capture = readCapture(
  readFileSync(new URL('../../../captures/clients.pcap', import.meta.url)),
);

const clients = (translation: 'kernels' | 'callback') =>
  nat({
    ...network,
    interfaces: {
      inside: [{ address: ip('10.99.0.1'), length: 24 }],
      outside: [{ address: ip('198.18.0.1'), length: 24 }],
    },
    pool: [ip('198.18.0.1')],
    routes: [],
    translation,
  });

describe.each(['kernels', 'callback'] as const)('recorded clients, translated by %s', (way) => {
  it.each([
    [0.2, 0],
    [0.2, 0.2],
    [1, 0.05],
    [3, 0],
    [3, 0.1],
  ])(
    'lose nothing over a store of %f ms where %f of the writes lose',
    (latencyMilliseconds, conflictRate) => {
      const store = delayedStore(memoryStore({ seed: 3 }), {
        latencyMilliseconds,
        conflictRate,
        seed: 5,
      });
      const result = replayClients(clients(way), capture, { store });
      expect(result.missing).toBe(result.statistics.dropped['conflict']);
      expect(result.missing).toBe(0);
      expect(result.unexpected).toEqual([]);
      expect(result.malformed).toEqual([]);
      expect(result.changedTranslations).toBe(0);
      expect(result.statistics.dropped).toMatchObject({
        'no-binding': 0,
        'fragment-without-first': 0,
      });
    },
  );
});

describe.each(['kernels', 'callback'] as const)(
  'a new flow in one batch, translated by %s',
  (way) => {
    it.each([1, 2, 3, 4, 5, 6, 7, 8])(
      'keeps to one translation when writes lose (seed %i)',
      (seed) => {
        const inner = memoryStore({ seed });
        using harness = new Harness(nat({ ...network, translation: way }), {
          ports: ['inside', 'outside'],
          store: delayedStore(inner, { latencyMilliseconds: 1, conflictRate: 0.4, seed }),
        });
        const to = `to=${harness.macOf('inside')}`;
        harness.send('inside', parseText(`10.0.0.6:1 > 198.51.100.7:53 ${to} udp`));
        harness.advance(500);
        harness.outputs();
        for (let i = 0; i < 40; i++) {
          harness.send(
            'inside',
            parseText(`10.0.0.5:${i % 5} > 198.51.100.7:53 ${to} id=${i} udp "x"`),
          );
        }
        harness.advance(500);
        const { dropped } = harness.finish();
        const sent = harness.received('outside').map((frame) => dissect(frame) as Frame);
        expect(sent.length).toBe(40 - (dropped['conflict'] ?? 0));
        for (let endpoint = 0; endpoint < 5; endpoint++) {
          const own = sent.filter(({ ipv4 }) => (ipv4?.identification ?? 0) % 5 === endpoint);
          const ports = new Set(own.map(({ udp }) => udp?.source));
          expect(ports.size).toBeLessThanOrEqual(1);
          // The reply finds its way: what was published is what was used.
          for (const port of ports) {
            const text = `198.51.100.7:53 > 203.0.113.1:${port} to=${harness.macOf('outside')} udp`;
            harness.send('outside', parseText(text));
            harness.advance(50);
            const [reply] = harness.received('inside').map((frame) => dissect(frame) as Frame);
            expect(reply?.udp?.destination).toBe(endpoint);
          }
        }
      },
    );
  },
);

describe('the NAT over a store with latency', () => {
  it('takes the packets of one new flow in three batches at once for one flow', () => {
    check(`
      store latency=3
      in  w 100ms -   w: inside 10.0.0.6 > 198.51.100.7 icmp echo id=1
      out 24ms w      w: outside 203.0.113.1 > 198.51.100.7 icmp echo
      then
      # a: three lookups and two writes
      in  a 14ms -    a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp "a"
      out 15ms a      a: outside 203.0.113.1:$p > 198.51.100.7:53 udp "a"
      drops none
    `);
    using harness = new Harness(nat(network), {
      ports: ['inside', 'outside'],
      store: delayedStore(memoryStore({ seed: 1 }), { latencyMilliseconds: 3 }),
    });
    for (const text of ['a', 'b', 'c']) {
      const to = `to=${harness.macOf('inside')}`;
      harness.send('inside', parseText(`10.0.0.5:4242 > 198.51.100.7:53 ${to} udp "${text}"`));
      harness.advance(1);
    }
    harness.advance(200);
    const sent = harness.received('outside').map((frame) => dissect(frame) as Frame);
    expect(sent.map(({ payload }) => String.fromCharCode(...payload))).toEqual(['a', 'b', 'c']);
    expect(new Set(sent.map(({ udp }) => udp?.source)).size).toBe(1);
    harness.finish();
  });

  it('drops with a reason when the store cannot hold more fragments, and loses no buffer', () => {
    using harness = new Harness(nat(network), { ports: ['inside', 'outside'] });
    const send = (text: string) =>
      harness.send('inside', parseText(`${text} to=${harness.macOf('inside')}`));
    for (let i = 0; i < 4200; i++) {
      const source = `10.0.0.${10 + (i % 100)}`;
      send(
        `${source} > 198.51.100.7 proto=udp id=${i} mf frag=0 hex="1092003500180000aabbccddeeff0011"`,
      );
      if (i % 100 === 0) harness.run();
    }
    harness.run();
    expect(harness.statistics().dropped['table-full']).toBeGreaterThan(0);
    send('10.0.0.5 > 198.51.100.7 proto=udp id=9 frag=16 "the end."');
    send('10.0.0.5 > 198.51.100.7 proto=udp id=9 mf frag=0 hex="1092003500180000aabbccddeeff0011"');
    harness.finish();
  });
});
