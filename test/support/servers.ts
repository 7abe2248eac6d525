/**
 * Redis and Valkey servers that a test starts for itself: on 127.0.0.1 and a unix socket in a folder of
 * their own, nothing saved unless asked for, ended with the test.
 */
import { randomInt } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Redis } from 'ioredis';
import { BackgroundProcess } from '../../src/lab/background.ts';

export type ServerKind = 'redis' | 'valkey';

export interface ServerOptions {
  readonly kind?: ServerKind;
  /** Arguments after those that are always given, as on the command line. */
  readonly arguments?: readonly string[];
  /** Starts the command, where the server is to run elsewhere. */
  readonly start?: (command: readonly string[]) => BackgroundProcess;
  /** `--sentinel` needs a file that it may rewrite. */
  readonly configuration?: string;
}

const startSeconds = 10;

export class StoreServer {
  readonly port: number;
  readonly socket: string;
  readonly folder: string;
  readonly process: BackgroundProcess;

  private constructor(port: number, folder: string, process: BackgroundProcess) {
    this.port = port;
    this.folder = folder;
    this.socket = join(folder, 'socket');
    this.process = process;
  }

  static async start(options: ServerOptions = {}): Promise<StoreServer> {
    const folder = mkdtempSync(join(tmpdir(), 'rxnf-server-'));
    return StoreServer.in(folder, await freePort(), options);
  }

  /** The same server again, after it has ended: what it saved is still there. */
  again(options: ServerOptions = {}): Promise<StoreServer> {
    return StoreServer.in(this.folder, this.port, options);
  }

  private static async in(folder: string, port: number, options: ServerOptions) {
    const { kind = 'redis' } = options;
    const start = options.start ?? ((command) => new BackgroundProcess(command));
    const process = start([
      `${kind}-server`,
      ...(options.configuration === undefined ? [] : [options.configuration]),
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder],
      ...['--unixsocket', join(folder, 'socket')],
      ...(options.configuration === undefined ? ['--save', ''] : []),
      ...(options.arguments ?? []),
    ]);
    const server = new StoreServer(port, folder, process);
    await process.until('the server to answer', startSeconds, () => server.answers());
    return server;
  }

  private async answers(): Promise<boolean> {
    const redis = this.connect({ lazyConnect: true, retryStrategy: null });
    try {
      await redis.connect();
      await redis.ping();
      return true;
    } catch (error) {
      return /NOAUTH|NOPERM/.test(String(error));
    } finally {
      redis.disconnect();
    }
  }

  /** A connection for the test itself. */
  connect(options: object = {}): Redis {
    const redis = new Redis({
      path: this.socket,
      maxRetriesPerRequest: 1,
      enableReadyCheck: false,
      ...options,
    });
    redis.on('error', () => undefined); // what fails is seen by who waits for it
    return redis;
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.process.kill(signal);
  }

  async stop(): Promise<void> {
    await this.process.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The servers that there are: Redis always, Valkey where it is installed. */
export function serverKinds(): ServerKind[] {
  return hasValkey() ? ['redis', 'valkey'] : ['redis'];
}

/** True when `valkey-server` is on the path. */
function hasValkey(): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.some((folder) => existsSync(join(folder, 'valkey-server')));
}

/**
 * Kernels give connections ports from 32768 on, in the namespace of whoever asks: a server that starts
 * a moment later, or in another one, finds those below free.
 */
const ports = { first: 10_000, count: 20_000 };
let nextPort = randomInt(ports.count);

/** A port where nothing listens here. No two calls of one process get the same. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = ports.first + (nextPort++ % ports.count);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port');
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
  if (free) await new Promise((resolve) => server.close(resolve));
  return free;
}
