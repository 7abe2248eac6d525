/**
 * The schemas of the records in a store, by name: a release that knows fewer fields than another shares
 * its records, one that knows them otherwise is refused before it reads any.
 */
import type { Redis } from 'ioredis';
import type { FieldType, RecordSchema } from '../record.ts';
import type { AnyTable } from '../table.ts';
import { type Access, withServer } from './connection.ts';

/** A schema as it stands in the store: `kind@offset` of each field, in order. */
export interface StoredSchema {
  readonly version: number;
  readonly fields: readonly (readonly [name: string, layout: string])[];
}

/** Two releases disagree about a record. */
export class SchemaError extends Error {
  readonly code = 'ERR_SCHEMA';
  readonly schema: string;
  readonly field: string;

  constructor(schema: string, field: string, message: string) {
    super(`record ${schema}: ${message}`);
    this.name = 'SchemaError';
    this.schema = schema;
    this.field = field;
  }
}

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
  const schemas = new Map(shared.map(({ schema }) => [schema.name, describe(schema)]));
  return withServer(access, async (server) => {
    for (const [name, own] of schemas) await register(server, name, own);
  });
}

async function register(server: Redis, name: string, own: StoredSchema): Promise<void> {
  for (let n = 0; n < tries; n++) {
    await server.watch(registry);
    const text = await server.hget(registry, name);
    const known = text === null ? undefined : (JSON.parse(text) as StoredSchema);
    const merged = known ? merge(name, known, own) : own;
    if (known && merged === known) {
      await server.unwatch();
      return;
    }
    if ((await server.multi().hset(registry, name, JSON.stringify(merged)).exec()) !== null) return;
  }
  throw new Error(`the registry of schemas was being written ${tries} times`);
}

/** What both know: the one with more fields, if the other's are its first. */
export function merge(name: string, known: StoredSchema, own: StoredSchema): StoredSchema {
  const common = Math.min(known.fields.length, own.fields.length);
  for (let i = 0; i < common; i++) {
    const [field, layout] = own.fields[i] as StoredSchema['fields'][number];
    const [other, otherLayout] = known.fields[i] as StoredSchema['fields'][number];
    if (field !== other || layout !== otherLayout) {
      throw new SchemaError(
        name,
        field,
        `field ${i + 1} is ${field} (${layout}) here and ${other} (${otherLayout}) in the store: ` +
          'fields may only be appended; give a changed record another name',
      );
    }
  }
  if (own.fields.length !== known.fields.length && own.version === known.version) {
    const longer = own.fields.length > known.fields.length ? own : known;
    const [field] = longer.fields[common] as StoredSchema['fields'][number];
    throw new SchemaError(name, field, `${field} was appended without a new version`);
  }
  return own.fields.length > known.fields.length ? own : known;
}

export function describe({ version, fields, offsets }: RecordSchema): StoredSchema {
  const at = offsets as Readonly<Record<string, number>>;
  return {
    version,
    fields: Object.entries(fields as Record<string, FieldType<unknown>>).map(([name, type]) => [
      name,
      `${type.kind}@${at[name]}`,
    ]),
  };
}
