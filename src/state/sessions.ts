/**
 * One store session per lane and store: every operator of a lane that names a store meets the same
 * one. Soft state (`scope: 'local'`) is always kept in memory.
 */
import type { Lane } from '../streams/lane.ts';
import { memoryStore } from './memory-store.ts';
import type { Store, StoreSession, TableSession } from './store.ts';
import type { Table } from './table.ts';

interface LaneSessions {
  readonly shared: StoreSession;
  readonly local: TableSession;
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
  const { local, shared } = sessionsOf(lane);
  return table.scope === 'local' ? local : shared;
}

/** The session of a table that lies in this machine's memory; undefined for one that does not. */
export function tableSessionOf(lane: Lane, table: Table): TableSession | undefined {
  const session = sessionOf(lane, table);
  return isTableSession(session) ? session : undefined;
}

/** The session of soft state. */
export function localSessionOf(lane: Lane): TableSession {
  return sessionsOf(lane).local;
}

function isTableSession(session: StoreSession): session is TableSession {
  return session.synchronous;
}

function sessionsOf(lane: Lane): LaneSessions {
  const both = sessions.get(lane);
  if (!both) throw new Error('this lane has no store: call openSessions first');
  return both;
}
