/** `inFlight`: what a server has of a lane's requests at once, seen while the server is stopped. */
import { record, table, u32 } from 'rxnf';
import { expect, it } from 'vitest';
import type { RemoteClient } from '../../../src/state/remote/client.ts';
import { remoteStore } from '../../../src/state/remote/remote-store.ts';
import type { AnyTable } from '../../../src/state/table.ts';
import { StoreServer } from '../../support/servers.ts';
import { Bench } from '../contract/bench.ts';

const schema = record('entry', 1, { value: u32 });
const entries = table('entry', schema, { capacity: 1000 }) as AnyTable;

/** How many of three lookups leave while the server is stopped. */
async function leftUnanswered(inFlight?: number): Promise<number> {
  const server = await StoreServer.start();
  const bench = new Bench({
    store: remoteStore({
      url: `unix:${server.socket}`,
      requestMilliseconds: 10_000,
      ...(inFlight !== undefined && { inFlight }),
    }),
    clock: 'real',
    exactCapacity: true,
    close: () => undefined,
  });
  try {
    const client = bench.client([entries]);
    const sent = () =>
      (client.session as unknown as { client: RemoteClient }).client.status.sentBytes;
    const first = client.batch(entries, [1]);
    await bench.wait(50); // for what the lane asks when it begins
    const before = sent();
    await first.lookup();
    const each = sent() - before;
    first.end();
    const batches = [2, 3, 4].map((key) => client.batch(entries, [key]));
    server.kill('SIGSTOP');
    const stopped = sent();
    const isDone = batches.map((rows) => rows.startLookup());
    await bench.wait(100);
    const left = (sent() - stopped) / each;
    server.kill('SIGCONT');
    await bench.until('every lookup', () => isDone.every((done) => done()));
    for (const rows of batches) rows.end();
    return left;
  } finally {
    await bench.close();
    await server.stop();
  }
}

it('holds back what is beyond it until a reply comes, and sends all in the end', async () => {
  expect(await leftUnanswered(1)).toBe(1);
  expect(await leftUnanswered(2)).toBe(2);
  expect(await leftUnanswered()).toBe(3);
});

it.each([0, 1.5, -1, Number.NaN])('refuses %d', (inFlight) => {
  expect(() => remoteStore({ url: 'unix:/x', inFlight })).toThrow(
    `inFlight ${inFlight} is not a whole number from 1 on`,
  );
});
