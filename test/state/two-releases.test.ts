/**
 * Two releases of a network function share a store while one replaces the other, in either direction. It
 * translates as a NAT does: whoever meets a flow first chooses its port, and every instance counts. The
 * newer release appends two fields to the record; the older knows nothing of them and must keep them.
 */
import { setImmediate } from 'node:timers/promises';
import {
  applyEdits,
  lookupState,
  type Pipeline,
  port,
  record,
  remoteStore,
  type Store,
  sharedStore,
  table,
  transform,
  u16,
  u32,
  writeState,
} from 'rxnf';
import type { Harness } from 'rxnf/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { removeStore } from '../../src/state/shared-store.ts';
import { formatText, parseText } from '../../src/wire/text.ts';
import { bench } from '../operators/bench.ts';
import { StoreServer, serverKinds } from '../support/servers.ts';

const capacity = 256;
const olderFields = { port, packets: u32 };
const olderSessions = table('session', record('session', 1, olderFields), { capacity });
const newerSessions = table(
  'session',
  record('session', 2, { ...olderFields, marked: u32, born: u16 }),
  { capacity },
);

type Release = 'older' | 'newer';
const firstPort = { older: 10_000, newer: 20_000 } as const;
/** What the newer release writes into a record that it creates. */
const born = 0xbeef;

const look = { key: 'five-tuple' } as const;
const translateIn =
  (sessions: typeof olderSessions): Pipeline =>
  (packets) =>
    packets.pipe(
      lookupState(sessions, look),
      transform([sessions], (packet) => {
        const { session } = packet;
        if (session.found) session.update();
        else {
          session.create();
          session.port = firstPort.older + packet.sourcePort;
        }
        session.packets++;
        packet.setSource(packet.source, session.port);
      }),
      writeState([sessions]),
      applyEdits(),
    );
const older = translateIn(olderSessions);
const newer: Pipeline = (packets) =>
  packets.pipe(
    lookupState(newerSessions, look),
    transform([newerSessions], (packet) => {
      const { session } = packet;
      if (session.found) session.update();
      else {
        session.create();
        session.port = firstPort.newer + packet.sourcePort;
        session.born = born;
      }
      session.packets++;
      session.marked++;
      packet.setSource(packet.source, session.port);
    }),
    writeState([newerSessions]),
    applyEdits(),
  );

function start(release: Release, store: Store): Harness {
  const [build, sessions] =
    release === 'older' ? [older, olderSessions] : ([newer, newerSessions] as const);
  return bench(() => build, { tables: [sessions], store, clock: 'machine', burst: 4, batches: 4 });
}

/** Flows are told apart by their destination; each sends this many packets at once. */
const flows = 24;
const patienceMilliseconds = 15_000;

/** Traffic through whatever instances there are, and what is known of it. */
class Traffic {
  /** The port of each flow, once a packet of it has left. */
  readonly ports = new Map<number, number>();
  readonly sent = { older: 0, newer: 0 };
  private next = 1;

  /** A packet of each flow through each instance, all of them at once. */
  async through(instances: readonly (readonly [Release, Harness])[]): Promise<void> {
    for (let flow = 0; flow < flows; flow++) {
      for (const [release, instance] of this.shuffled(instances)) {
        instance.send('in', parseText(`10.0.0.5:${1000 + flow} > 198.51.100.${flow + 1}:53 udp`));
        this.sent[release] += 1;
      }
    }
    let left = 0;
    const end = performance.now() + patienceMilliseconds;
    while (left < flows * instances.length) {
      expect(performance.now(), 'every packet leaves').toBeLessThan(end);
      for (const [, instance] of instances) {
        instance.lane.breathe();
        instance.run();
        for (const { frame } of instance.outputs()) {
          left++;
          this.leaves(formatText(frame));
        }
      }
      await setImmediate();
    }
  }

  private leaves(text: string): void {
    const [, from, host] = /10\.0\.0\.5:(\d+) > 198\.51\.100\.(\d+):53/.exec(text) ?? [text];
    const flow = Number(host) - 1;
    const known = this.ports.get(flow) ?? Number(from);
    expect(Number(from), `flow ${flow} keeps its port`).toBe(known);
    this.ports.set(flow, known);
  }

  private shuffled<T>(all: readonly T[]): readonly T[] {
    this.next = Math.imul(this.next, 1_103_515_245) + 12_345;
    return this.next & 0x10000 ? all : [...all].reverse();
  }
}

interface Totals {
  packets: number;
  marked: number;
  born: number;
}

/** Sums over all flows, as the newer release reads them. */
async function totals(store: Store): Promise<Totals> {
  const sums = { packets: 0, marked: 0, born: 0 };
  const read: Pipeline = (packets) =>
    packets.pipe(
      lookupState(newerSessions, look),
      transform([newerSessions], ({ session }) => {
        sums.packets += session.packets;
        sums.marked += session.marked;
        sums.born += session.born === born ? 1 : 0;
      }),
    );
  const reader = bench(() => read, { tables: [newerSessions], store, clock: 'machine' });
  try {
    await new Traffic().through([['newer', reader]]);
  } finally {
    reader.close();
  }
  return sums;
}

const rounds = 6;
const releases: readonly (readonly [Release, Release])[] = [
  ['older', 'newer'],
  ['newer', 'older'],
];

/** One release, both at once, the other alone, and both at once again. */
async function roll(store: () => Store, [first, second]: readonly [Release, Release]) {
  const traffic = new Traffic();
  const before = start(first, store());
  await traffic.through([[first, before]]);
  const chosenByFirst = [...traffic.ports.values()].every((p) => p - firstPort[first] < 10_000);
  expect(chosenByFirst).toBe(true);
  const after = start(second, store());
  for (let n = 0; n < rounds; n++)
    await traffic.through([
      [first, before],
      [second, after],
    ]);
  before.finish();
  before.close();
  await traffic.through([[second, after]]);
  const back = start(first, store());
  for (let n = 0; n < rounds; n++)
    await traffic.through([
      [second, after],
      [first, back],
    ]);
  for (const instance of [after, back]) {
    instance.finish();
    instance.close();
  }
  expect(await totals(store())).toEqual({
    packets: traffic.sent.older + traffic.sent.newer,
    marked: traffic.sent.newer,
    born: first === 'newer' ? flows : 0,
  });
}

/** A release that has another record under the same table. */
const strange = table('session', record('stranger', 1, { ...olderFields }), { capacity });

/** What holds of every store. */
function rollingReleases(store: () => Store): void {
  it.each(releases)('share flows while %s gives way to %s', (...direction) =>
    roll(store, direction),
  );

  it('refuse a third with another record, by its name', () => {
    const one = start('older', store());
    expect(() => bench(() => translateIn(strange), { tables: [strange], store: store() })).toThrow(
      expect.objectContaining({ code: 'ERR_SCHEMA', schema: 'stranger' }) as Error,
    );
    one.close();
  });
}

describe('two releases on shared memory', () => {
  const path = `/dev/shm/rxnf-releases-${process.pid}`;
  const store = () => sharedStore({ path });
  afterEach(() => removeStore(path));

  rollingReleases(store);
});

describe.each(serverKinds())('two releases on %s', (kind) => {
  let server: StoreServer;
  const store = () => remoteStore({ url: `unix:${server.socket}` });
  beforeAll(async () => {
    server = await StoreServer.start({ kind });
  });
  afterEach(async () => {
    const redis = server.connect();
    await redis.flushall();
    redis.disconnect();
  });
  afterAll(() => server.stop());

  rollingReleases(store);
});
