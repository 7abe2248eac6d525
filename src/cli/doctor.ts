/** `rxnf doctor`: a table of what the machine has and lacks, with the command that mends each. */
import type { Writable } from 'node:stream';
import type { CheckState } from '../ports/checks.ts';
import { examine } from '../ports/checks.ts';
import type { Probes } from '../ports/probes.ts';
import { systemProbes } from '../ports/system-probes.ts';
import { examineRdma } from '../state/remote/rdma-checks.ts';
import type { RdmaProbes } from '../state/remote/rdma-probes.ts';
import { systemRdmaProbes } from '../state/remote/rdma-probes.ts';
import { writeTable } from './table.ts';

const marks: Readonly<Record<CheckState, string>> = { ok: 'ok', warn: 'WARN', missing: 'MISSING' };

/** The exit status: 1 when something without which rxnf cannot run is missing. */
export async function runDoctor(
  out: Writable,
  probes: Probes = systemProbes(),
  rdma: RdmaProbes = systemRdmaProbes(),
): Promise<number> {
  const checks = [...examine(probes), ...examineRdma(rdma)];
  writeTable(
    out,
    ['', 'check', 'found', 'to mend it'],
    checks.map(({ state, name, found, mend }) => [marks[state], name, found, mend ?? '']),
  );
  return checks.some(({ state }) => state === 'missing') ? 1 : 0;
}
