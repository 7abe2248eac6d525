/** `rxnf ports`: what a port can be made of here, as strings to paste into a configuration. */
import type { Writable } from 'node:stream';
import type { Probes } from '../ports/probes.ts';
import { systemProbes } from '../ports/system-probes.ts';
import { usablePorts } from '../ports/usable.ts';
import { writeTable } from './table.ts';

export async function runPorts(out: Writable, probes: Probes = systemProbes()): Promise<number> {
  writeTable(
    out,
    ['device', 'what it is', 'first'],
    usablePorts(probes).map(({ device, about, first }) => [device, about, first ?? '']),
  );
  return 0;
}
