/**
 * One store session per lane and store: every operator of a lane that names a store meets the same
 * one. Soft state (`scope: 'local'`) is always kept in memory.
 */
import type { Lane } from '../streams/lane.ts';
import { memoryStore } from './memory-store.ts';
import type { Store, StoreSession } from './store.ts';
import type { Table } from './table.ts';

interface LaneSessions {
  readonly shared: StoreSession;
  readonly local: StoreSession;
}

const sessions = new WeakMap<Lane, LaneSessions>();

/** Opens a lane's sessions. Once per lane, before its first batch. */
export function openSessions(lane: Lane, store: Store): void {
  if (sessions.has(lane)) throw new Error('this lane has its store sessions already');
  const shared = store.open(lane);
  const local = memoryStore({ name: `lane-${lane.id}`, seed: 1 }).open(lane);
  sessions.set(lane, { shared, local });
}

export function sessionOf(lane: Lane, table: Table): StoreSession {
  const both = sessions.get(lane);
  if (!both) throw new Error('this lane has no store: call openSessions first');
  return table.scope === 'local' ? both.local : both.shared;
}
