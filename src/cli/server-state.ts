/** `rxnf state` of a Redis or Valkey server: what lies there, dumped and restored as lines of JSON. */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { dumpServer, readContents, removeAll } from '../state/redis-control/server-records.ts';
import { restoreServer } from '../state/redis-control/server-restore.ts';
import { storeName } from '../state/redis-control/store-servers.ts';
import { withoutPassword } from '../state/remote/address.ts';
import { writeTable } from './table.ts';

export async function list(out: Writable, url: string): Promise<void> {
  const { tables, clients } = await readContents({ url });
  // How large a table may be, and what was refused, its instances know.
  writeTable(
    out,
    ['table', 'records', 'capacity', 'refused'],
    tables.map(({ name, records }) => [name, String(records), '-', '-']),
  );
  out.write('\n');
  writeTable(
    out,
    ['instance', 'address', 'state'],
    clients.map(({ instance, address }) => [instance, address, 'connected']),
  );
}

export async function dump(out: Writable, url: string): Promise<void> {
  await dumpServer({ url }, async (line) => {
    if (!out.write(`${JSON.stringify(line)}\n`)) await once(out, 'drain');
  });
}

export async function restore(out: Writable, url: string, file: string): Promise<void> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  if (file !== '-') await once(input, 'open');
  const restored = await restoreServer({ url }, linesOf(input));
  out.write(`${restored} records restored into ${withoutPassword(url)}\n`);
}

/** Begins to read with the first line that is asked for: an interface loses what comes before. */
async function* linesOf(input: NodeJS.ReadableStream) {
  yield* createInterface({ input });
}

/** A server may be anybody's: its exact name has to be given, and none of its instances be connected. */
export async function remove(out: Writable, url: string, name: string | undefined): Promise<void> {
  const exact = storeName({ url });
  if (name !== exact) {
    const found = name === undefined ? '' : `, which is not ${name}`;
    throw Object.assign(
      new Error(`${exact}${found}: to remove every record there, give --name ${exact}`),
      { code: 'ERR_STORE_NAME' },
    );
  }
  const records = await removeAll({ url });
  out.write(`${exact}: ${records} records removed\n`);
}
