/** What every test file over a `Lab` begins and ends with. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { InstanceProcess, Summary } from '../../src/lab/instance-process.ts';
import { Lab, type LabOptions, lacking, type NatOptions } from './lab.ts';

/** Why tests over a lab are skipped; empty where they run. */
export const missing = lacking();
if (missing.length > 0) console.warn(`real traffic skipped, lacking: ${missing.join(', ')}`);

/** A lab with a NAT in it for all tests of the enclosing `describe`, gone after them. */
export function useNat(
  options: NatOptions,
  labOptions: LabOptions = {},
): { lab: Lab; nat: InstanceProcess } {
  const used = {} as { lab: Lab; nat: InstanceProcess };
  beforeAll(async () => {
    used.lab = await Lab.open(labOptions);
    used.nat = await used.lab.startNat(options);
  });
  afterAll(async () => {
    await used.lab?.close();
  });
  return used;
}

/** Ends the instance: the last test of its `describe`. */
export function itAccountsForEveryPacket(used: { nat: InstanceProcess }): void {
  it('accounts for every packet when it ends', { timeout: 30_000 }, async () => {
    const { ending, summary, output } = await used.nat.stop();
    expect(ending, output).toEqual({ status: 0, signal: null });
    expect(summary?.received, output).toBeGreaterThan(0);
    expect(summary?.forwarded, output).toBeGreaterThan(0);
    expectConserved(summary, output);
  });
}

/** In and made here = out, dropped by reason, and none held. */
export function expectConserved(summary: Summary | undefined, output: string): void {
  if (summary === undefined) throw new Error(`no summary:\n${output}`);
  const dropped = Object.values(summary.dropped).reduce((sum, count) => sum + count, 0);
  const { received, originated, forwarded, held } = summary;
  expect(received + originated, JSON.stringify(summary)).toBe(forwarded + dropped + held);
  expect(held).toBe(0);
}
