/**
 * What the project exists for: two instances of one NAT on one store, behind a splitter that moves
 * flows between them; either is killed, again and again, and no connection of any client breaks.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PairOptions } from '../../src/lab/pair.ts';
import { lacking } from './lab.ts';
import {
  type BusyPair,
  download,
  endTalks,
  faultsOf,
  killInTurns,
  openBusyPair,
  session,
  startTalks,
  stream,
} from './pair-traffic.ts';

const missing = lacking();

/**
 * How long any connection may be silent. Packets are lost from the kill until the splitter sees the link
 * go down (some milliseconds), so TCP sends again once: after 200 ms on Linux, 400 and 800 more if that
 * is lost too; a SYN after one second (RFC 6298). A connection that waited for its instance to come back
 * would be silent for longer: an instance stays dead for `deadMilliseconds` and takes a second to start.
 */
const boundMilliseconds = 1600;
const deadMilliseconds = 1500;

describe.skipIf(missing.length > 0)('two instances on shared memory', () => {
  const used = usePair({});

  it('may be killed at any time: downloads, streams, sessions and connections go on', {
    timeout: 90_000,
  }, async () => {
    const busy = used();
    const { pair } = busy;
    const talks = startTalks(pair, { connections: 60, openingMilliseconds: 250 });
    const clients = [
      download(busy),
      stream(busy, 'up', 20),
      stream(busy, 'down', 20),
      session(busy, 20),
    ];
    await killInTurns(pair, 6, deadMilliseconds);
    const faults = (await Promise.all(clients)).flat();
    const report = await endTalks(talks);
    expect(report.connections).toHaveLength(60);
    expect([...faults, ...faultsOf(report, boundMilliseconds)]).toEqual([]);
    const { ports } = await pair.endSplitter();
    for (const port of ['inside-0', 'outside-0', 'inside-1', 'outside-1'])
      expect(ports[port]?.receivedPackets, `packets from ${port}`).toBeGreaterThan(1000);
  });
});

describe.skipIf(missing.length > 0)('two instances on asymmetric paths', () => {
  const used = usePair({ splitting: { paths: 'crossed' } });

  it('carry each connection out through the one and back through the other', {
    timeout: 60_000,
  }, async () => {
    const busy = used();
    const { pair } = busy;
    const talks = startTalks(pair, { connections: 40 });
    expect(await session(busy, 3)).toEqual([]);
    await sleep(500);
    const report = await endTalks(talks);
    expect(faultsOf(report, boundMilliseconds)).toEqual([]);
    const { ports } = await pair.endSplitter();
    // What an instance sends besides is ARP: questions every 30 s, and answers to the hosts'.
    expect(ports['outside-0']?.receivedPackets, 'outward').toBeGreaterThan(1000);
    expect(ports['inside-1']?.receivedPackets, 'inward').toBeGreaterThan(1000);
    expect(ports['inside-0']?.receivedPackets, 'inward by the other').toBeLessThan(20);
    expect(ports['outside-1']?.receivedPackets, 'outward by the other').toBeLessThan(20);
  });
});

/** A pair with servers, for all tests of the enclosing `describe`. */
function usePair(options: PairOptions): () => BusyPair {
  let busy: BusyPair | undefined;
  beforeAll(async () => {
    busy = await openBusyPair(options);
  });
  afterAll(async () => {
    await busy?.pair.close();
  });
  return () => busy as BusyPair;
}
