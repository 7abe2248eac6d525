/**
 * Redis or Valkey servers, as rxnf uses them: one with a replica that may take over, or the nodes of a
 * cluster among which partitions move while instances work.
 *
 * Left out: replicas of a cluster's nodes. A node that has taken over a key loses it where it dies before
 * its replica has it, as MIGRATE does not wait for replicas.
 */
import type { Random } from '../random.ts';
import { StoreCluster } from '../store-cluster.ts';
import { Violation } from '../violation.ts';
import type { World } from '../world.ts';
import { Keyspace } from './keyspace.ts';
import { ServerNode } from './node.ts';
import { partitionIn } from './value.ts';

export interface ServersOptions {
  /** 1: a single server; more: a cluster. */
  readonly nodes: number;
  readonly partitions: number;
  /** Of a single server's replica. */
  readonly lag?: { readonly least: number; readonly most: number };
  readonly skewMilliseconds: number;
  readonly tell: (text: string) => void;
}

export class Servers {
  readonly world: World;
  readonly nodes: readonly ServerNode[];
  readonly partitions: number;
  /** Before anything has moved: what a client may have heard of long ago. */
  readonly firstOwners: readonly number[];
  private readonly random: Random;
  private readonly tell: (text: string) => void;
  private readonly moving = new Set<number>();

  constructor(world: World, random: Random, options: ServersOptions) {
    const { nodes, partitions, lag, skewMilliseconds, tell } = options;
    this.world = world;
    this.random = random;
    this.partitions = partitions;
    this.tell = tell;
    this.firstOwners = Array.from({ length: partitions }, (_, p) => p % nodes);
    this.nodes = Array.from({ length: nodes }, (_, index) => {
      const service = new StoreCluster(world, random.fork(), {
        functions: () => new Keyspace(),
        skewMilliseconds,
        ...(lag && { lag }),
      });
      return new ServerNode(index, service, this.firstOwners);
    });
  }

  get isCluster(): boolean {
    return this.nodes.length > 1;
  }

  isFenced(writer: number): boolean {
    return this.nodes.some(({ service }) => service.isFenced(writer));
  }

  fence(writer: number): void {
    for (const { service } of this.nodes) service.fence(writer);
  }

  /** Begins to move a partition; nothing happens where it is on its way already. */
  move(): void {
    const { random } = this;
    const partition = random.whole(0, this.partitions - 1);
    if (this.moving.has(partition)) return;
    this.moving.add(partition);
    const from = this.ownerOf(partition);
    const to = random.pick(this.nodes.filter((node) => node !== from));
    this.tell(`partition ${partition} begins to move from node ${from.index} to ${to.index}`);
    to.arriving.set(partition, from.index);
    this.world.after(random.between(0, 3), () => {
      from.leaving.set(partition, to.index);
      this.moveKeys(partition, from, to, random.chance(0.3) ? 100 : 4);
    });
  }

  /** By the account of the node itself: while a move is announced two may think so, and the keys are there. */
  private ownerOf(partition: number): ServerNode {
    return this.nodes.find(({ index, owners }) => owners[partition] === index) as ServerNode;
  }

  private moveKeys(partition: number, from: ServerNode, to: ServerNode, pause: number): void {
    const { random, world } = this;
    const left = [...from.keys.names()].filter((key) => partitionIn(key) === partition);
    const lot = random.whole(1, 3);
    for (let i = 0; i < lot && left.length > 0; i++) {
      const [key] = left.splice(random.whole(0, left.length - 1), 1) as [string];
      if (!from.migrate(key, to))
        throw new Violation(2, `two nodes have the key ${JSON.stringify(key)}`);
    }
    if (left.length > 0)
      world.after(random.between(0, pause), () => this.moveKeys(partition, from, to, pause));
    else this.announce(partition, from, to);
  }

  /** SETSLOT NODE at each: the new owner or the old one first, the others when they hear of it. */
  private announce(partition: number, from: ServerNode, to: ServerNode): void {
    const { random, world } = this;
    const [first, second] = random.chance(0.8) ? [to, from] : [from, to];
    const others = this.nodes.filter((node) => node !== to && node !== from);
    const learn = (node: ServerNode) => {
      node.owners[partition] = to.index;
      node.leaving.delete(partition);
      node.arriving.delete(partition);
    };
    learn(first);
    world.after(random.between(0, 5), () => {
      learn(second);
      this.moving.delete(partition);
      this.tell(`partition ${partition} is node ${to.index}'s`);
    });
    for (const node of others)
      world.after(random.between(0, 60), () => {
        // It may have heard of a later move meanwhile.
        if (!this.moving.has(partition) && this.ownerOf(partition) === to) learn(node);
      });
  }
}
