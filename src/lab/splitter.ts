/**
 * A process that runs the flow splitter (src/testing/flow-splitter.ts) between real links, for the
 * real runs and `npm start`:
 *
 *     node src/lab/splitter.ts '{"client":"af_packet:c","server":"af_packet:s","socket":"/run/x/memif.sock"}'
 *
 * Towards each of two instances it has two memif ports, 2i inside and 2i + 1 outside, whose links go
 * down with the process at their other end. Standard output carries a JSON line per event, as that of
 * `rxnf run` does: `ready`, `link-up`, `link-down`, at last `summary`.
 */
import { Instance } from '../instance/instance.ts';
import { openPorts, type PortsConfig } from '../instance/open-ports.ts';
import { systemProbes } from '../ports/system-probes.ts';
import type { FlowSplitterOptions, SplitInstance } from '../testing/flow-splitter.ts';

export interface SplitterPlan {
  /** Devices towards the hosts. */
  readonly client: string;
  readonly server: string;
  /** The memif socket, which the instances connect to. */
  readonly socket: string;
  readonly splitting?: Omit<FlowSplitterOptions, 'client' | 'server' | 'instances'>;
}

const instances: readonly SplitInstance[] = [0, 1].map((i) => ({
  inside: `inside-${i}`,
  outside: `outside-${i}`,
}));

if (import.meta.main) process.exitCode = await main(JSON.parse(process.argv[2] ?? '{}'));

async function main(plan: SplitterPlan): Promise<number> {
  const config = portsOf(plan);
  const opened = openPorts(config, {
    probes: systemProbes(),
    pid: process.pid,
    startMilliseconds: Date.now(),
  });
  try {
    const file = import.meta.url.endsWith('.ts')
      ? '../testing/flow-splitter.ts'
      : '../testing/flow-splitter.js';
    const options: FlowSplitterOptions = {
      ...plan.splitting,
      client: 'client',
      server: 'server',
      instances,
    };
    const instance = await Instance.start({
      function: { module: new URL(file, import.meta.url).href, factory: 'flowSplitter', options },
      ports: opened.plans,
      pool: opened.pool,
      lanes: config.lanes,
      burst: config.burst,
      busyPoll: false,
      store: { kind: 'memory', name: 'splitter', seed: 1 },
      onEvent: tell,
      startPorts: opened.start,
    });
    tell({ event: 'ready' });
    process.once('SIGTERM', () => instance.stop()).once('SIGINT', () => instance.stop());
    const { summary, failedLanes } = await instance.ended;
    tell({ event: 'summary', ...summary, failedLanes });
    return failedLanes.length;
  } finally {
    opened.close();
  }
}

function tell(event: object): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

function portsOf({ client, server, socket }: SplitterPlan): PortsConfig {
  const port = (device: string) => ({ device, addresses: [], mtu: 1500 });
  const towards = instances.flatMap(({ inside, outside }, i) => [
    [inside, port(`memif:${2 * i},role=server,socket=${socket}`)],
    [outside, port(`memif:${2 * i + 1},role=server,socket=${socket}`)],
  ]);
  const ports = { client: port(client), server: port(server), ...Object.fromEntries(towards) };
  return { lanes: 1, burst: 64, ports };
}
