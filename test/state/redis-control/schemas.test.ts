import { ipv4, port, record, table, u8, u16 } from 'rxnf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerSchemas } from '../../../src/state/redis-control/schemas.ts';
import type { AnyTable } from '../../../src/state/table.ts';
import { StoreServer } from '../../support/servers.ts';

let server: StoreServer;
const access = () => ({ url: `unix:${server.socket}` });
const of = (schema: ReturnType<typeof record>) =>
  [table('binding', schema, { capacity: 1 })] as unknown as AnyTable[];

beforeAll(async () => {
  server = await StoreServer.start();
});
afterAll(() => server.stop());

describe('the registry of schemas', () => {
  const first = record('binding', 1, { address: ipv4, port });
  const longer = record('binding', 2, { address: ipv4, port, serial: u16 });

  it('lets two releases share a record that one has appended to, in either order', async () => {
    await registerSchemas(access(), of(first));
    await registerSchemas(access(), of(longer));
    await registerSchemas(access(), of(first));
    await registerSchemas(access(), of(longer));
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
  ])('refuses %s, naming the field', async (_, schema, field) => {
    await expect(registerSchemas(access(), of(schema))).rejects.toMatchObject({
      code: 'ERR_SCHEMA',
      schema: 'binding',
      field,
    });
  });

  it('takes registrations at the same time', async () => {
    const other = record('other', 1, { address: ipv4 });
    await Promise.all(Array.from({ length: 8 }, () => registerSchemas(access(), of(other))));
  });
});
