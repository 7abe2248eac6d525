/**
 * What `replicas(n)` is worth on the servers that there are.
 *
 * WAIT counts replicas, it does not choose them: a write that n replicas have acknowledged survives the
 * loss of the primary for certain only if no replica without it can be promoted, so n must be the number
 * of those that can. Fewer is a wager on which one is.
 */
import type { Access } from './connection.ts';
import { nodeName } from './connection.ts';
import { discover, type Shard, type Topology } from './topology.ts';

export interface Durability {
  /** True when every write that was acknowledged by n replicas survives any one failover. */
  readonly guaranteed: boolean;
  /** One sentence for each thing that can be lost or cannot work. */
  readonly findings: readonly string[];
}

/** @param replicas n of the tables' commit class; 0 for `primary` */
export async function checkDurability(access: Access, replicas: number): Promise<Durability> {
  return assess(await discover(access), replicas);
}

/** See `checkDurability`. */
export function assess({ shards }: Topology, replicas: number): Durability {
  const findings = shards.flatMap((shard) => assessShard(shard, replicas));
  return { guaranteed: findings.length === 0, findings };
}

function assessShard({ primary, replicas: all }: Shard, replicas: number): string[] {
  const name = nodeName(primary);
  const promotable = all.filter((replica) => replica.promotable);
  const online = all.filter((replica) => replica.online);
  if (promotable.length === 0 && replicas === 0) return [];
  if (replicas === 0) {
    return [
      `${name}: commit class primary and ${promotable.length} replica(s) that may take over: ` +
        'a failover loses the writes that had not reached it; use replicas(' +
        `${promotable.length})`,
    ];
  }
  const findings: string[] = [];
  if (online.length < replicas) {
    findings.push(
      `${name}: replicas(${replicas}) with ${online.length} replica(s) online: ` +
        'no write can be committed until there are more',
    );
  }
  if (promotable.length > replicas) {
    findings.push(
      `${name}: replicas(${replicas}) with ${promotable.length} replicas that may take over ` +
        `(${promotable.map(nodeName).join(', ')}): one that lacks an acknowledged write can be ` +
        `promoted; use replicas(${promotable.length}), or replica-priority 0 on the others`,
    );
  }
  const idle = all.length - promotable.length;
  if (idle > 0 && promotable.length > 0 && replicas < all.length) {
    findings.push(
      `${name}: ${idle} replica(s) never take over, yet WAIT counts their acknowledgements: ` +
        `use replicas(${all.length}) to be sure of those that do`,
    );
  }
  return findings;
}
