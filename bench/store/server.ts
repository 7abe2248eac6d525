/** A server for the benchmark: on the core that the clients leave free, on a unix socket and loopback. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

export type ServerKind = 'redis' | 'valkey';

export class BenchServer {
  readonly kind: ServerKind;
  readonly socket: string;
  readonly port: number;
  private readonly folder: string;
  private readonly child: ChildProcess;
  private readonly redis: Redis;

  private constructor(
    kind: ServerKind,
    folder: string,
    port: number,
    core: number,
    more: string[],
  ) {
    this.kind = kind;
    this.folder = folder;
    this.port = port;
    this.socket = join(folder, 'socket');
    const server = [`${kind}-server`, '--port', String(port), '--bind', '127.0.0.1', '--save', ''];
    const command = ['-c', String(core), ...server, '--unixsocket', this.socket, ...more];
    this.child = spawn('taskset', [...command, '--dir', folder], { stdio: 'ignore' });
    this.redis = new Redis({ path: this.socket, lazyConnect: true, retryStrategy: () => 50 });
    this.redis.on('error', () => undefined);
  }

  static async start(kind: ServerKind, core: number, more: string[] = []): Promise<BenchServer> {
    const folder = mkdtempSync(join(tmpdir(), 'rxnf-bench-'));
    const server = new BenchServer(kind, folder, await freePort(), core, more);
    for (let left = 200; left > 0; left--) {
      try {
        await server.redis.ping();
        return server;
      } catch {
        await sleep(25);
      }
    }
    await server.stop();
    throw new Error(`${kind}-server did not answer within 5 s`);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** What the server itself counts: keys that were looked up, and seconds of its processor. */
  async counters(): Promise<{ keys: number; cpuSeconds: number }> {
    const field = (text: string, name: string) => Number(fieldOf(text, name));
    const [stats, cpu] = [await this.redis.info('stats'), await this.redis.info('cpu')];
    return {
      keys: field(stats, 'keyspace_hits') + field(stats, 'keyspace_misses'),
      cpuSeconds: field(cpu, 'used_cpu_user') + field(cpu, 'used_cpu_sys'),
    };
  }

  async version(): Promise<string> {
    return `${this.kind} ${fieldOf(await this.redis.info('server'), `${this.kind}_version`)}`;
  }

  /** Returns when so many replicas follow. */
  async followed(replicas: number): Promise<void> {
    for (let left = 200; left > 0; left--) {
      await this.redis.set('rxnf:bench', 1);
      if ((await this.redis.wait(replicas, 50)) >= replicas) return;
      await sleep(50);
    }
    throw new Error('the replica does not follow');
  }

  async stop(): Promise<void> {
    this.redis.disconnect();
    const ended = new Promise((resolve) => this.child.once('close', resolve));
    this.child.kill('SIGTERM');
    await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A primary and a replica that follows it. */
export async function replicatedPair(kind: ServerKind, core: number) {
  const primary = await BenchServer.start(kind, core);
  const following = ['--replicaof', '127.0.0.1', String(primary.port)];
  const replica = await BenchServer.start(kind, core, following);
  await primary.followed(1);
  return {
    primary,
    replica,
    async stop() {
      await replica.stop();
      await primary.stop();
    },
  };
}

/** The servers that there are. */
export function presentServers(): ServerKind[] {
  return (['redis', 'valkey'] as const).filter((kind) => {
    try {
      execFileSync(`${kind}-server`, ['--version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}

function fieldOf(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
