/** Stores that are reached from several threads or processes at the same instant, key by key. */
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
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

/** A client that is starting. */
interface Running {
  readonly ready: Promise<void>;
  readonly go: () => void;
  readonly steps: Promise<Step[]>;
}

async function check(run: (options: Omit<ClientOptions, 'store'>) => Running) {
  const running = clients.map((client) => run({ ...work, client }));
  await Promise.all(running.map(({ ready }) => ready));
  for (const { go } of running) go();
  const steps = (await Promise.all(running.map((each) => each.steps))).flat();
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
    await check((options) => {
      const go = new Int32Array(new SharedArrayBuffer(4));
      const worker = new Worker(program, { workerData: { ...options, store, go } });
      const message = () =>
        new Promise<unknown>((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        });
      const ready = message().then(() => undefined);
      return {
        ready,
        go: () => {
          Atomics.store(go, 0, 1);
          Atomics.notify(go, 0);
        },
        steps: ready.then(() => message() as Promise<Step[]>),
      };
    });
  });

  const inProcesses = (store: ClientOptions['store']) =>
    check((options) => {
      const asked = JSON.stringify({ ...options, store });
      const child = spawn(process.execPath, ['--conditions=source', program.pathname, asked], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      const line = async () => {
        const { value, done } = await lines.next();
        if (done) throw new Error('a client has ended before its time');
        return value;
      };
      const ready = line().then(() => undefined);
      return {
        ready,
        go: () => void child.stdin.write('\n'),
        steps: ready.then(async () => JSON.parse(await line()) as Step[]),
      };
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
