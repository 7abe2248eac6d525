/** What is measured in every round, in this order. */
import {
  bareClient,
  lane,
  programClient,
  type StoreAnswer,
  type StoreRun,
  serversOwn,
} from './contenders.ts';
import type { BenchServer } from './server.ts';

/** One thing that is measured. */
export interface Contest {
  readonly name: string;
  readonly unit: 'lookups/s' | 'packets/s' | 'flows/s';
  readonly ratioTo?: string;
  /** Whose counters must agree. */
  readonly server?: BenchServer;
  measure(): Promise<StoreAnswer>;
}

export interface Field {
  readonly base: StoreRun;
  readonly inFlight: readonly number[];
  /** Besides the base's, for the NAT. */
  readonly bursts: readonly number[];
  readonly server: BenchServer;
  /** A store in shared memory, as in a configuration. */
  readonly shared: string;
  /** Left out of a quick run. */
  readonly full?: {
    /** A primary that a replica follows. */
    readonly replicated: BenchServer;
    /** What gives a lane new flows. */
    readonly churn: string;
  };
}

const own = "server's own benchmark W=4";
/** Of the packets, where there are new flows. */
const newFlows = 0.1;
/** Of clients without packets, which rest while they wait: for what a lookup costs. */
const clientBursts = [128, 256];
/** Seconds until as many expire as are created. */
const settling = 3;

/** Those that are compared are measured one soon after the other. */
export function contests(field: Field): Contest[] {
  return [
    ...field.inFlight.flatMap((w) => atDepth(field, w)),
    ...otherBursts(field),
    ...inMemory(field),
    ...newFlowRates(field),
  ];
}

/** With so many batches in flight: clients that look keys up and do nothing else, and the whole NAT. */
function atDepth(field: Field, w: number): Contest[] {
  const { server } = field;
  const at = { ...field.base, inFlight: w };
  const looks = (name: string, measure: () => Promise<StoreAnswer>, ratioTo?: string): Contest => ({
    name,
    unit: 'lookups/s',
    server,
    measure,
    ...(ratioTo !== undefined && { ratioTo }),
  });
  const bare = `bare C W=${w}`;
  const bareOverTcp = `bare C, tcp W=${w}`;
  const list = [
    looks(bare, () => bareClient(at, server), field.full && w === 4 ? own : undefined),
    looks(
      `rxnf lookup W=${w}`,
      () => lane(at, { nf: 'lookup', store: `unix:${server.socket}` }),
      bare,
    ),
    nat(field, at, 'unix', bare),
    looks(bareOverTcp, () => bareClient(at, server, { transport: 'tcp' })),
    nat(field, at, 'tcp', bareOverTcp),
  ];
  if (w !== 4) return list;
  return [
    ...(field.full ? [looks(own, () => serversOwn(at, server))] : []),
    ...list,
    ...clientBursts.flatMap((burst) => {
      const resting = { ...at, burst };
      const ioredis = `ioredis W=4${ofBurst(field.base, burst)}`;
      const of = `W=4${ofBurst(field.base, burst)}, resting`;
      return [
        looks(ioredis, () => programClient('ioredis', resting, server)),
        looks(`native client ${of}`, () => programClient('native', resting, server), ioredis),
        looks(`bare C ${of}`, () => bareClient(resting, server, { rest: true }), ioredis),
      ];
    }),
  ];
}

/** The whole NAT, with a lookup at the server for every packet. */
function nat(
  { base, server }: Field,
  at: StoreRun,
  transport: 'unix' | 'tcp',
  ratioTo?: string,
): Contest {
  const store = { unix: `unix:${server.socket}`, tcp: `redis://127.0.0.1:${server.port}` };
  return {
    name: `rxnf NAT, ${transport} W=${at.inFlight}${ofBurst(base, at.burst)}`,
    unit: 'packets/s',
    server,
    measure: () => lane(at, { nf: 'nat', store: store[transport] }),
    ...(ratioTo !== undefined && { ratioTo }),
  };
}

const ofBurst = (base: StoreRun, burst: number) => (burst === base.burst ? '' : ` burst ${burst}`);

function otherBursts(field: Field): Contest[] {
  return (['unix', 'tcp'] as const).flatMap((transport) =>
    field.bursts.flatMap((burst) =>
      field.inFlight.map((inFlight) => nat(field, { ...field.base, burst, inFlight }, transport)),
    ),
  );
}

/** Stores that answer at once: depth is nothing to them. */
function inMemory({ base, bursts, shared }: Field): Contest[] {
  return [base.burst, ...bursts].flatMap((burst) => {
    const contest = (name: string, store: string): Contest => ({
      name: `rxnf NAT, ${name}${ofBurst(base, burst)}`,
      unit: 'packets/s',
      measure: () => lane({ ...base, burst }, { nf: 'nat', store }),
    });
    const memory = contest('memory', 'memory');
    return [memory, { ...contest('shared memory', shared), ratioTo: memory.name }];
  });
}

/** Flows that are created: a binding, a port, a commit of the class. */
function newFlowRates({ base, server, shared, full }: Field): Contest[] {
  if (!full) return [];
  const contest = (
    name: string,
    store: string,
    idleMilliseconds: number,
    replicas?: number,
  ): Contest => ({
    name: `new flows, ${name}`,
    unit: 'flows/s',
    async measure() {
      const answer = await lane(
        { ...base, inFlight: 8, warmup: settling },
        {
          nf: 'nat',
          store,
          newFlows: { share: newFlows, library: full.churn, idleMilliseconds },
          ...(replicas && { replicas }),
        },
      );
      return { ...answer, perSecond: answer.perSecond * newFlows };
    },
  });
  // A million mappings are to be enough for all that live at once.
  return [
    contest('primary', `unix:${server.socket}`, 1000),
    contest('replicas: 1', `unix:${full.replicated.socket}`, 1000, 1),
    // Apart from the other contests', whose tables are there already, with less room.
    contest('shared memory', `${shared}/new-flows`, 100),
  ];
}
