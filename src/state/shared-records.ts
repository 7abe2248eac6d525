/**
 * The records of a shared store for whoever looks after it: told, dumped and restored, without the
 * network function that declared them. One opening is one writer of the store, until it is closed.
 */
import { native, type StoredTable, type TableInfo } from '../native.ts';
import { Lane } from '../streams/lane.ts';
import { type FieldValues, RestoreError, readFields, recordSize } from './record-text.ts';
import { readDescription, storedTables, type TableDescription } from './shared-store.ts';
import { RecordRows, recordRow } from './store.ts';

/** One line of a dump: first each table's own, then its records. */
export type DumpLine =
  | { readonly table: string; readonly capacity: number; readonly description: TableDescription }
  | {
      readonly table: string;
      /** 16 bytes, hexadecimal, as the record. */
      readonly key: string;
      readonly timer: number;
      readonly record: string;
      /** What the record's bytes mean; not read by `restore`. */
      readonly fields: FieldValues;
    };

const rowsAtOnce = 1024;

export class SharedRecords {
  private readonly path: string;
  private readonly store: number;
  private readonly lane: Lane;
  private readonly pool = native.openPool(1);
  private readonly handles = new Map<string, number>();

  constructor(path: string) {
    this.path = path;
    const { store, writer } = native.openStore(path, 'rxnf state');
    this.store = store;
    this.lane = new Lane({ pool: this.pool, ports: [], batches: 1, burst: 1, spare: 0, writer });
  }

  close(): void {
    for (const handle of this.handles.values()) native.closeTable(handle);
    native.closeStore(this.store);
    this.lane.close();
    native.closePool(this.pool.number as number);
  }

  tables(): (TableInfo & { readonly name: string })[] {
    return storedTables(this.path).map((name) => ({
      ...native.tableInfo(this.existing(name)),
      name,
    }));
  }

  *dump(): Generator<DumpLine> {
    for (const table of storedTables(this.path)) {
      const stored = native.tableOfStore(this.path, table);
      if (!stored) continue;
      const description = readDescription(stored);
      yield { table, capacity: stored.capacity, description };
      const handle = this.existing(table);
      const rows = new RecordRows(stored.recordSize, rowsAtOnce);
      for (let from = 0; from < stored.capacity; from += rowsAtOnce) {
        rows.count = native.scanTable(handle, from, rowsAtOnce, rows.bytes);
        for (let i = 0; i < rows.count; i++) yield lineOf(table, description, rows, i);
      }
    }
  }

  /**
   * Puts a dump's records into the store, over those of the same keys; lives begin anew.
   *
   * @returns how many records
   * @throws {RestoreError}
   */
  restore(lines: Iterable<string>): number {
    let number = 0;
    let restored = 0;
    for (const text of lines) {
      number++;
      if (text.trim() === '') continue;
      const line = parseLine(number, text);
      if ('description' in line) {
        this.open(line.table, {
          capacity: line.capacity,
          recordSize: recordSize(line.description),
          schema: line.description.version,
          description: JSON.stringify(line.description),
        });
        continue;
      }
      const handle = this.handles.get(line.table);
      if (handle === undefined)
        throw new RestoreError(number, `table ${line.table} was not described`);
      this.lane.breathe(); // keeps its clock
      const { lane } = this;
      const key = Buffer.from(line.key, 'hex');
      const record = Buffer.from(line.record, 'hex');
      if (key.length !== 16) throw new RestoreError(number, `a key of ${key.length} bytes, not 16`);
      const now = lane.nowMilliseconds;
      if (!native.putRecord(lane.number, handle, key, record, line.timer, now))
        throw new RestoreError(number, `table ${line.table} is full, or its records are longer`);
      restored++;
    }
    return restored;
  }

  private existing(name: string): number {
    const stored = native.tableOfStore(this.path, name);
    if (!stored) throw new RestoreError(0, `${name} is no table of this release`);
    return this.open(name, stored);
  }

  private open(name: string, stored: StoredTable): number {
    let handle = this.handles.get(name);
    if (handle === undefined) {
      const { capacity, recordSize: size, schema, description } = stored;
      const { idleMilliseconds } = readDescription(stored);
      const shape = { capacity, recordSize: size, schema, idleMilliseconds, seed: 0 };
      handle = native.openStoreTable(this.store, name, shape, description);
      this.handles.set(name, handle);
    }
    return handle;
  }
}

function parseLine(number: number, text: string): DumpLine {
  try {
    const line = JSON.parse(text) as DumpLine;
    if (typeof line.table === 'string') return line;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new RestoreError(number, 'is no line of a dump');
}

function lineOf(
  table: string,
  description: TableDescription,
  rows: RecordRows,
  i: number,
): DumpLine {
  const at = i * rows.stride;
  const { bytes, view, stride } = rows;
  const record = at + recordRow.record;
  const hex = (from: number, to: number) => Buffer.from(bytes.subarray(from, to)).toString('hex');
  const fields = readFields(description, view, record);
  return {
    table,
    key: hex(at, at + 16),
    timer: bytes[at + recordRow.timer] as number,
    record: hex(record, at + stride),
    fields,
  };
}
