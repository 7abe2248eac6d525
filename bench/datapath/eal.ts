/** What every contender gets from EAL: the same memory, ports and core. */
import { readFileSync } from 'node:fs';
import { devices } from './world.ts';

/**
 * Bytes of a packet buffer with 128 of headroom: a whole Ethernet frame fits, and the buffers of a
 * million looped frames stay below the 2 GiB that a port's pool may span.
 */
export const BUFFER_ROOM = 1664;
/** Buffers besides those that the looped capture keeps, one for each of its frames. */
export const SPARE_BUFFERS = 16_384;
/** As large as DPDK allows, and as rxnf has it; testpmd's own default is half of it. */
export const BUFFER_CACHE = 512;

const MEBIBYTE = 1_048_576;
const MEBIBYTES_PER_HUGEPAGE = 2;

/** MiB of packet buffers and tables for a run with so many frames and mappings, in any contender. */
export function memoryNeeded(frames: number, mappings: number): number {
  const buffer = BUFFER_ROOM + 192; // the mbuf's header and the mempool's
  const mapping = 384; // every table's share, in the roomiest of the contenders
  const fixed = 192; // routes, free ports, rings
  return fixed + Math.ceil(((frames + SPARE_BUFFERS) * buffer + mappings * mapping) / MEBIBYTE);
}

export function hugepagesNeeded(mebibytes: number): number {
  return Math.ceil(mebibytes / MEBIBYTES_PER_HUGEPAGE);
}

export function freeHugepages(): number {
  const found = /HugePages_Free:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'));
  return Number(found?.[1] ?? 0);
}

/** Where the run's memory comes from: 2 MiB pages, or without them ordinary ones (slower). */
export function memoryArguments(mebibytes: number): string[] {
  const huge = freeHugepages() >= hugepagesNeeded(mebibytes);
  return huge ? ['--in-memory'] : ['--no-huge', '-m', String(mebibytes)];
}

/** Each on all of those cores. testpmd needs two lcores; its first only waits for commands. */
export function coreArguments(cores: readonly number[], lcores = 1): string[] {
  const list = Array.from({ length: lcores }, (_, lcore) => `${lcore}@(${cores.join(',')})`);
  return ['--no-pci', '--no-telemetry', '--log-level=error', `--lcores=${list.join(',')}`];
}

export function deviceArguments(captures: readonly string[]): string[] {
  return [`--vdev=${devices.inside(...captures)}`, `--vdev=${devices.outside}`];
}
