/** The registry of the schemas of the records that lie on a server, asked when a lane is opened. */
import type { RecordSchema } from '../record.ts';
import { checkTable, describeSchema, mergeSchemas, type StoredSchema } from '../stored-schema.ts';
import { functionCall, type Reply, textOf, type Word } from './command.ts';

/** A hash: schemas by name. */
export const registry = 'rxnf:schemas';
/** A hash: the name of the schema whose records each table holds. */
export const tableRegistry = 'rxnf:tables';
/** Instances that register at once: all but one of them look again. */
const tries = 8;

/**
 * Registers what a release knows of a record.
 *
 * @param ask sends a command and waits for its reply
 * @returns false where others were writing the registry all the time
 * @throws {SchemaError} naming the field that another release knows otherwise
 */
export function registerSchema(schema: RecordSchema, ask: (words: Word[]) => Reply): boolean {
  return registerStored(schema.name, describeSchema(schema), ask);
}

/** Likewise, of a record that nothing here declares: one that a dump describes. */
export function registerStored(
  name: string,
  own: StoredSchema,
  ask: (words: Word[]) => Reply,
): boolean {
  for (let n = 0; n < tries; n++) {
    const text = textOf(ask(['HGET', registry, name])) ?? '';
    const known = text === '' ? own : (JSON.parse(text) as StoredSchema);
    const merged = JSON.stringify(mergeSchemas(name, known, own));
    if (merged === text) return true;
    if (ask(functionCall('exchange', [registry], name, text, merged)) === 1) return true;
  }
  return false;
}

/**
 * Registers whose records a table holds, where nobody has.
 *
 * @throws {SchemaError} it holds another schema's
 */
export function registerTable(table: string, schema: string, ask: (words: Word[]) => Reply): void {
  if (ask(['HSETNX', tableRegistry, table, schema]) === 1) return;
  checkTable(table, textOf(ask(['HGET', tableRegistry, table])) ?? schema, schema);
}
