/** Records what clients of a table asked and were told, key by key, for the linearizability checker. */
import type { Table } from '../../src/state/table.ts';
import { findViolation, type Outcome, type Recorded, type Version } from './linearizability.ts';
import type { Value, WriteAnswer, WriteCall } from './store-functions.ts';
import type { World } from './world.ts';

const never = Number.POSITIVE_INFINITY;

export class HistoryRecorder {
  private readonly world: World;
  private readonly table: string;
  private readonly keys = new Map<string, Recorded[]>();

  /** @param table name in the store of the one that is recorded: its records do not expire */
  constructor(world: World, table: string) {
    this.world = world;
    this.table = table;
  }

  /** Reads that are never ended tell nothing. */
  beginReads(table: Table, keys: readonly string[]) {
    if (table.storage !== this.table) return undefined;
    const called = this.world.now;
    return {
      end: (values: readonly (Value | undefined)[]) => {
        keys.forEach((key, i) => {
          const operation = { kind: 'get', saw: nameOf(values[i]?.version) } as const;
          this.of(key).push({ client: '', called, returned: this.world.now, operation });
        });
      },
    };
  }

  /** Writes that are never ended may stand or not. */
  beginWrites(table: Table, calls: readonly WriteCall[]) {
    if (table.storage !== this.table) return undefined;
    const called = this.world.now;
    const ended = calls.map((call) => {
      const list = this.of(call.key);
      list.push(recorded(call, called, never, { is: 'unknown' }));
      return { call, list, at: list.length - 1 };
    });
    return {
      end: (answers: readonly (WriteAnswer | undefined)[]) => {
        ended.forEach(({ call, list, at }, i) => {
          const answer = answers[i];
          if (answer) list[at] = recorded(call, called, this.world.now, outcomeOf(answer));
        });
      },
    };
  }

  private of(key: string): Recorded[] {
    let list = this.keys.get(key);
    if (!list) {
      list = [];
      this.keys.set(key, list);
    }
    return list;
  }

  /** A sentence about the first key whose history no order explains. */
  violation(): string | undefined {
    for (const history of this.keys.values()) {
      const found = findViolation(history);
      if (found) return `no order explains these operations on one key:\n${describe(found)}`;
    }
    return undefined;
  }
}

function recorded(call: WriteCall, called: number, returned: number, outcome: Outcome): Recorded {
  const expected = nameOf(call.expected) as string;
  const version = nameOf(call.version) as string;
  const operation =
    call.kind === 'insert'
      ? ({ kind: 'insert', version, outcome } as const)
      : call.kind === 'swap'
        ? ({ kind: 'swap', expected, version, outcome } as const)
        : ({ kind: 'remove', expected, outcome } as const);
  return { client: `${call.version >> 40n}`, called, returned, operation };
}

function outcomeOf(answer: WriteAnswer): Outcome {
  if (answer.won) return { is: 'won' };
  return answer.full ? { is: 'full' } : { is: 'lost', to: nameOf(answer.winner?.version) };
}

/** `3.17`: the 17th write of writer 3. */
function nameOf(version: bigint | undefined): Version {
  return version === undefined ? undefined : `${version >> 40n}.${(version & 0xffffffffffn) >> 1n}`;
}

/** The last operations before a violation, one a line. */
function describe(history: readonly Recorded[]): string {
  return history
    .slice(-12)
    .map(
      ({ called, returned, operation }) =>
        `    ${called.toFixed(3)} to ${returned.toFixed(3)} ms: ${JSON.stringify(operation)}`,
    )
    .join('\n');
}
