/** A server for the benchmark: on the core that the clients leave free, and what it counts itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { BackgroundProcess } from '../../src/lab/background.ts';
import { type ServerKind, StoreServer } from '../../test/support/servers.ts';

export { type ServerKind, serverKinds } from '../../test/support/servers.ts';

export class BenchServer {
  readonly kind: ServerKind;
  readonly socket: string;
  readonly port: number;
  private readonly server: StoreServer;
  private readonly redis: Redis;

  private constructor(kind: ServerKind, server: StoreServer) {
    this.kind = kind;
    this.socket = server.socket;
    this.port = server.port;
    this.server = server;
    this.redis = server.connect();
  }

  static async start(kind: ServerKind, core: number, more: string[] = []): Promise<BenchServer> {
    const start = (command: readonly string[]) =>
      new BackgroundProcess(['taskset', '-c', String(core), ...command]);
    return new BenchServer(kind, await StoreServer.start({ kind, arguments: more, start }));
  }

  get pid(): number | undefined {
    return this.server.process.pid;
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
    await this.server.stop();
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

function fieldOf(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
}
