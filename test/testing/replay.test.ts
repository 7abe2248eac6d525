import { readFileSync } from 'node:fs';
import { nat } from 'rxnf';
import { captureOf, type ReplayResult, replayClients } from 'rxnf/testing';
import { describe, expect, it } from 'vitest';
import { memoryStore } from '../../src/state/memory-store.ts';
import type { Lane } from '../../src/streams/lane.ts';
import { parseIpv4 } from '../../src/wire/address.ts';
import { type Capture, readCapture } from '../../src/wire/capture.ts';

const ip = (text: string) => parseIpv4(text) as number;

const router = () =>
  nat({
    inside: ['inside'],
    outside: 'outside',
    interfaces: {
      inside: [{ address: ip('10.99.0.1'), length: 24 }],
      outside: [{ address: ip('198.18.0.1'), length: 24 }],
    },
    pool: [ip('198.18.0.1')],
  });

function clients(): Capture {
  return readCapture(readFileSync(new URL('../../captures/clients.pcap', import.meta.url)));
}

function total(result: ReplayResult, way: 'outward' | 'inward', what: 'sent' | 'received'): number {
  return result.flowReports.reduce((sum, flow) => sum + flow[way][what], 0);
}

describe.each(['recorded', 'fast'] as const)('replaying clients with %s timing', (timing) => {
  const result = replayClients(router(), clients(), { timing });

  it('brings every packet of every flow to the other side, payloads unchanged', () => {
    const lost = result.flowReports.filter(
      (flow) => flow.outward.missing + flow.inward.missing > 0,
    );
    expect(lost).toEqual([]);
    expect(total(result, 'outward', 'received')).toBeGreaterThan(2500);
    expect(total(result, 'inward', 'received')).toBe(total(result, 'inward', 'sent'));
    expect(total(result, 'inward', 'received')).toBeGreaterThan(2500);
  });

  it('gives out nothing else than the NAT own messages', () => {
    expect(result.unexpected).toEqual([]);
    expect(result.malformed).toEqual([]);
    expect(result.own).toBeGreaterThan(0);
    expect(result.unaddressed).toBe(0);
  });

  it('keeps one translation for each endpoint', () => {
    expect(result.changedTranslations).toBe(0);
    expect(result.translations).toBeGreaterThan(400);
  });

  it('gives a capture file of what came out', () => {
    const written = readCapture(captureOf(result.outputs));
    expect(written.count).toBe(result.outputs.length);
    const inside = readCapture(captureOf(result.outputs, 'inside', 1_700_000_000_000_000_000n));
    expect(inside.count).toBe(result.outputs.filter(({ port }) => port === 'inside').length);
    expect(inside.timestampsNanoseconds[0]).toBeGreaterThanOrEqual(1_700_000_000_000_000_000n);
  });
});

describe('replaying clients through two instances, one of which is killed', () => {
  const result = replayClients(router(), clients(), { killAtFrame: 4001 });

  it('loses what lay in the dead one, and tells which flows missed it', () => {
    expect(result.lost).toBeGreaterThan(0);
    expect(result.missing).toBe(result.lost);
    const hurt = result.flowReports.filter(
      (flow) => flow.outward.missing + flow.inward.missing > 0,
    );
    expect(hurt.length).toBeGreaterThan(0);
    expect(hurt.length).toBeLessThanOrEqual(result.lost);
  });

  it('goes on with every flow under its translation', () => {
    expect(result.changedTranslations).toBe(0);
    expect(result.unexpected).toEqual([]);
    expect(result.unaddressed).toBe(0);
  });

  it('loses translations where each instance keeps its own', () => {
    const apart = { open: (lane: Lane) => memoryStore().open(lane) };
    const lonely = replayClients(router(), clients(), { killAtFrame: 4001, store: apart });
    expect(lonely.changedTranslations + lonely.missing).toBeGreaterThan(100);
  });
});

describe('replaying clients through two instances at full speed', () => {
  it('brings through fragments that overtake their first one at the other instance', () => {
    const never = Number.MAX_SAFE_INTEGER;
    const result = replayClients(router(), clients(), { killAtFrame: never, timing: 'fast' });
    const pings = result.flowReports.filter(({ protocol }) => protocol === 1);
    expect(pings.length).toBeGreaterThan(10);
    expect(pings.filter((flow) => flow.outward.missing + flow.inward.missing > 0)).toEqual([]);
  });
});

describe('a replay reports', () => {
  it('packets that a network function loses', () => {
    const narrow = nat({
      inside: ['inside'],
      outside: 'outside',
      interfaces: {
        inside: [{ address: ip('10.99.0.1'), length: 24 }],
        outside: [{ address: ip('198.18.0.1'), length: 24 }],
      },
      pool: [ip('198.18.0.1')],
      ports: { first: 2000, last: 2063 },
    });
    const result = replayClients(narrow, clients());
    expect(result.missing).toBeGreaterThan(0);
    expect(result.statistics.dropped['ports-exhausted']).toBeGreaterThan(0);
    expect(result.unaddressed).toBeGreaterThan(0);
  });

  it('the same when it is given the same capture again', () => {
    const capture = clients();
    const [first, second] = [1, 2].map(() => replayClients(router(), capture));
    expect(second?.statistics.dropped).toEqual(first?.statistics.dropped);
    expect(second?.missing).toBe(0);
  });

  it('its progress', () => {
    const seen: number[] = [];
    replayClients(router(), clients(), { onProgress: ({ frames }) => seen.push(frames) });
    expect(seen[0]).toBe(256);
    expect(seen.at(-1)).toBe(clients().count);
  });
});
