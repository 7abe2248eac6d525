/** `rxnf state` of a store in shared memory: what lies there, dumped and restored as lines of JSON. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { native } from '../native.ts';
import { SharedRecords } from '../state/shared-records.ts';
import { removeStore } from '../state/shared-store.ts';
import { writeTable } from './table.ts';

/** A path that is no store. */
export class NoStoreError extends Error {
  readonly code = 'ERR_NO_STORE';
  constructor(path: string) {
    super(`${path}: no store is there; a configuration names it as store: shared:${path}`);
    this.name = 'NoStoreError';
  }
}

export function list(out: Writable, path: string): void {
  check(path);
  const writers = native.storeWriters(path);
  using records = opened(path);
  writeTable(
    out,
    ['table', 'records', 'capacity', 'refused'],
    records.use
      .tables()
      .map(({ name, ...t }) => [name, ...[t.records, t.capacity, t.refused].map(String)]),
  );
  out.write('\n');
  writeTable(
    out,
    ['writer', 'instance', 'process', 'state'],
    writers.map(({ writer, instance, pid, alive }) => [
      String(writer),
      instance,
      String(pid),
      alive ? 'alive' : 'dead',
    ]),
  );
}

export function dump(out: Writable, path: string): void {
  check(path);
  using records = opened(path);
  for (const line of records.use.dump()) out.write(`${JSON.stringify(line)}\n`);
}

export async function restore(out: Writable, path: string, file: string): Promise<void> {
  const text = file === '-' ? await read(process.stdin) : await readFile(file, 'utf8');
  using records = opened(path);
  out.write(`${records.use.restore(text.split('\n'))} records restored into ${path}\n`);
}

/** Refused while a process has the store open: its records would be lost to those that come after. */
export function remove(out: Writable, path: string): void {
  check(path);
  const alive = native.storeWriters(path).filter((writer) => writer.alive);
  if (alive.length > 0) {
    const pids = [...new Set(alive.map(({ pid }) => pid))].join(', ');
    throw Object.assign(new Error(`${path}: in use by process ${pids}: stop it first`), {
      code: 'ERR_STORE_IN_USE',
    });
  }
  removeStore(path);
  out.write(`${path} removed\n`);
}

function check(path: string): void {
  if (!existsSync(`${path}/writers`)) throw new NoStoreError(path);
}

function opened(path: string) {
  const use = new SharedRecords(path);
  return { use, [Symbol.dispose]: () => use.close() };
}

async function read(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const part of stream) text += String(part);
  return text;
}
