/** Stores that are reached from several threads or processes at the same instant, key by key. */
import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { removeStore } from '../../../src/state/shared-store.ts';
import { StoreServer, serverKinds } from '../../support/servers.ts';
import { checkHistory, type Step } from './histories.ts';
import type { ClientOptions } from './history-client.ts';

const program = new URL('./history-client.ts', import.meta.url);
const clients = [0, 1, 2];
const rounds = 1500;
const work = { rounds, keys: 3 };
/** How long a thread or a process takes to start, on a busy machine. */
const startNanoseconds = 1e9;

async function check(run: (options: Omit<ClientOptions, 'store'>) => Promise<Step[]>) {
  const begin = Number(process.hrtime.bigint()) + startNanoseconds;
  const histories = await Promise.all(clients.map((client) => run({ ...work, client, begin })));
  const steps = histories.flat();
  expect(steps.length).toBeGreaterThan(clients.length * rounds * 2);
  expect(checkHistory(steps)).toBeUndefined();
  const lost = steps.filter(
    ({ operation }) => operation.kind !== 'get' && operation.outcome.is === 'lost',
  );
  expect(lost.length, 'clients have met').toBeGreaterThan(0);
}

describe('clients at work at once', () => {
  it('see one memory store, from threads', async () => {
    const store = { memory: `threads-${process.pid}` };
    await check(
      (options) =>
        new Promise((resolve, reject) => {
          const worker = new Worker(program, { workerData: { ...options, store } });
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    );
  });

  const inProcesses = (store: ClientOptions['store']) =>
    check(async (options) => {
      const asked = JSON.stringify({ ...options, store });
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--conditions=source', program.pathname, asked],
        { maxBuffer: 64 * 2 ** 20 },
      );
      return JSON.parse(stdout) as Step[];
    });

  it('see one shared-memory store, from processes', async () => {
    const path = mkdtempSync(join('/dev/shm', 'rxnf-contract-'));
    try {
      await inProcesses({ shared: path });
    } finally {
      removeStore(path);
    }
  });

  it.each(serverKinds())('see one %s server, from processes', async (kind) => {
    const server = await StoreServer.start({ kind });
    try {
      await inProcesses({ url: `unix:${server.socket}` });
    } finally {
      await server.stop();
    }
  });
});
