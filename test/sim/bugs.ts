/**
 * Mistakes planted on purpose, one at a time, to see that the simulation finds them. They are made from
 * outside: by other functions of the store, another session, another order of operators, a patched
 * prototype. The product has no switch for them.
 */
import { InFlight } from '../../src/state/in-flight.ts';
import { drop } from '../../src/streams/verdict.ts';
import { landWrites, type StagedWrite } from './columns.ts';
import { type Answer, Link } from './link.ts';
import type { StoreKind } from './plan.ts';
import { serverFunctions } from './servers/functions.ts';
import type { Keyspace } from './servers/keyspace.ts';
import { ServerNode } from './servers/node.ts';
import { type Batched, SimSession } from './session.ts';
import { StoreCluster } from './store-cluster.ts';
import { StoreFunctions, type TableShape, type Value, type WriteCall } from './store-functions.ts';

export interface Bug {
  readonly what: string;
  /** Of the store that it is planted in; `answers` if absent. */
  readonly kind?: StoreKind;
  readonly functions?: new () => StoreFunctions;
  readonly session?: typeof SimSession;
  readonly editsFirst?: boolean;
  /** Of numbers of fenced lessees. */
  readonly fencedGraceMilliseconds?: number;
  /** Changes the product for the length of a run; returns what undoes it. */
  readonly patch?: () => () => void;
}

/** Replaces a method for the length of a run. */
function replaced<T extends object, K extends keyof T>(
  target: T,
  name: K,
  make: (original: T[K]) => T[K],
): () => () => void {
  return () => {
    const original = target[name];
    target[name] = make(original);
    return () => {
      target[name] = original;
    };
  };
}

/** The server forgets a writer's last call. */
function forget(db: Keyspace, keys: readonly string[], writer: string): void {
  for (const tag of new Set(keys.map((key) => key.slice(0, 4)))) db.deleteField(`${tag}+`, writer);
}

class BlindWrite extends StoreFunctions {
  protected override blocks(): boolean {
    return false;
  }
  protected override stands(): boolean {
    return true;
  }
}

class NoVersionCheck extends StoreFunctions {
  protected override stands(old: Value | undefined, _call: WriteCall): boolean {
    return old !== undefined;
  }
}

class EarlyTimer extends StoreFunctions {
  protected override isOver(table: TableShape, value: Value, now: number): boolean {
    const idle = table.idleMilliseconds[value.timer & 3] ?? 0;
    return super.isOver(table, value, now + idle / 2);
  }
}

class LeaseReturnedLive extends StoreFunctions {
  override unused(_table: TableShape, keys: readonly string[]): number[] {
    return [...keys.keys()];
  }
}

class ForgottenAnswers extends StoreFunctions {
  override once<T>(_writer: number, _sequence: number, _answered: number, run: () => T): T {
    return run();
  }
}

const full = drop('table-full');

class ReleaseBeforeAcknowledgement extends SimSession {
  protected override perform(
    ...[table, register, writes, batched]: Parameters<SimSession['perform']>
  ): void {
    const sent: readonly StagedWrite[] = writes;
    landWrites(
      batched.batch,
      register,
      full,
      sent,
      sent.map(() => ({ won: true })),
    );
    batched.finished = true;
    const nobody: Batched = { ...batched, lease: -1 };
    super.perform(table, register, writes, nobody);
  }
}

class ReleaseOnUnreplicatedRead extends SimSession {
  protected override commitReads(...[, , , done]: Parameters<SimSession['commitReads']>): void {
    done(true);
  }
}

class UnprovedChange extends SimSession {
  override changeCommitted<T>(
    ...[run, done]: Parameters<typeof SimSession.prototype.changeCommitted<T>>
  ): void {
    this.change(run, (answer: Answer<T> | undefined) => done(answer?.value));
  }
}

