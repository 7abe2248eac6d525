/**
 * Puts a dump back onto a server, or a cluster of them, by the functions that instances write with.
 * Schemas are registered first: a dump that knows a record otherwise than the server is refused before
 * anything is written.
 */
import type { Redis } from 'ioredis';
import { RestoreError } from '../record-text.ts';
import { fnv1a, partitionOf, recordKey } from '../remote/key-names.ts';
import { libraryText } from '../remote/library.ts';
import { type RemoteStore, remoteStore } from '../remote/remote-store.ts';
import type { Access } from './connection.ts';
import type { ServerDumpLine } from './server-records.ts';
import { type StoreServers, withStore } from './store-servers.ts';

/** Records on their way at once. */
const atOnce = 64;
/** A record that others keep changing: so often, then it is an error. */
const tries = 8;
/** What a table may be declared for at the most: how large this one is, instances say. */
const capacity = 2 ** 28;

type TableLine = Extract<ServerDumpLine, { description: unknown }>;
type RecordLine = Extract<ServerDumpLine, { record: string }>;

/**
 * Puts a dump's records into the store, over those of the same keys; they live on for as long as they had
 * left.
 *
 * @returns how many records
 * @throws {RestoreError}, {@link SchemaError}
 */
export function restoreServer(access: Access, lines: AsyncIterable<string>): Promise<number> {
  return withStore(access, async (servers) => {
    let restore: Restore | undefined;
    let under: Promise<void>[] = [];
    let number = 0;
    let restored = 0;
    for await (const text of lines) {
      number++;
      if (text.trim() === '') continue;
      const line = parseLine(number, text);
      if ('description' in line) {
        restore ??= await Restore.open(access, servers, line.partitions);
        restore.describe(line);
        continue;
      }
      if (!restore) throw new RestoreError(number, `table ${line.table} was not described`);
      under.push(restore.put(number, line));
      restored++;
      if (under.length < atOnce) continue;
      await Promise.all(under);
      under = [];
    }
    await Promise.all(under);
    return restored;
  });
}

class Restore {
  private readonly servers: StoreServers;
  private readonly store: RemoteStore;
  private readonly partitions: number;
  private readonly writer: number;
  private readonly tables = new Map<string, TableLine>();
  private sequence = 0;

  /** A server that has partitions keeps them: records lie by them. */
  static async open(access: Access, servers: StoreServers, dumped: number): Promise<Restore> {
    const name = 'rxnf:partitions';
    const known = await servers.holding(name, (server) => server.get(name));
    await Promise.all(servers.all.map(loadFunctions));
    return new Restore(access, servers, known === null ? dumped : Number(known));
  }

  private constructor({ url }: Access, servers: StoreServers, partitions: number) {
    this.servers = servers;
    this.partitions = partitions;
    this.store = remoteStore({ url, partitions, instance: 'state' });
    this.writer = this.store.takeWriter();
  }

  describe(line: TableLine): void {
    this.store.register(line.table, line.schema, line.description);
    this.tables.set(line.table, line);
  }

  async put(number: number, line: RecordLine): Promise<void> {
    const table = this.tables.get(line.table);
    if (!table) throw new RestoreError(number, `table ${line.table} was not described`);
    const key = Buffer.from(line.key, 'hex');
    if (key.length !== 16) throw new RestoreError(number, `a key of ${key.length} bytes, not 16`);
    const name = recordKey(partitionOf(key, this.partitions), line.table, key) as Buffer;
    let expected = Buffer.alloc(8);
    let kind = 'i';
    for (let n = 0; n < tries; n++) {
      const answer = await this.write(name, kind, expected, table, line);
      if (answer === 1) return;
      if (answer === 0) throw new RestoreError(number, `table ${line.table} is full`);
      kind = answer === null ? 'i' : 's';
      if (answer === null) continue;
      if (answer.readUInt32LE(20) !== fnv1a(table.schema)) {
        const why = `what lies at ${line.key} in ${line.table} is of another schema than ${table.schema}`;
        throw new RestoreError(number, why);
      }
      expected = Buffer.from(answer.subarray(0, 8));
    }
    throw new RestoreError(number, `the record is being written all the time: stop its writers`);
  }

  /** 1 won, 0 full, null gone, or what stands there (library.ts). */
  private async write(
    name: Buffer,
    kind: string,
    expected: Buffer,
    { schema, description }: TableLine,
    line: RecordLine,
  ): Promise<0 | 1 | null | Buffer> {
    const sequence = ++this.sequence;
    const head = Buffer.alloc(16);
    head.writeBigUInt64LE((BigInt(this.writer) << 40n) | (BigInt(sequence) << 1n), 0);
    head.writeUInt8(line.timer, 8);
    head.writeUInt16LE(description.version, 10);
    head.writeUInt32LE(fnv1a(schema), 12);
    const record = Buffer.from(line.record, 'hex');
    // A record lives for 5/4 of its idle time.
    const idle = Math.ceil((line.leftMilliseconds * 4) / 5);
    const answers = (await this.servers.holding(name.subarray(0, 4).toString(), (server) =>
      server.callBuffer(
        ...(['FCALL', 'rxnf1_write', 1, name, idle, idle, idle, idle, capacity] as const),
        ...([this.writer, sequence, 0] as const),
        Buffer.concat([Buffer.from(kind), expected, head, record]),
      ),
    )) as (0 | 1 | null | Buffer)[];
    return answers[0] as 0 | 1 | null | Buffer;
  }
}

/** Of whatever revision is there: what is called of them has not changed since. */
async function loadFunctions(server: Redis): Promise<void> {
  await server.call('FUNCTION', 'LOAD', libraryText).catch((error: Error) => {
    if (!/already exists/.test(error.message)) throw error;
  });
}

function parseLine(number: number, text: string): ServerDumpLine {
  let line: Partial<TableLine & RecordLine>;
  try {
    line = JSON.parse(text) as typeof line;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new RestoreError(number, 'is no line of a dump');
  }
  if (typeof line.table !== 'string' || line.table.includes('/'))
    throw new RestoreError(number, 'is no line of a dump');
  if (line.description !== undefined) {
    if (typeof line.schema !== 'string' || !Number.isInteger(line.partitions))
      throw new RestoreError(
        number,
        'is of a dump of shared memory: a server keeps schemas by name',
      );
  } else if (
    typeof line.key !== 'string' ||
    typeof line.record !== 'string' ||
    !Number.isInteger(line.timer) ||
    !Number.isInteger(line.leftMilliseconds)
  ) {
    throw new RestoreError(number, 'is no line of a dump of a server');
  }
  return line as ServerDumpLine;
}
