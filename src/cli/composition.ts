/** The composition root: what commands are made of, and where each part comes from. */
import { Container, type ServiceIdentifier } from 'inversify';
import type { InstanceConfig } from '../instance/config.ts';
import { type OpenedPorts, openPorts } from '../instance/open-ports.ts';
import type { Probes } from '../ports/probes.ts';
import { systemProbes } from '../ports/system-probes.ts';
import { systemVfMachine, type VfMachine } from '../ports/vf/machine.ts';
import { Console } from './console.ts';
import { DemoCommand } from './demo.ts';
import { RunCommand, type RunParts } from './run.ts';

const token = <T>(name: string) => Symbol(name) as ServiceIdentifier<T>;

export const parts = {
  console: token<Console>('console'),
  probes: token<Probes>('probes'),
  vfMachine: token<VfMachine>('vfMachine'),
  openPorts: token<(config: InstanceConfig) => OpenedPorts>('openPorts'),
  process: token<RunParts['process']>('process'),
};

/** The parts of this process. Everything that a command does not own is here, to be replaced by name. */
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
  container
    .bind(parts.openPorts)
    .toResolvedValue(
      (probes: Probes) => (config: InstanceConfig) =>
        openPorts(config, { probes, pid: process.pid, startMilliseconds: Date.now() }),
      [parts.probes],
    );
  container
    .bind(RunCommand)
    .toResolvedValue(
      (console: Console, open: RunParts['openPorts'], own: RunParts['process']) =>
        new RunCommand({ console, openPorts: open, process: own }),
      [parts.console, parts.openPorts, parts.process],
    );
  container
    .bind(DemoCommand)
    .toResolvedValue(
      (console: Console, probes: Probes) => new DemoCommand(console, probes),
      [parts.console, parts.probes],
    );
  return container;
}
