/** Hugepages for the length of a benchmark. */
import { readFileSync, writeFileSync } from 'node:fs';
import { freeHugepages } from './eal.ts';

const SETTING = '/proc/sys/vm/nr_hugepages';

/**
 * Sees to it that so many 2 MiB pages are free, where we may. Calling what it returns, or the end of
 * the process, takes the setting back to what it was.
 */
export function reserveHugepages(pages: number): () => void {
  const before = Number(readFileSync(SETTING, 'utf8'));
  const lacking = pages - freeHugepages();
  if (lacking <= 0 || process.getuid?.() !== 0) return () => undefined;
  let reserved = true;
  const restore = () => {
    if (reserved) writeFileSync(SETTING, String(before));
    reserved = false;
  };
  // Memory that is in pieces may give fewer: what there is decides where a run takes its memory from.
  writeFileSync(SETTING, String(before + lacking));
  process.once('exit', restore);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => process.exit(128 + (signal === 'SIGINT' ? 2 : 15)));
  }
  return restore;
}
