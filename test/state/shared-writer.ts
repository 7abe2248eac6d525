/**
 * A process of its own that writes to a shared store: `shared-writer.ts FOLDER INSTANCE [on]`, once, or
 * `on` and on.
 */
import { setImmediate } from 'node:timers/promises';
import { record, sharedStore, table, u32 } from 'rxnf';
import type { AnyTable } from '../../src/state/table.ts';
import { makeLane } from '../streams/lanes.ts';

const [path = '', instance = '', on] = process.argv.slice(2);
const { lane } = makeLane();
const session = sharedStore({ path, instance }).open(lane);
const entries = table('entry', record('entry', 1, { value: u32 }), { capacity: 100 });
const key = new Uint8Array(16);
new DataView(key.buffer).setUint32(0, 7);
const value = new Uint8Array(8);
new DataView(value.buffer).setUint32(0, 70, true);
session.put(entries as unknown as AnyTable, key, value, 0);
console.log('written');
setInterval(() => undefined, 1000);
while (on === 'on') {
  for (let n = 0; n < 1000; n++) session.put(entries as unknown as AnyTable, key, value, 0);
  await setImmediate();
}
