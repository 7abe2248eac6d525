/**
 * Mistakes planted on purpose, one at a time, to see that the simulation finds them. They are made from
 * outside: by other functions of the store, another session, another order of operators, a patched
 * prototype. The product has no switch for them.
 */
import { InFlight } from '../../src/state/in-flight.ts';
import { drop } from '../../src/streams/verdict.ts';
import { landWrites, type StagedWrite } from './columns.ts';
import type { Answer } from './link.ts';
import { type Batched, SimSession } from './session.ts';
import { StoreCluster } from './store-cluster.ts';
import { StoreFunctions, type TableShape, type Value, type WriteCall } from './store-functions.ts';

export interface Bug {
  readonly what: string;
  readonly functions?: new () => StoreFunctions;
  readonly session?: typeof SimSession;
  readonly editsFirst?: boolean;
  /** Of numbers of fenced lessees. */
  readonly fencedGraceMilliseconds?: number;
  /** Changes the product for the length of a run; returns what undoes it. */
  readonly patch?: () => () => void;
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
  'audit-without-grace': {
    what: 'numbers without a record go back at their first sight',
    fencedGraceMilliseconds: 0,
  },
};
