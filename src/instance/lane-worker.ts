/** The entry of a lane's thread, and its composition root: makes the lane, runs it, tells of it. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { type NativePool, native, type PortCounters } from '../native.ts';
import { type NetworkFunction, openLane } from '../nfs/network-function.ts';
import { CapturePort } from '../ports/capture-port.ts';
import { DpdkLanePort } from '../ports/dpdk-port.ts';

import { sessionOf } from '../state/sessions.ts';
import type { AnyTable } from '../state/table.ts';
import type { Lane, LanePort } from '../streams/lane.ts';
import { runLoop, shortestSleepMicroseconds, sleeper } from './lane-loop.ts';
import { openStore } from './open-store.ts';
import type { LaneMessage, LanePlan, LaneSample, PoolPlan, PortPlan } from './plan.ts';

/** Four a second: cheap, and quick enough to see a link go. */
const sampleMilliseconds = 250;
/** For what is in flight when the lane stops: far longer than any store may take. */
const drainMilliseconds = 1000;

type CountingPort = LanePort & { counters(): PortCounters };

if (parentPort === null) throw new Error('lane-worker is the entry of a worker thread');
const parent = parentPort;
const tell = (message: LaneMessage) => parent.postMessage(message);

await main(workerData as LanePlan);

async function main(plan: LanePlan): Promise<void> {
  let take: (() => LaneSample) | undefined;
  try {
    const nf = await makeFunction(plan);
    const pool = openPool(plan.pool);
    const ports = plan.ports.map((port) => openPort(port, pool, plan));
    let failure: string | undefined;
    const lane = openLane(nf, openStore(plan.store), {
      pool,
      ports,
      burst: plan.burst,
      writer: plan.lane + 1,
      log(event) {
        if (event.event === 'pipeline-failed') failure = String(event['message']);
        else tell({ kind: 'event', event: { ...event, lane: plan.lane } });
      },
    });
    take = () => sampleOf(lane, ports, plan, nf);
    tell({ kind: 'ready', tables: nf.tables.map((table) => table.name), sample: take() });
    await runUntilStopped(lane, plan, () => {
      if (failure !== undefined) throw new Error(failure);
      tell({ kind: 'sample', sample: (take as () => LaneSample)() });
    });
    tell({ kind: 'stopped', sample: finish(lane, take) });
  } catch (error) {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    tell({ kind: 'failed', reason, sample: take?.() });
    process.exitCode = 1;
  }
}

async function makeFunction({ function: reference }: LanePlan): Promise<NetworkFunction> {
  const module = (await import(reference.module)) as Record<string, unknown>;
  const factory = module[reference.factory];
  if (typeof factory !== 'function') {
    throw new TypeError(`${reference.module} exports no function ${reference.factory}`);
  }
  return factory(reference.options) as NetworkFunction;
}

function openPool(plan: PoolPlan): NativePool {
  return plan.kind === 'dpdk'
    ? native.openDpdkPool(plan.buffers, plan.room)
    : native.openPool(plan.buffers);
}

function openPort(port: PortPlan, pool: NativePool, { lane, lanes }: LanePlan): CountingPort {
  switch (port.kind) {
    case 'dpdk':
      return new DpdkLanePort({ ...port, queue: lane });
    case 'capture':
      return new CapturePort({ ...port, pool, lane, lanes });
  }
}

async function runUntilStopped(lane: Lane, plan: LanePlan, report: () => void): Promise<void> {
  let reported = performance.now();
  const sleep = sleeper();
  await runLoop({
    breathe: () => lane.breathe(),
    busyPoll: plan.busyPoll,
    // An answer of the store ends the rest; packets that arrive wait for the shortest.
    sleep(microseconds) {
      const waits = lane.batchesOut > 0 && lane.awaitStore(shortestSleepMicroseconds);
      if (!waits) sleep(microseconds);
    },
    between() {
      const now = performance.now();
      if (now - reported >= sampleMilliseconds) {
        reported = now;
        report();
      }
      return receiveMessageOnPort(parent) === undefined;
    },
  });
}

/** Receives nothing further, sends what is in flight, and closes; the last word about every packet. */
function finish(lane: Lane, take: () => LaneSample): LaneSample {
  lane.ports.forEach((_, number) => {
    lane.setBudget(number, 0);
  });
  const deadline = performance.now() + drainMilliseconds;
  do {
    lane.breathe();
  } while (lane.statistics().batchesOut > 0 && performance.now() < deadline);
  const { ports, tables } = take();
  lane.close();
  return { statistics: lane.statistics(), latency: lane.latency(), ports, tables };
}

function sampleOf(
  lane: Lane,
  ports: readonly CountingPort[],
  plan: LanePlan,
  nf: NetworkFunction,
): LaneSample {
  const tables = nf.tables
    .filter((table) => table.storage === table.name) // not an alias
    .filter((table) => table.scope === 'local' || plan.lane === 0)
    .map((table) => [table.name, sessionOf(lane, table as AnyTable).size(table as AnyTable)]);
  return {
    statistics: lane.statistics(),
    latency: lane.latency(),
    ports: ports.map((port) => port.counters()),
    tables: Object.fromEntries(tables),
  };
}
