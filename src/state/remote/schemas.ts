/** The registry of the schemas of the records that lie on a server, asked when a lane is opened. */
import type { RecordSchema } from '../record.ts';
import { describeSchema, mergeSchemas, type StoredSchema } from '../stored-schema.ts';
import { functionCall, type Reply, textOf, type Word } from './command.ts';

const registry = 'rxnf:schemas';
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
  const own = describeSchema(schema);
  for (let n = 0; n < tries; n++) {
    const text = textOf(ask(['HGET', registry, schema.name])) ?? '';
    const known = text === '' ? own : (JSON.parse(text) as StoredSchema);
    const merged = JSON.stringify(mergeSchemas(schema.name, known, own));
    if (merged === text) return true;
    if (ask(functionCall('exchange', [registry], schema.name, text, merged)) === 1) return true;
  }
  return false;
}
