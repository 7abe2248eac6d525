/**
 * A process that does one operation of each kind on a store, and stops at labelled points: it writes the
 * label, and goes on with the next line of its input. At the end it writes what its lane has reported.
 */
import { readSync } from 'node:fs';
import { count, record, table, u32 } from 'rxnf';
import { remoteStore } from '../../../src/state/remote/remote-store.ts';
import { RecordRows, recordRow } from '../../../src/state/store.ts';
import type { AnyTable } from '../../../src/state/table.ts';
import { Bench, keyOf } from '../contract/bench.ts';

export const operations = ['reserve', 'publish', 'swap', 'add', 'discard'] as const;
export type WriterOperation = (typeof operations)[number];

const schema = record('entry', 1, { value: u32, other: u32 });
export const ports = table('port', schema, { capacity: 64 }) as AnyTable;
export const bindings = table('binding', schema, { capacity: 64 }) as AnyTable;
export const totals = table('total', record('total', 1, { packets: count }), {
  capacity: 64,
}) as AnyTable;

export interface WriterOptions {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** All of its records have this key. */
  readonly key: number;
}

if (process.argv[2] !== undefined) await main(JSON.parse(process.argv[2]) as WriterOptions);

async function main({ key, ...access }: WriterOptions): Promise<void> {
  const bench = new Bench({
    store: remoteStore({ ...access, requestMilliseconds: 500, connectMilliseconds: 5000 }),
    clock: 'real',
    exactCapacity: true,
    close: () => undefined,
  });
  const client = bench.client([ports, bindings, totals]);
  const { session } = client;

  /** @param start gives the condition of its end */
  async function labelled(name: WriterOperation, start: () => () => boolean): Promise<void> {
    pause(`${name} staged`);
    const done = start();
    pause(`${name} sent`);
    const end = performance.now() + 1000;
    while (!done() && performance.now() < end) await bench.turn();
    pause(`${name} answered`);
  }
  async function write(
    name: WriterOperation,
    into: AnyTable,
    kind: 'insert' | 'swap',
    value: number,
  ) {
    const rows = await client.batch(into, [key]).lookup();
    await labelled(name, () => {
      if (!rows.row(0).dropped) rows.stage(0, kind, value);
      return rows.startWrite();
    });
    rows.end();
  }
  function rowsOf(size: number, fill: (rows: RecordRows) => void): RecordRows {
    const rows = new RecordRows(size, 1);
    rows.count = 1;
    rows.bytes.set(keyOf(key));
    fill(rows);
    return rows;
  }

  await write('reserve', ports, 'insert', 1);
  await write('publish', bindings, 'insert', 2);
  await write('swap', bindings, 'swap', 3);
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  await labelled('add', () => {
    const one = rowsOf(totals.schema.size, ({ view }) =>
      view.setFloat64(recordRow.record, 1, true),
    );
    session.add(totals, one, over);
    return () => isOver;
  });
  isOver = false;
  await labelled('discard', () => {
    const mine = rowsOf(schema.size, ({ view }) => view.setUint32(recordRow.record, 1, true));
    session.discard(ports, mine, over);
    return () => isOver;
  });
  await bench.wait(500); // anything that would come late
  const problems = client.events.map(({ event, message }) => `${event}: ${String(message)}`);
  await bench.close();
  process.stdout.write(`${JSON.stringify(problems)}\n`);
}

/** Blocks the whole process, its lane with it. */
function pause(label: string): void {
  process.stdout.write(`${label}\n`);
  const byte = Buffer.alloc(1);
  do readSync(0, byte);
  while (byte[0] !== 10);
}
