import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesUpTo, count, ipv4, port, record, sharedStore, table } from 'rxnf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compose, parts } from '../../src/cli/composition.ts';
import { main } from '../../src/cli/program.ts';
import { removeStore } from '../../src/state/shared-store.ts';
import type { AnyTable } from '../../src/state/table.ts';
import { makeLane } from '../streams/lanes.ts';
import { testConsole } from './console.ts';

async function rxnf(...argv: string[]) {
  const { console, out, error } = testConsole();
  const container = compose();
  container.rebind(parts.console).toConstantValue(console);
  const status = await main(argv, container);
  return { status, out: out.text, error: error.text };
}

const schema = record('binding', 1, { address: ipv4, port, packets: count, label: bytesUpTo(4) });
const bindings = table('binding', schema, {
  capacity: 10,
  idleSeconds: 300,
}) as unknown as AnyTable;

function open(path: string) {
  const { lane } = makeLane();
  return { lane, session: sharedStore({ path, instance: 'nat-1' }).open(lane) };
}

/** Key n, of endpoint 10.0.0.n:4242. */
function write({ session }: ReturnType<typeof open>, n: number) {
  const key = new Uint8Array(16);
  key[15] = n;
  const bytes = new Uint8Array(schema.size);
  const view = new DataView(bytes.buffer);
  bytes.set([10, 0, 0, n], schema.offsets.address);
  view.setUint16(schema.offsets.port, 4242);
  view.setFloat64(schema.offsets.packets, n * 1e10, true);
  schema.fields.label.set(view, schema.offsets.label, new Uint8Array([n, 255]));
  expect(session.put(bindings, key, bytes, 0)).toBe(true);
}

describe('rxnf state', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rxnf-state-'));
    path = `/dev/shm/${folder.slice(folder.lastIndexOf('/') + 1)}`;
  });
  afterEach(() => {
    removeStore(path);
    rmSync(folder, { recursive: true, force: true });
  });

  it('lists tables, how full they are, and who has the store open', async () => {
    const user = open(path);
    for (const n of [1, 2, 3]) write(user, n);
    const { status, out } = await rxnf('state', 'list', path);
    expect(status).toBe(0);
    expect(out).toMatch(/^binding\s+3\s+10\s+0$/m);
    expect(out).toMatch(new RegExp(`nat-1\\s+${process.pid}\\s+alive`));
    user.lane.close();
  });

  it('restores what it dumped, into another store, and lives begin anew', async () => {
    const user = open(path);
    for (const n of [1, 2, 3]) write(user, n);
    const dump = (await rxnf('state', 'dump', path)).out;
    const lines = dump
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({ table: 'binding', capacity: 10 });
    expect(lines.slice(1).map(({ fields }) => fields)).toContainEqual({
      address: '10.0.0.2',
      port: 4242,
      packets: 2e10,
      label: '02ff',
    });
    const file = join(folder, 'dump');
    writeFileSync(file, dump);
    const other = `${path}-other`;
    try {
      expect((await rxnf('state', 'restore', other, file)).out).toMatch(/^3 records restored/);
      expect((await rxnf('state', 'dump', other)).out).toBe(dump);
      const later = open(other);
      let expired = 0;
      later.session.expire(bindings, 50, (rows) => {
        expired += rows.count;
      });
      later.lane.advance(1e9);
      later.lane.breathe();
      expect(expired).toBe(0);
      later.lane.close();
    } finally {
      removeStore(other);
    }
    user.lane.close();
  });

  it.each([
    ['{}', /line 1: is no line of a dump/],
    ['{"table":"t","key":"00","record":"00"}', /line 1: table t was not described/],
    ['nonsense', /line 1: is no line of a dump/],
  ])('refuses to restore %j, naming the line', async (text, says) => {
    const file = join(folder, 'bad');
    writeFileSync(file, text);
    const { status, error } = await rxnf('state', 'restore', path, file);
    expect(status).toBe(1);
    expect(error).toMatch(says);
  });

  it('says where no store is', async () => {
    for (const command of ['list', 'dump', 'remove']) {
      const { status, error } = await rxnf('state', command, path);
      expect(status).toBe(1);
      expect(error).toContain(`${path}: no store is there`);
    }
  });

  it('removes a store that nobody has open, and no other', async () => {
    const user = open(path);
    write(user, 1);
    const { status, error } = await rxnf('state', 'remove', path);
    expect([status, error]).toEqual([
      1,
      expect.stringContaining(`in use by process ${process.pid}`),
    ]);
    user.lane.close();
    expect((await rxnf('state', 'remove', path)).status).toBe(0);
    expect((await rxnf('state', 'list', path)).status).toBe(1);
  });
});
