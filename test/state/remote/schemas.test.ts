import { ipv4, port, record, table, u8, u16 } from 'rxnf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeReply, encodeCommand, type Word } from '../../../src/state/remote/command.ts';
import { libraryRevision, libraryText } from '../../../src/state/remote/library.ts';
import { remoteStore } from '../../../src/state/remote/remote-store.ts';
import { registerSchema } from '../../../src/state/remote/schemas.ts';
import type { AnyTable } from '../../../src/state/table.ts';
import { StoreServer } from '../../support/servers.ts';
import { Bench } from '../contract/bench.ts';

let server: StoreServer;
let bench: Bench;

beforeAll(async () => {
  server = await StoreServer.start();
  bench = new Bench({
    store: remoteStore({ url: `unix:${server.socket}` }),
    clock: 'real',
    exactCapacity: true,
    close: () => undefined,
  });
});
afterAll(async () => {
  await bench.close();
  await server.stop();
});

/** Opens a lane with a table of such records, as a release that knows them so would. */
const open = (schema: ReturnType<typeof record>) =>
  bench.client([table('binding', schema, { capacity: 8 }) as unknown as AnyTable]);

describe('the registry of schemas', () => {
  const first = record('binding', 1, { address: ipv4, port });
  const longer = record('binding', 2, { address: ipv4, port, serial: u16 });

  it('lets two releases share a record that one has appended to, in either order', () => {
    for (const schema of [first, longer, first, longer]) open(schema);
  });

  it.each([
    ['another type', record('binding', 3, { address: ipv4, port: u8 }), 'port'],
    ['another order', record('binding', 3, { port, address: ipv4 }), 'port'],
    ['another name', record('binding', 3, { address: ipv4, number: port }), 'number'],
    [
      'a field more of the same version',
      record('binding', 2, { address: ipv4, port, serial: u16, state: u8 }),
      'state',
    ],
  ])('refuses %s, naming the field', (_, schema, field) => {
    expect(() => open(schema)).toThrow(
      expect.objectContaining({ code: 'ERR_SCHEMA', schema: 'binding', field }) as Error,
    );
  });

  it('looks again when another has written meanwhile, and gives up when that goes on', async () => {
    const redis = server.connect();
    const other = record('other', 1, { address: ipv4 });
    const native = (await import('../../../src/native.ts')).native;
    const connection = {
      ...({ scheme: 'unix', path: server.socket, clientName: 'test', partitions: 1 } as const),
      ...{ library: libraryText, revision: libraryRevision },
      ...{ connectMilliseconds: 1000, requestMilliseconds: 1000 },
      reasons: { unavailable: 0, timeout: 0, full: 0, refused: 0, schemaMismatch: 0, unproved: 0 },
    };
    const ask = (words: readonly Word[]) =>
      decodeReply(native.askServer(connection, encodeCommand(words)));
    let asked = 0;
    const disturbed = (until: number) => (words: Word[]) => {
      const reply = ask(words);
      // After it was read, and before it is written.
      if (words[0] === 'HGET' && asked++ < until)
        ask(['HSET', 'rxnf:schemas', 'other', `{"version":${100 + asked},"fields":[]}`]);
      return reply;
    };
    expect(registerSchema(other, disturbed(3))).toBe(true);
    expect(JSON.parse((await redis.hget('rxnf:schemas', 'other')) ?? '')).toMatchObject({
      fields: [['address', expect.stringContaining('@0')]],
    });
    asked = 0;
    await redis.hdel('rxnf:schemas', 'other');
    expect(registerSchema(other, disturbed(Number.POSITIVE_INFINITY))).toBe(false);
    redis.disconnect();
  });
});
