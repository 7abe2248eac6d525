/** The composition root: what commands are made of, and where each part comes from. */
import { Container, type ServiceIdentifier } from 'inversify';
import type { InstanceConfig } from '../instance/config.ts';
import type { OpenedPorts } from '../instance/open-ports.ts';
import type { Probes } from '../ports/probes.ts';
import { systemProbes } from '../ports/system-probes.ts';
import { systemVfMachine, type VfMachine } from '../ports/vf/machine.ts';
import { Console } from './console.ts';
import type { DemoCommand } from './demo.ts';
import type { RunCommand, RunParts } from './run.ts';

const token = <T>(name: string) => Symbol(name) as ServiceIdentifier<T>;

export const parts = {
  console: token<Console>('console'),
  probes: token<Probes>('probes'),
  vfMachine: token<VfMachine>('vfMachine'),
  openPorts: token<(config: InstanceConfig) => OpenedPorts>('openPorts'),
  process: token<RunParts['process']>('process'),
  run: token<RunCommand>('run'),
  demo: token<DemoCommand>('demo'),
};

/**
 * The parts of this process. Everything that a command does not own is here, to be replaced by name.
 * What runs instances is loaded when it is asked for: most commands want none of it.
 */
export function compose(): Container {
  const container = new Container({ defaultScope: 'Singleton' });
  container.bind(parts.console).toDynamicValue(() => new Console(process.stdout, process.stderr));
  container.bind(parts.probes).toDynamicValue(() => systemProbes());
  container.bind(parts.vfMachine).toDynamicValue(() => systemVfMachine());
  container.bind(parts.process).toDynamicValue(() => ({
    pid: process.pid,
    // Keeps senders from choosing colliding keys.
    seed: crypto.getRandomValues(new Uint32Array(1))[0] as number,
  }));
  container.bind(parts.openPorts).toResolvedValue(
    async (probes: Probes) => {
      const { openPorts } = await import('../instance/open-ports.ts');
      return (config: InstanceConfig) =>
        openPorts(config, { probes, pid: process.pid, startMilliseconds: Date.now() });
    },
    [parts.probes],
  );
  container.bind(parts.run).toResolvedValue(
    async (console: Console, open: RunParts['openPorts'], own: RunParts['process']) => {
      const { RunCommand } = await import('./run.ts');
      return new RunCommand({ console, openPorts: open, process: own });
    },
    [parts.console, parts.openPorts, parts.process],
  );
  container.bind(parts.demo).toResolvedValue(
    async (console: Console, probes: Probes) => {
      const { DemoCommand } = await import('./demo.ts');
      return new DemoCommand(console, probes);
    },
    [parts.console, parts.probes],
  );
  return container;
}
