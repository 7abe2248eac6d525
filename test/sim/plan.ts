/** What befalls one simulated run: everything follows from the seed, and less of it can be asked for. */
import { Random } from './random.ts';

export interface Plan {
  readonly seed: number;
  readonly instances: number;
  /** Inside endpoints. */
  readonly endpoints: number;
  /** Packets that inside hosts send. */
  readonly packets: number;
  /** Groups in which they come, with pauses between that may outlast a binding. */
  readonly bursts: number;
  readonly kills: number;
  readonly pauses: number;
  /** Share of pauses in which the instance is taken for dead: fenced and replaced. */
  readonly fencedPauses: number;
  readonly stalls: number;
  readonly failovers: number;
  readonly replicas: 0 | 1;
  readonly lostRequests: number;
  readonly lostReplies: number;
  /** Share of packets on which an author's function throws. */
  readonly throws: number;
  /** Packets of one flow go to any instance, or to one each. */
  readonly spread: boolean;
  readonly translation: 'kernels' | 'callback';
  /** Servers that hold the store: 1, or a cluster's; 0: the store that keeps its answers. */
  readonly nodes: number;
  /** Parts of the keys, each of which lies in one slot. */
  readonly partitions: number;
  /** How often keys begin to move to another node. */
  readonly moves: number;
}

/** Which of the stores a plan is for. */
export type StoreKind = 'answers' | 'servers';

/** @param kind of the store; half of the seeds each, where it is left to them */
export function planOf(seed: number, kind?: StoreKind): Plan {
  const random = new Random(seed);
  const sometimes = (probability: number, least: number, most: number) =>
    random.chance(probability) ? random.whole(least, most) : 0;
  const replicas = random.chance(0.4) ? 1 : 0;
  const lossy = random.chance(0.6);
  const plan = {
    seed,
    instances: random.whole(1, 3),
    endpoints: random.whole(1, 5),
    packets: random.whole(10, 60),
    bursts: random.whole(1, 4),
    kills: sometimes(0.5, 1, 2),
    pauses: sometimes(0.4, 1, 2),
    fencedPauses: 0.5,
    stalls: sometimes(0.2, 1, 2),
    failovers: replicas === 1 ? sometimes(0.5, 1, 2) : 0,
    replicas,
    lostRequests: lossy ? random.between(0, 0.04) : 0,
    lostReplies: lossy ? random.between(0, 0.06) : 0,
    throws: random.chance(0.3) ? 0.1 : 0,
    spread: random.chance(0.7),
    translation: random.chance(0.5) ? 'kernels' : 'callback',
  } as const;
  const onServers = random.chance(0.5);
  const nodes = random.pick([1, 2, 3]);
  const moves = random.whole(1, 8);
  const partitions = random.pick([1, 2, 4]);
  const endpoints = random.whole(1, 12);
  if (kind === 'answers' || (kind === undefined && !onServers))
    return { ...plan, nodes: 0, partitions: 1, moves: 0 };
  if (nodes === 1) return { ...plan, nodes, partitions, moves: 0 };
  return { ...plan, endpoints, nodes, partitions, moves, replicas: 0, failovers: 0 };
}

/** Plans with less in them than the given one, the boldest cuts first. */
export function simpler(plan: Plan): Plan[] {
  const without: Partial<Plan>[] = [
    { kills: 0 },
    { pauses: 0 },
    { stalls: 0 },
    { failovers: 0 },
    { lostRequests: 0 },
    { lostReplies: 0 },
    { throws: 0 },
    { bursts: 1 },
    { instances: 1 },
    { instances: 2 },
    { endpoints: 1 },
    { endpoints: 2 },
    { kills: 1 },
    { pauses: 1 },
    { failovers: 1 },
    { moves: 0 },
    { moves: 1 },
    { moves: 2 },
    { packets: Math.ceil(plan.packets / 2) },
    { packets: plan.packets - 1 },
  ];
  return without
    .map((change) => ({ ...plan, ...change }))
    .filter((other) => other.packets > 0 && weight(other) < weight(plan));
}

/** How much there is to read about. */
function weight(plan: Plan): number {
  const { instances, endpoints, packets, bursts, kills, pauses, stalls, failovers, moves } = plan;
  const faults = kills + pauses + stalls + failovers + moves;
  const kinds = [plan.lostRequests, plan.lostReplies, plan.throws].filter((share) => share > 0);
  return packets + 5 * (bursts + instances + endpoints + faults + kinds.length);
}

/** The parts of a plan that something comes of, as one line. */
export function describePlan(plan: Plan): string {
  const { seed, ...rest } = plan;
  const parts = Object.entries(rest)
    .filter(([, value]) => value !== 0 && value !== false)
    .map(([name, value]) => `${name} ${typeof value === 'number' ? +value.toFixed(3) : value}`);
  return `seed ${seed}: ${parts.join(', ')}`;
}
