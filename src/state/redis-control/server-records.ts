/**
 * The records on a server, or a cluster of them, for whoever looks after them: told, dumped and removed, without the network
 * function that declared them. What is read at once is bounded: one page of SCAN and its values.
 *
 * SCAN promises every key that is there all the time, at least once; a record may come twice.
 */
import type { Redis } from 'ioredis';
import { type FieldValues, readFields, recordSize } from '../record-text.ts';
import { fnv1a, parseKey, type StoredKey } from '../remote/key-names.ts';
import { registry, tableRegistry } from '../remote/schemas.ts';
import type { StoredSchema } from '../stored-schema.ts';
import { type Access, StoreControlError } from './connection.ts';
import { type StoreServers, storeName, withStore } from './store-servers.ts';

/** One line of a dump: each table's own comes before its records. */
export type ServerDumpLine =
  | {
      readonly table: string;
      readonly schema: string;
      readonly partitions: number;
      readonly description: StoredSchema;
    }
  | {
      readonly table: string;
      /** 16 bytes, hexadecimal, as the record. */
      readonly key: string;
      readonly timer: number;
      /** Until it expires; 0: never. */
      readonly leftMilliseconds: number;
      readonly record: string;
      /** What the record's bytes mean; not read when it is restored. */
      readonly fields: FieldValues;
    };

export interface ServerContents {
  readonly tables: readonly { readonly name: string; readonly records: number }[];
  /** Connections of lanes: an instance has several. */
  readonly clients: readonly { readonly instance: string; readonly address: string }[];
}

/** Keys a page: with records of 64 KiB, 16 MiB at the most. */
const pageKeys = 256;
const headerBytes = 24;
const anyRecord = '{??}*/????????????????';
const anySize = '{??}*=';

/** @throws {StoreControlError} `ERR_NO_STORE`, `ERR_STORE_CLUSTER`, `ERR_STORE_UNREACHABLE`, `ERR_STORE_REFUSED` */
export function readContents(access: Access): Promise<ServerContents> {
  return withStore(access, async (servers) => {
    await partitionsOf(access, servers);
    return { tables: await tablesOf(servers), clients: await clientsOf(servers) };
  });
}

/**
 * Every record, a page at a time.
 *
 * @param take gets the next line when it is done with the last
 * @throws as {@link readContents}; `ERR_SCHEMA` where a record's schema is not registered
 */
export function dumpServer(
  access: Access,
  take: (line: ServerDumpLine) => Promise<void>,
): Promise<void> {
  return withStore(access, async (servers) => {
    const partitions = await partitionsOf(access, servers);
    const known = Object.entries(await servers.holding(registry, (s) => s.hgetall(registry)));
    const schemas = new Map(
      known.map(([name, text]) => [fnv1a(name), { name, ...(JSON.parse(text) as StoredSchema) }]),
    );
    const described = new Map<string, string>();
    for await (const { server, page } of allPages(servers, anyRecord)) {
      const records = page.filter(({ parsed }) => parsed.kind === 'record');
      if (records.length === 0) continue;
      // One by one, all at once: on a cluster a command names keys of one slot.
      const values = await Promise.all(records.map(({ name }) => server.getBuffer(name)));
      const now = await serverMilliseconds(server);
      for (const [i, { name: fullName, parsed }] of records.entries()) {
        const value = values[i];
        if (!value || value.length < headerBytes || parsed.kind !== 'record') continue;
        const { table, key } = parsed;
        const schema = schemas.get(value.readUInt32LE(20));
        if (!schema) {
          const why = `record ${fullName.toString('latin1')} is of a schema that is not registered`;
          throw new StoreControlError('ERR_SCHEMA', access.url, why);
        }
        const { name, version, fields } = schema;
        const description = { version, fields };
        if (described.get(table) !== name)
          await take({ table, schema: name, partitions, description });
        described.set(table, name);
        await take({ table, ...recordOf(key, value, now, description) });
      }
    }
  });
}

/**
 * Removes everything of rxnf's from a server's database, save the counter of writers: no writer's number
 * is ever used again. Interrupted, it can be repeated.
 *
 * @returns how many records there were
 * @throws {StoreControlError} `ERR_STORE_IN_USE` while instances are connected; as {@link readContents}
 */