export const bugs: Readonly<Record<string, Bug>> = {
  'skip-in-flight': {
    what: 'a batch does not wait for an earlier batch that writes its keys',
    patch() {
      const { bringUpToDate } = InFlight.prototype;
      InFlight.prototype.bringUpToDate = () => true;
      return () => {
        InFlight.prototype.bringUpToDate = bringUpToDate;
      };
    },
  },
  'blind-write': { what: 'the store writes whatever is there', functions: BlindWrite },
  'release-before-ack': {
    what: 'a batch goes on when its writes are sent',
    session: ReleaseBeforeAcknowledgement,
  },
  'release-on-unreplicated-read': {
    what: 'a batch goes on with what it read, replicated or not',
    session: ReleaseOnUnreplicatedRead,
  },
  'no-version-check': {
    what: 'the store swaps and removes whatever version is there',
    functions: NoVersionCheck,
  },
  'early-timer': { what: 'records are claimed half an idle life early', functions: EarlyTimer },
  'lease-returned-live': {
    what: 'a fenced lessee’s numbers go back, with a live record or without',
    functions: LeaseReturnedLive,
  },
  'edit-before-decide': {
    what: 'edits are applied before the write that they depend on has settled',
    editsFirst: true,
  },
  'forgotten-answers': {
    what: 'the store does not keep what it answered, so a retry is judged by what is there now',
    functions: ForgottenAnswers,
  },
  'unproved-change': {
    what: 'claims, removals and leases are acted on before they are replicated',
    session: UnprovedChange,
  },
  'timeout-as-proof': {
    what: 'what the replica has not confirmed in time, or before a failover, counts as replicated',
    patch() {
      const { prove } = StoreCluster.prototype;
      StoreCluster.prototype.prove = function (within, done) {
        prove.call(this, within, () => done(true));
      };
      return () => {
        StoreCluster.prototype.prove = prove;
      };
    },
  },
  'forgotten-calls': {
    what: 'what a node knows of the writers’ calls does not move with the records',
    kind: 'servers',
    patch: replaced(
      ServerNode.prototype,
      'migrate',
      (migrate) =>
        function (this: ServerNode, key, to) {
          return key.endsWith('}+') ? this.keys.delete(key) : migrate.call(this, key, to);
        },
    ),
  },
  'stale-slot-map': {
    what: 'a node goes on to serve the keys that it has given to another',
    kind: 'servers',
    patch: replaced(
      ServerNode.prototype,
      'refuse',
      (refuse) =>
        function (this: ServerNode, db, keys, asking) {
          const refusal = refuse.call(this, db, keys, asking);
          return refusal?.why === 'MOVED' ? undefined : refusal;
        },
    ),
  },
  'late-copies': {
    what: 'an addition older than the last one is taken for a new one, and comes late on a connection that its client has given up',
    kind: 'servers',
    patch() {
      const uncut = replaced(
        Link.prototype as unknown as { cut(): void },
        'cut',
        () => () => undefined,
      )();
      const uncompared = replaced(serverFunctions, 'rxnf1_add', (add) => (db, keys, args, now) => {
        const writer = `${args[5]}a`;
        const sequence = Number(Buffer.from(args[7] as string, 'latin1').readBigUInt64LE(0));
        const last = db.field(`${keys[0]?.slice(0, 4)}+`, writer);
        if (Number(last ?? -1) >= sequence + args.length - 7) forget(db, keys, writer);
        return add(db, keys, args, now);
      })();
      return () => {
        uncompared();
        uncut();
      };
    },
  },
  'uncounted-calls': {
    what: 'a server performs whatever comes, be it a writer’s last call once more or an older one',
    kind: 'servers',
    patch: replaced(serverFunctions, 'rxnf1_write', (write) => (db, keys, args, now) => {
      forget(db, keys, args[5] as string);
      return write(db, keys, args, now);
    }),
  },
  'late-deadline': {
    what: 'a deadline whose record is not here is taken for one without a record, while the slot moves',
    kind: 'servers',
    patch: replaced(serverFunctions, 'rxnf1_claim', (claim) => (db, keys, args, now) => {
      const [due] = keys as [string];
      const prefix = `${due.slice(0, -1)}/`;
      const replies = claim(db, keys, args, now);
      for (const key of db.upTo(due, now, 64)) if (!db.has(prefix + key)) db.deleteScore(due, key);
      return replies;
    }),
  },
  'audit-without-grace': {
    what: 'numbers without a record go back at their first sight',
    fencedGraceMilliseconds: 0,
  },
};
