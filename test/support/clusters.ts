/** Clusters of Redis or Valkey servers that a test starts for itself, on 127.0.0.1. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { freePort, type ServerOptions, StoreServer } from './servers.ts';

/** With those of each server. */
export interface ClusterOptions extends Omit<ServerOptions, 'configuration'> {
  /** Default 3. */
  readonly primaries?: number;
  /** Of each primary. Default 0. */
  readonly replicas?: number;
}

const slots = 16_384;
const settleSeconds = 20;

/** One server of a cluster, and a connection to it for the test itself. */
export interface ClusterNode {
  readonly server: StoreServer;
  readonly control: Redis;
  readonly busPort: number;
  readonly id: string;
  /** The same node again, after it has ended. */
  again(): Promise<ClusterNode>;
}

export class StoreCluster {
  readonly primaries: ClusterNode[];
  readonly replicas: ClusterNode[];

  private readonly options: ClusterOptions;

  private constructor(primaries: ClusterNode[], replicas: ClusterNode[], options: ClusterOptions) {
    this.options = options;
    this.primaries = primaries;
    this.replicas = replicas;
  }

  static async start(options: ClusterOptions = {}): Promise<StoreCluster> {
    const { primaries = 3, replicas = 0 } = options;
    const nodes: ClusterNode[] = [];
    for (let n = 0; n < primaries * (1 + replicas); n++) nodes.push(await startNode(options));
    const cluster = new StoreCluster(nodes.slice(0, primaries), nodes.slice(primaries), options);
    await cluster.join();
    return cluster;
  }

  /** One more primary, which owns nothing yet. */
  async add(): Promise<ClusterNode> {
    const node = await startNode(this.options);
    const { control } = this.primaries[0] as ClusterNode;
    this.primaries.push(node);
    await control.call('CLUSTER', 'MEET', '127.0.0.1', node.server.port, node.busPort);
    await this.acquainted();
    await this.settled();
    return node;
  }

  get nodes(): ClusterNode[] {
    return [...this.primaries, ...this.replicas];
  }

  /** For `remoteStore`: any two nodes, as the others are found. */
  get url(): string {
    const seeds = this.nodes.slice(0, 2).map(({ server }) => `127.0.0.1:${server.port}`);
    return `redis+cluster://${seeds.join(',')}`;
  }

  private async join(): Promise<void> {
    const { primaries, replicas } = this;
    const [first] = primaries;
    if (!first) throw new Error('a cluster without nodes');
    for (const [n, { control }] of primaries.entries()) {
      const from = Math.floor((n * slots) / primaries.length);
      const to = Math.floor(((n + 1) * slots) / primaries.length) - 1;
      await control.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
      await control.call('CLUSTER', 'SET-CONFIG-EPOCH', n + 1);
    }
    for (const { server, busPort } of this.nodes.slice(1))
      await first.control.call('CLUSTER', 'MEET', '127.0.0.1', server.port, busPort);
    await this.until('all to know each other', async ({ control }) => {
      const known = String(await control.call('CLUSTER', 'NODES'))
        .trim()
        .split('\n');
      return known.length === this.nodes.length && !known.some((line) => /handshake/.test(line));
    });
    for (const [n, { control }] of replicas.entries())
      await control.call('CLUSTER', 'REPLICATE', primaries[n % primaries.length].id);
    await this.settled();
  }

  private async acquainted(): Promise<void> {
    await this.until('all to know each other', async ({ control }) => {
      const known = String(await control.call('CLUSTER', 'NODES'))
        .trim()
        .split('\n');
      return known.length === this.nodes.length && !known.some((line) => /handshake/.test(line));
    });
  }

  /** Waits until every node agrees that all slots are served, and every replica follows. */
  async settled(): Promise<void> {
    await this.until('the cluster to be well', async ({ control }) => {
      if (!/cluster_state:ok/.test(String(await control.call('CLUSTER', 'INFO')))) return false;
      const replication = await control.info('replication');
      return !/role:slave/.test(replication) || /master_link_status:up/.test(replication);
    });
  }

  private async until(what: string, holds: (node: ClusterNode) => Promise<boolean>): Promise<void> {
    const end = performance.now() + settleSeconds * 1000;
    for (const node of this.nodes) {
      if (!node.server.process.running) continue;
      while (!(await holds(node))) {
        if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
        await sleep(20);
      }
    }
  }

  /** The node that owns a slot, by its own account. */
  async ownerOf(slot: number): Promise<ClusterNode> {
    const end = performance.now() + settleSeconds * 1000;
    while (performance.now() < end) {
      for (const node of this.nodes) if (await owns(node, slot)) return node;
      await sleep(20);
    }
    throw new Error(`nobody owns slot ${slot}`);
  }

  /**
   * Moves a slot with its keys, a few at a time, while clients are at work.
   *
   * @param pause milliseconds between one lot of keys and the next
   */
  async moveSlot(slot: number, to: ClusterNode, { lot = 8, pause = 0 } = {}): Promise<void> {
    const from = await this.ownerOf(slot);
    if (from === to) return;
    await to.control.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id);
    await from.control.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id);
    for (;;) {
      const keys = (await from.control.callBuffer(
        'CLUSTER',
        'GETKEYSINSLOT',
        slot,
        lot,
      )) as Buffer[];
      if (keys.length === 0) break;
      const { port } = to.server;
      await from.control.call('MIGRATE', '127.0.0.1', port, '', 0, 5000, 'KEYS', ...keys);
      if (pause > 0) await sleep(pause);
    }
    for (const node of new Set([to, from, ...this.primaries]))
      await node.control.call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id);
    // An owner that does not know the latest epoch could be overruled by the one before.
    await this.until('one epoch', async ({ control }) => {
      const epoch = /cluster_current_epoch:(\d+)/;
      const own = epoch.exec(String(await to.control.call('CLUSTER', 'INFO')))?.[1];
      return epoch.exec(String(await control.call('CLUSTER', 'INFO')))?.[1] === own;
    });
  }

  async stop(): Promise<void> {
    for (const { server, control } of this.nodes) {
      control.disconnect();
      await server.stop();
    }
  }
}

async function owns({ server, control, id }: ClusterNode, slot: number): Promise<boolean> {
  if (!server.process.running) return false;
  const ranges = (await control.call('CLUSTER', 'SLOTS')) as [number, number, unknown[]][];
  return ranges.some(([from, to, owner]) => from <= slot && slot <= to && String(owner[2]) === id);
}

async function startNode(given: ClusterOptions): Promise<ClusterNode> {
  const busPort = await freePort();
  const options = {
    ...given,
    arguments: [
      ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort)],
      ...['--cluster-node-timeout', '1000', '--repl-diskless-sync-delay', '0'],
      ...(given.arguments ?? []),
    ],
  };
  return nodeOf(await StoreServer.start(options), options, busPort);
}

async function nodeOf(
  server: StoreServer,
  options: ServerOptions,
  busPort: number,
): Promise<ClusterNode> {
  const control = server.connect();
  const id = String(await control.call('CLUSTER', 'MYID'));
  const again = async () => {
    control.disconnect();
    return nodeOf(await server.again(options), options, busPort);
  };
  return { server, control, busPort, id, again };
}
