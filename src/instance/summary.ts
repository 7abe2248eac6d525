/** Samples of lanes, folded: what became of every packet of an instance. */
import type { PortCounters } from '../native.ts';
import { type Latency, latencyMicroseconds } from '../telemetry/latency.ts';
import type { LaneSample } from './plan.ts';

export interface InstanceSummary {
  /** Packets taken from the ports. */
  readonly received: number;
  /** Packets made here: ARP, ICMP errors, fragments. */
  readonly originated: number;
  /** Packets given to the ports, those made here included. */
  readonly forwarded: number;
  /** Packets by reason, each reason there from the start. */
  readonly dropped: Readonly<Record<string, number>>;
  readonly droppedByReason: Readonly<Record<string, number>>;
  /** Packets that wait outside batches. */
  readonly held: number;
  /** Records of the function's first table: a NAT's mappings. */
  readonly flows: number;
  readonly tables: Readonly<Record<string, number>>;
  /** Receive to transmit, of packets sent; null where there are none. */
  readonly latencyMicroseconds: Latency | null;
  readonly ports: Readonly<Record<string, PortCounters>>;
  /** received + originated = forwarded + dropped + held: true of an instance that has stopped. */
  readonly conserved: boolean;
}

/**
 * @param portNames as lanes number them
 * @param tableNames as the function declares them
 */
export function summarize(
  samples: readonly LaneSample[],
  portNames: readonly string[],
  tableNames: readonly string[],
): InstanceSummary {
  const statistics = samples.map((sample) => sample.statistics);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const received = sum(statistics.flatMap((it) => it.received));
  const forwarded = sum(statistics.flatMap((it) => it.forwarded));
  const originated = sum(statistics.map((it) => it.originated));
  const held = sum(statistics.map((it) => it.held));
  const dropped = addUp(statistics.map((it) => it.dropped));
  const tables = addUp(samples.map((it) => it.tables));
  return {
    received,
    originated,
    forwarded,
    dropped,
    droppedByReason: Object.fromEntries(Object.entries(dropped).filter(([, count]) => count > 0)),
    held,
    flows: tables[tableNames[0] ?? ''] ?? 0,
    tables,
    latencyMicroseconds: latencyMicroseconds(addColumns(samples.map((it) => it.latency))) ?? null,
    ports: Object.fromEntries(
      portNames.map((name, i) => [
        name,
        addPorts(samples.map((it) => it.ports[i] as PortCounters)),
      ]),
    ),
    conserved: received + originated === forwarded + sum(Object.values(dropped)) + held,
  };
}

/** One port over all of its queues. */
export function addPorts(queues: readonly PortCounters[]): PortCounters {
  const sum = (counter: keyof PortCounters) =>
    queues.reduce((total, queue) => total + Number(queue[counter]), 0);
  return {
    receivedPackets: sum('receivedPackets'),
    receivedBytes: sum('receivedBytes'),
    transmittedPackets: sum('transmittedPackets'),
    transmittedBytes: sum('transmittedBytes'),
    missed: sum('missed'),
    receiveErrors: sum('receiveErrors'),
    transmitErrors: sum('transmitErrors'),
    noBuffer: sum('noBuffer'),
    multiSegment: sum('multiSegment'),
    resets: sum('resets'),
    linkUp: queues.length > 0 && queues.every((queue) => queue.linkUp),
    gone: queues.some((queue) => queue.gone),
    exhausted: queues.length > 0 && queues.every((queue) => queue.exhausted),
  };
}

function addUp(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const record of records) {
    for (const [name, count] of Object.entries(record)) total[name] = (total[name] ?? 0) + count;
  }
  return total;
}

function addColumns(columns: readonly Float64Array[]): Float64Array {
  const total = new Float64Array(Math.max(0, ...columns.map((column) => column.length)));
  for (const column of columns) {
    for (let i = 0; i < column.length; i++) total[i] += column[i];
  }
  return total;
}
