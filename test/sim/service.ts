/** A store as a service, of either kind, as the simulation handles it. */
import type { Store, StoreSession } from '../../src/state/store.ts';
import type { Lane } from '../../src/streams/lane.ts';
import type { HistoryRecorder } from './history.ts';
import type { LinkFaults } from './link.ts';
import type { Plan } from './plan.ts';
import type { Random } from './random.ts';
import { Servers } from './servers/servers.ts';
import { ServerSession } from './servers/session.ts';
import { ServersView } from './servers/view.ts';
import { SimSession, type WriteWatch } from './session.ts';
import { StoreCluster } from './store-cluster.ts';
import { StoreFunctions } from './store-functions.ts';
import type { Place } from './store-view.ts';
import type { World } from './world.ts';

export interface SimulatedSession extends StoreSession {
  /** Requests under way. */
  readonly waiting: number;
  /** The process has ended. */
  kill(): void;
}

/** For one lane of one life of an instance. */
export interface SimStore extends Store {
  open(lane: Lane): SimulatedSession;
}

export interface SessionOptions {
  readonly random: Random;
  readonly faults: LinkFaults;
  readonly writer: number;
  readonly history: HistoryRecorder;
  readonly watch: WriteWatch;
}

export interface Service {
  /** A lane's session. */
  store(options: SessionOptions): SimStore;
  /** The primary first, and then its replica. */
  places(): readonly Place[];
  isFenced(writer: number): boolean;
  fence(writer: number): void;
  stall(until: number): void;
  failOver(): void;
  /** A part of the keys begins to move to another node. */
  move(): void;
}

export interface ServiceOptions {
  readonly world: World;
  readonly random: Random;
  readonly plan: Plan;
  /** Of the replica. */
  readonly lag: { readonly least: number; readonly most: number };
  readonly skewMilliseconds: number;
  readonly onChange: (writer: number) => void;
  readonly tell: (text: string) => void;
}

/** What planted mistakes change of the store that keeps its answers. */
export interface Replaced {
  readonly functions?: new () => StoreFunctions;
  readonly session?: typeof SimSession;
  readonly fencedGraceMilliseconds?: number;
}

/** Numbers of the fenced are due after so long: longer than a releaser may be paused. */
const fencedGraceMilliseconds = 2500;

/** The store that the design describes: it keeps what it has answered. */
export function answeringService(options: ServiceOptions, replaced: Replaced): Service {
  const { world, random, plan, lag, skewMilliseconds, onChange } = options;
  const Functions = replaced.functions ?? StoreFunctions;
  const Session = replaced.session ?? SimSession;
  const cluster = new StoreCluster(world, random, {
    ...(plan.replicas > 0 && { lag }),
    skewMilliseconds,
    functions: () => new Functions(),
  });
  cluster.onChange = onChange;
  const grace = replaced.fencedGraceMilliseconds ?? fencedGraceMilliseconds;
  return {
    store: (session) => ({
      open: (lane) =>
        new Session(lane, {
          ...session,
          cluster,
          replicas: plan.replicas,
          fencedGraceMilliseconds: grace,
          auditMilliseconds: 250,
        }),
    }),
    places: () => placesOf(cluster, (functions) => functions),
    isFenced: (writer) => cluster.isFenced(writer),
    fence: (writer) => cluster.fence(writer),
    stall(until) {
      cluster.stalledUntil = until;
    },
    failOver: () => cluster.failOver(),
    move: () => undefined,
  };
}

/** Servers as they are: they know the last call of each writer, and not what they answered. */
export function serversService(options: ServiceOptions): Service {
  const { world, random, plan, lag, skewMilliseconds, onChange, tell } = options;
  const servers = new Servers(world, random, {
    nodes: plan.nodes,
    partitions: plan.partitions,
    ...(plan.replicas > 0 && { lag }),
    skewMilliseconds,
    tell,
  });
  for (const { service } of servers.nodes) service.onChange = onChange;
  const [first] = servers.nodes;
  const { replicas } = plan;
  return {
    store: (session) => ({
      open: (lane) => new ServerSession(lane, { ...session, servers, replicas }),
    }),
    places: () =>
      first && !servers.isCluster
        ? placesOf(first.service, (keys) => new ServersView([keys]))
        : [{ where: 'the cluster', view: new ServersView(servers.nodes.map(({ keys }) => keys)) }],
    isFenced: (writer) => servers.isFenced(writer),
    fence: (writer) => servers.fence(writer),
    stall(until) {
      random.pick(servers.nodes).service.stalledUntil = until;
    },
    failOver: () => first?.service.failOver(),
    move: () => servers.move(),
  };
}

function placesOf<F extends { copy(): F }>(
  { primary, replica }: Pick<StoreCluster<F>, 'primary' | 'replica'>,
  view: (functions: F) => Place['view'],
): Place[] {
  const places = [{ where: 'the primary', view: view(primary.functions) }];
  if (replica) places.push({ where: 'the replica', view: view(replica.functions) });
  return places;
}
