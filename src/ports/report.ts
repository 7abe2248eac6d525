/** Gathers what is wrong with one port's device. */
import { basename } from 'node:path';
import type { PortConfigCode } from './error.ts';
import { PortConfigError } from './error.ts';
import type { Probes } from './probes.ts';
import type { Device } from './spec.ts';

export type DeviceOf<Kind extends Device['kind']> = Extract<Device, { kind: Kind }>;

export class Report {
  readonly problems: PortConfigError[] = [];
  readonly #field: string;

  constructor(field: string) {
    this.#field = field;
  }

  add(code: PortConfigCode, found: string, mend: string): void {
    this.problems.push(new PortConfigError(code, this.#field, found, mend));
  }
}

export function checkDirectory(directory: string, probes: Probes, report: Report): void {
  if (probes.file(directory) !== 'directory') {
    report.add('missing-directory', `no directory ${directory}`, `mkdir -p ${directory}`);
  } else if (!probes.writable(directory)) {
    report.add(
      'unwritable-directory',
      `${directory} cannot be written to`,
      `chown $(id -u) ${directory}`,
    );
  }
}

export function checkCapabilities(names: readonly string[], probes: Probes, report: Report): void {
  const held = probes.capabilities();
  const lacking = names.filter((name) => !held.has(name));
  if (lacking.length === 0) return;
  const list = lacking.map((name) => name.toLowerCase()).join(',');
  report.add(
    'missing-permission',
    `this process lacks ${lacking.join(' and ')}`,
    `run it as root, or: setcap ${list}+ep ${basename(process.execPath)}`,
  );
}
