/** Histories of many keys, as clients in any thread or process record them, and their check. */
import { findViolation, type Recorded, type RegisterOperation } from '../../sim/linearizability.ts';

/** Plain data, so that it can be sent from thread to thread and written as JSON. */
export interface Step {
  readonly key: number;
  readonly client: number;
  /** On one clock of the machine. */
  readonly called: number;
  /** Undefined: its outcome was never known. */
  readonly returned: number | undefined;
  readonly operation: RegisterOperation;
}

/** A sentence about the first key whose history no order explains. */
export function checkHistory(steps: readonly Step[]): string | undefined {
  const keys = new Map<number, Recorded[]>();
  for (const { key, client, called, returned = Number.POSITIVE_INFINITY, operation } of steps) {
    const list = keys.get(key) ?? [];
    list.push({ client: String(client), called, returned, operation });
    keys.set(key, list);
  }
  for (const [key, history] of keys) {
    const found = findViolation(history);
    if (found)
      return `no order explains what happened to key ${key}: ${JSON.stringify(found.slice(-8))}`;
  }
  return undefined;
}
