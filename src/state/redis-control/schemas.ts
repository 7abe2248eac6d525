/** The registry of the schemas of the records that lie on a server. */
import type { Redis } from 'ioredis';
import { describeSchema, mergeSchemas, type StoredSchema } from '../stored-schema.ts';
import type { AnyTable } from '../table.ts';
import { type Access, withServer } from './connection.ts';

const registry = 'rxnf:schemas';
/** Two instances that register at once: one of them looks again. */
const tries = 8;

/**
 * Registers what a release knows about its shared tables' records.
 *
 * @throws {SchemaError} naming the field that another release knows otherwise
 */
export function registerSchemas(access: Access, tables: readonly AnyTable[]): Promise<void> {
  const shared = tables.filter((table) => table.scope === 'shared');
  const schemas = new Map(shared.map(({ schema }) => [schema.name, describeSchema(schema)]));
  return withServer(access, async (server) => {
    for (const [name, own] of schemas) await register(server, name, own);
  });
}

async function register(server: Redis, name: string, own: StoredSchema): Promise<void> {
  for (let n = 0; n < tries; n++) {
    await server.watch(registry);
    const text = await server.hget(registry, name);
    const known = text === null ? undefined : (JSON.parse(text) as StoredSchema);
    const merged = known ? mergeSchemas(name, known, own) : own;
    if (known && merged === known) {
      await server.unwatch();
      return;
    }
    if ((await server.multi().hset(registry, name, JSON.stringify(merged)).exec()) !== null) return;
  }
  throw new Error(`the registry of schemas was being written ${tries} times`);
}
