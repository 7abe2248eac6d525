/**
 * Schemas as stores keep them beside the records: a release that knows fewer fields than another shares
 * its records, one that knows them otherwise is refused before it reads any.
 */
import type { FieldType, RecordSchema } from './record.ts';

/** A schema as it stands in the store: `kind@offset` of each field, in order. */
export interface StoredSchema {
  readonly version: number;
  readonly fields: readonly (readonly [name: string, layout: string])[];
}

/** Two releases disagree about a record. */
export class SchemaError extends Error {
  readonly code = 'ERR_SCHEMA';
  readonly schema: string;
  /** Undefined where it is another record altogether. */
  readonly field: string | undefined;

  constructor(schema: string, field: string | undefined, message: string) {
    super(`record ${schema}: ${message}`);
    this.name = 'SchemaError';
    this.schema = schema;
    this.field = field;
  }
}

/**
 * Refuses a record that is not the one that a table holds.
 *
 * @param stored the name of the schema of what lies in the table
 * @throws {SchemaError} naming both
 */
export function checkTable(table: string, stored: string, own: string): void {
  if (stored === own) return;
  throw new SchemaError(
    own,
    undefined,
    `table ${table} holds records of ${stored} in the store: give the table of another record another name`,
  );
}

/** What both know: the one with more fields, if the other's are its first. */
export function mergeSchemas(name: string, known: StoredSchema, own: StoredSchema): StoredSchema {
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

export function describeSchema({ version, fields, offsets }: RecordSchema): StoredSchema {
  const at = offsets as Readonly<Record<string, number>>;
  return {
    version,
    fields: Object.entries(fields as Record<string, FieldType<unknown>>).map(([name, type]) => [
      name,
      `${type.kind}@${at[name]}`,
    ]),
  };
}
