/**
 * `rxnf run CONFIG`: an instance until it is told to stop.
 *
 * Standard output carries one JSON line per event: `ready` once it forwards, then what happens to
 * ports and lanes (`link-down`, `gone`, `missed`, `lane-failed`, ...), at last `summary`. Logs and the
 * live table go to standard error.
 */
import { readFileSync } from 'node:fs';
import { type InstanceConfig, type ReadConfig, readConfig } from '../instance/config.ts';
import { ConfigError } from '../instance/config-error.ts';
import { Instance, type InstanceEnd, type InstanceEvent } from '../instance/instance.ts';
import { natFunction, natOptions } from '../instance/nat-function.ts';
import { type OpenedPorts, PortsError } from '../instance/open-ports.ts';
import type { StorePlan } from '../instance/plan.ts';
import { storeWarnings } from '../instance/store-warnings.ts';
import { nat } from '../nfs/nat/nat.ts';
import type { Console } from './console.ts';
import { liveTable, RateMeter } from './live-table.ts';

export interface RunParts {
  readonly console: Console;
  readonly openPorts: (config: InstanceConfig) => OpenedPorts;
  /** Of this process: names its store in memory, and the instance where the configuration does not. */
  readonly process: { readonly pid: number; readonly seed: number };
}

const tableMilliseconds = 1000;

export class RunCommand {
  private readonly parts: RunParts;

  constructor(parts: RunParts) {
    this.parts = parts;
  }

  /**
   * Runs until SIGTERM or SIGINT, or until captures have run dry.
   *
   * @returns the exit status: 1 where a lane failed
   * @throws {ConfigError} naming what is wrong with the file or with its ports
   */
  async run(file: string): Promise<number> {
    const { console } = this.parts;
    const read = readConfig(readFileSync(file, 'utf8'), file);
    const { config } = read;
    nat(natOptions(config)); // refuses what only the NAT knows, before any device is touched
    const opened = this.openPorts(read, file);
    try {
      const worth = await storeWarnings(config.store, config.nat.commit);
      const warnings = [...read.warnings, ...opened.warnings, ...worth];
      const instance = await Instance.start({
        function: natFunction(config),
        ports: opened.plans,
        pool: opened.pool,
        lanes: config.lanes,
        burst: config.burst,
        busyPoll: config.busyPoll,
        store: this.storePlan(config),
        onEvent: (event) => this.tell(event),
        startPorts: opened.start,
      });
      const counters = instance.summary.ports;
      const ports = Object.fromEntries(
        Object.entries(opened.info).map(([name, info]) => {
          return [name, { ...info, linkUp: counters[name]?.linkUp ?? false }];
        }),
      );
      console.event({ event: 'ready', lanes: config.lanes, ports, warnings });
      return await this.untilEnded(instance);
    } finally {
      opened.close();
    }
  }

  private storePlan({ store, name }: InstanceConfig): StorePlan {
    const { pid, seed } = this.parts.process;
    if (store.kind === 'memory') return { kind: 'memory', name: `instance-${pid}`, seed };
    return { ...store, instance: name ?? `nat-${pid}` };
  }

  private openPorts(read: ReadConfig, file: string): OpenedPorts {
    try {
      return this.parts.openPorts(read.config);
    } catch (error) {
      if (!(error instanceof PortsError)) throw error;
      const problems = error.problems.map((problem) => {
        const line = read.lineOf(problem.field);
        return line === undefined ? problem : { ...problem, line };
      });
      throw new ConfigError(file, problems);
    }
  }

  /** Events of ports and of the instance on standard output; what operators report is a log. */
  private tell(event: InstanceEvent): void {
    if ('port' in event || event.event === 'lane-failed') this.parts.console.event(event);
    else this.parts.console.log(event);
  }

  private async untilEnded(instance: Instance): Promise<number> {
    const { console } = this.parts;
    const stop = () => instance.stop();
    process.on('SIGTERM', stop).on('SIGINT', stop);
    const meter = new RateMeter();
    const timer = setInterval(() => {
      const { summary } = instance;
      console.draw(liveTable(summary, meter.look(summary, performance.now())));
    }, tableMilliseconds);
    let end: InstanceEnd;
    try {
      end = await instance.ended;
    } finally {
      clearInterval(timer);
      process.off('SIGTERM', stop).off('SIGINT', stop);
    }
    console.event({ event: 'summary', ...end.summary, failedLanes: end.failedLanes });
    return end.failedLanes.length > 0 ? 1 : 0;
  }
}
