/**
 * An instance is stopped (SIGSTOP) at each point of each operation, fenced, and goes on (SIGCONT) once
 * another has written: nothing of it lands after the fence, not even what was on its way.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { admit, fence } from '../../../src/state/redis-control/fencing.ts';
import { remoteStore } from '../../../src/state/remote/remote-store.ts';
import { RecordRows, recordRow } from '../../../src/state/store.ts';
import { freePort, StoreServer, serverKinds } from '../../support/servers.ts';
import { Bench, type Client, keyOf } from '../contract/bench.ts';
import { bindings, operations, ports, totals, type WriterOptions } from './labelled-writer.ts';

const program = new URL('./labelled-writer.ts', import.meta.url).pathname;
/** `held`: its bytes are on their way, and arrive after the fence. */
const points = operations.flatMap((name) =>
  (['staged', 'sent', 'held', 'answered'] as const).map((when) => ({ name, when })),
);
const atOnce = 4;

describe.each(serverKinds())('an instance that is fenced on %s', (kind) => {
  let server: StoreServer;
  let bench: Bench;
  let survivor: Client;
  let ticker: NodeJS.Timeout;
  const access = () => ({ url: `redis://127.0.0.1:${server.port}` });

  beforeAll(async () => {
    server = await StoreServer.start({ kind });
    bench = new Bench({
      store: remoteStore({ url: `unix:${server.socket}` }),
      clock: 'real',
      exactCapacity: true,
      close: () => undefined,
    });
    survivor = bench.client([ports, bindings, totals]);
    // While writers are waited for, too: a lane that does not breathe hears no replies.
    ticker = setInterval(() => survivor.lane.breathe(), 5);
  });
  afterAll(async () => {
    clearInterval(ticker);
    await bench.close();
    await server.stop();
  });

  /** What lies under a key: port record, binding, total; undefined: nothing. */
  async function stateOf(key: number): Promise<(number | undefined)[]> {
    const state: (number | undefined)[] = [];
    for (const table of [ports, bindings, totals]) {
      const rows = new RecordRows(table.schema.size, 1);
      rows.count = 1;
      rows.bytes.set(keyOf(key));
      let found: number | undefined;
      survivor.session.fetch(table, rows, ([one]) => {
        found = one;
      });
      await bench.until('a record', () => found !== undefined);
      const { view } = rows;
      const value =
        table === totals
          ? view.getFloat64(recordRow.record, true)
          : view.getUint32(recordRow.record, true);
      state.push(found === 1 ? value : undefined);
    }
    return state;
  }

  async function stoppedAt({ name, when }: (typeof points)[number], key: number): Promise<void> {
    const admission = await admit(access(), `nat-${key}`);
    const { username, password } = admission;
    const network = await Holding.start(server.socket);
    const writer = new Writer({
      url: `redis://127.0.0.1:${network.port}`,
      ...{ username, password, key },
    });
    try {
      const at = `${name} ${when === 'held' ? 'sent' : when}`;
      for (let label = await writer.label(); label !== at; label = await writer.label()) {
        if (when === 'held' && label === `${name} staged`) network.held = true;
        writer.goOn();
      }
      if (when === 'sent') await bench.wait(50); // the server has done it
      await writer.stop();
      const report = await fence(access(), admission);
      expect(report.unconfirmed).toEqual([]);
      const before = await stateOf(key);
      // Another goes on, with the record that is not the one in question.
      const untouched = name === 'reserve' || name === 'discard' ? bindings : ports;
      await write(untouched, key, 99);
      before[untouched === ports ? 0 : 1] = 99;
      network.release();
      writer.continue();
      const problems = await writer.end();
      expect(await stateOf(key), at).toEqual(before);
      if (at !== 'discard answered') expect(problems.join(), at).toMatch(/store-away/);
    } finally {
      writer.kill();
      network.close();
    }
  }

  async function write(into: typeof ports, key: number, value: number): Promise<void> {
    const rows = await survivor.batch(into, [key]).lookup();
    rows.stage(0, rows.row(0).state === 'hit' ? 'swap' : 'insert', value);
    await rows.write();
    expect(rows.row(0)).toMatchObject({ state: 'hit', dropped: false, lost: false });
    rows.end();
  }

  it('leaves nothing behind, wherever it was stopped', async () => {
    for (let from = 0; from < points.length; from += atOnce) {
      const some = points.slice(from, from + atOnce);
      // One bench turns for all: what each asks of it is asked in turn.
      await Promise.all(some.map((point, i) => stoppedAt(point, from + i + 1)));
    }
  }, 120_000);
});

/** A writer's process, label by label. */
class Writer {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  private problems: string[] | undefined;

  constructor(options: WriterOptions) {
    this.child = spawn(
      process.execPath,
      ['--conditions=source', program, JSON.stringify(options)],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const input = this.child.stdout as NodeJS.ReadableStream;
    this.lines = createInterface({ input })[Symbol.asyncIterator]();
  }

  async label(): Promise<string> {
    const { value, done } = await this.lines.next();
    if (done) throw new Error('the writer ended before its time');
    if (value.startsWith('[')) this.problems = JSON.parse(value) as string[];
    return value;
  }

  goOn(): void {
    this.child.stdin?.write('\n');
  }

  /** Returns when it has stopped. */
  async stop(): Promise<void> {
    const { pid } = this.child;
    this.child.kill('SIGSTOP');
    await expect
      .poll(() => /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1])
      .toBe('T');
  }

  continue(): void {
    this.child.kill('SIGCONT');
  }

  /** Lets it go on to its end; gives what its lane has reported. */
  async end(): Promise<string[]> {
    while (this.problems === undefined) {
      this.goOn();
      await this.label();
    }
    return this.problems;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

/** A network that can hold what goes to the server, for as long as it likes. */
class Holding {
  readonly port: number;
  held = false;
  private readonly server: Server;
  private readonly sockets: Socket[] = [];
  private waiting: (() => void)[] = [];

  private constructor(port: number, path: string) {
    this.port = port;
    this.server = createServer((client) => {
      const upstream = connect(path);
      this.sockets.push(client, upstream);
      for (const socket of [client, upstream]) socket.on('error', () => undefined);
      client.on('data', (bytes) => {
        if (this.held) this.waiting.push(() => upstream.write(bytes));
        else upstream.write(bytes);
      });
      upstream.on('data', (bytes) => client.write(bytes));
      upstream.on('close', () => client.destroy());
      client.on('close', () => upstream.end());
    });
  }

  static async start(path: string): Promise<Holding> {
    const port = await freePort();
    const holding = new Holding(port, path);
    await new Promise<void>((resolve) => holding.server.listen(port, '127.0.0.1', resolve));
    return holding;
  }

  release(): void {
    this.held = false;
    for (const pass of this.waiting.splice(0)) pass();
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}