export function removeAll(access: Access): Promise<number> {
  return withStore(access, async (servers) => {
    await partitionsOf(access, servers);
    const clients = await clientsOf(servers);
    if (clients.length > 0) {
      const names = [...new Set(clients.map(({ instance }) => instance))].join(', ');
      const why = `in use by ${names}: stop these first`;
      throw new StoreControlError('ERR_STORE_IN_USE', storeName(access), why);
    }
    const tables = new Set((await tablesOf(servers)).map(({ name }) => name));
    const ours = (key: StoredKey) => key.kind === 'accounts' || tables.has(key.table);
    let removed = 0;
    // The sizes tell which tables are ours, so they go when all else has gone.
    for (const last of [false, true]) {
      for await (const { server, page } of allPages(servers, last ? anySize : '{??}*')) {
        const going = page.filter(
          ({ parsed }) => ours(parsed) && (parsed.kind === 'size') === last,
        );
        await Promise.all(going.map(({ name }) => server.unlink(name)));
        removed += going.filter(({ parsed }) => parsed.kind === 'record').length;
      }
    }
    for (const name of [registry, tableRegistry, partitionsName])
      await servers.holding(name, (server) => server.unlink(name));
    return removed;
  });
}

const partitionsName = 'rxnf:partitions';

async function partitionsOf(access: Access, servers: StoreServers): Promise<number> {
  const partitions = await servers.holding(partitionsName, (s) => s.get(partitionsName));
  if (partitions !== null) return Number(partitions);
  const why = `no store is there; a configuration names it as store: ${access.url.replace(/:[^:@/]*@/, ':***@')}`;
  throw new StoreControlError('ERR_NO_STORE', storeName(access), why);
}

async function tablesOf(servers: StoreServers) {
  const sizes = new Map<string, number>();
  const seen = new Set<string>(); // a partition's size may come twice: bounded by tables and partitions
  for await (const { server, page } of allPages(servers, anySize)) {
    for (const { name, parsed } of page) {
      if (parsed.kind !== 'size' || seen.has(name.toString('latin1'))) continue;
      seen.add(name.toString('latin1'));
      const records = Number(await server.get(name));
      sizes.set(parsed.table, (sizes.get(parsed.table) ?? 0) + records);
    }
  }
  return [...sizes].map(([name, records]) => ({ name, records })).sort(byName);
}

const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);

async function clientsOf({ all }: StoreServers) {
  const lists = await Promise.all(
    all.map(async (server) => clientsIn(String(await server.client('LIST')), server)),
  );
  return lists.flat();
}

function clientsIn(list: string, { options }: Redis) {
  const database = options.db ?? 0;
  return list
    .split('\n')
    .map((line) => new Map(line.split(' ').map((word) => word.split('=', 2) as [string, string])))
    .filter((of) => of.get('name')?.startsWith('rxnf-') && Number(of.get('db')) === database)
    .map((of) => ({
      instance: (of.get('name') as string).slice('rxnf-'.length),
      address: of.get('addr') ?? '',
    }));
}

async function* allPages({ all }: StoreServers, pattern: string) {
  for (const server of all) for await (const page of pages(server, pattern)) yield { server, page };
}

/** Pages of the keys that are ours by their names. */
async function* pages(server: Redis, pattern: string) {
  let cursor = '0';
  do {
    const [next, names] = (await server.callBuffer(
      ...(['SCAN', cursor, 'MATCH', pattern, 'COUNT', pageKeys] as const),
    )) as [Buffer, Buffer[]];
    cursor = next.toString();
    yield names.flatMap((name) => {
      const parsed = parseKey(name);
      return parsed ? [{ name, parsed }] : [];
    });
  } while (cursor !== '0');
}

async function serverMilliseconds(server: Redis): Promise<number> {
  const [seconds, microseconds] = await server.time();
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}

function recordOf(key: Uint8Array, value: Buffer, now: number, description: StoredSchema) {
  const record = value.subarray(headerBytes);
  // What an older release wrote is shorter: zeros beyond its end, as its readers see it.
  const whole = new Uint8Array(Math.max(record.length, recordSize(description)));
  whole.set(record);
  const deadline = Number(value.readBigUInt64LE(8));
  return {
    key: Buffer.from(key).toString('hex'),
    timer: value.readUInt8(16),
    leftMilliseconds: deadline === 0 ? 0 : Math.max(1, deadline - now),
    record: record.toString('hex'),
    fields: readFields(description, new DataView(whole.buffer), 0),
  };
}
