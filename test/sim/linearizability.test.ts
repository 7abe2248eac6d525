import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  findViolation,
  type Outcome,
  type Recorded,
  type RegisterOperation,
  type Version,
} from './linearizability.ts';

const never = Number.POSITIVE_INFINITY;
const won: Outcome = { is: 'won' };
const unknown: Outcome = { is: 'unknown' };
const lost = (to: Version): Outcome => ({ is: 'lost', to });
const get = (saw: Version): RegisterOperation => ({ kind: 'get', saw });
const insert = (version: string, outcome: Outcome): RegisterOperation => ({
  kind: 'insert',
  version,
  outcome,
});
const swap = (expected: string, version: string, outcome: Outcome): RegisterOperation => ({
  kind: 'swap',
  expected,
  version,
  outcome,
});
const remove = (expected: string, outcome: Outcome): RegisterOperation => ({
  kind: 'remove',
  expected,
  outcome,
});
const at = (called: number, returned: number, operation: RegisterOperation): Recorded => ({
  client: 'any',
  called,
  returned,
  operation,
});

describe('histories that some order explains', () => {
  it.each<[string, Recorded[]]>([
    ['nothing', []],
    [
      'one after another',
      [at(0, 1, get(undefined)), at(2, 3, insert('a', won)), at(4, 5, get('a'))],
    ],
    [
      'a read that overlaps a write, before it',
      [at(0, 9, insert('a', won)), at(1, 2, get(undefined))],
    ],
    ['a read that overlaps a write, after it', [at(0, 9, insert('a', won)), at(1, 2, get('a'))]],
    ['two creates at once', [at(0, 9, insert('a', won)), at(0, 9, insert('b', lost('a')))]],
    [
      'a lost write whose winner has been replaced since',
      [
        at(0, 1, insert('a', won)),
        at(2, 9, swap('a', 'b', won)),
        at(2, 9, swap('b', 'c', won)),
        at(2, 9, swap('a', 'd', lost('c'))),
      ],
    ],
    [
      'an unknown write that is seen later',
      [at(0, never, insert('a', unknown)), at(5, 6, get('a'))],
    ],
    [
      'an unknown write that is never seen',
      [at(0, never, insert('a', unknown)), at(5, 6, get(undefined))],
    ],
    [
      'an unknown write that takes effect late',
      [at(0, never, insert('a', unknown)), at(5, 6, get(undefined)), at(7, 8, get('a'))],
    ],
    ['the removal of what has gone', [at(0, 1, remove('a', won)), at(2, 3, get(undefined))]],
  ])('%s', (_, history) => {
    expect(findViolation(history)).toBeUndefined();
  });
});

describe('histories that none explains', () => {
  it.each<[string, Recorded[]]>([
    ['a read of what nobody wrote', [at(0, 1, get('a'))]],
    ['a write forgotten', [at(0, 1, insert('a', won)), at(2, 3, get(undefined))]],
    ['two creates that both won', [at(0, 9, insert('a', won)), at(0, 9, insert('b', won))]],
    [
      'two swaps of one version that both won',
      [at(0, 1, insert('a', won)), at(2, 9, swap('a', 'b', won)), at(2, 9, swap('a', 'c', won))],
    ],
    [
      'news, then old news',
      [
        at(0, 1, insert('a', won)),
        at(2, 9, swap('a', 'b', won)),
        at(3, 4, get('b')),
        at(5, 6, get('a')),
      ],
    ],
    [
      'a swap that lost to the version that it expected',
      [at(0, 1, insert('a', won)), at(2, 3, swap('a', 'b', lost('a')))],
    ],
    [
      'an unknown write that is seen and then was not',
      [at(0, never, insert('a', unknown)), at(5, 6, get('a')), at(7, 8, get(undefined))],
    ],
    [
      'a record that came back',
      [at(0, 1, insert('a', won)), at(2, 3, remove('a', won)), at(4, 5, get('a'))],
    ],
  ])('%s', (_, history) => {
    expect(findViolation(history)).toBeDefined();
  });

  it('are told from those before the first that cannot be', () => {
    const good = [at(0, 1, insert('a', won)), at(2, 3, get('a'))];
    const bad = at(4, 5, get(undefined));
    expect(findViolation([...good, bad, at(9, 10, get('a'))])).toEqual([...good, bad]);
  });
});

/** Runs clients against a register in a random order, with random overlaps. */
const runs = fc.array(
  fc.record({
    kind: fc.constantFrom('get', 'insert', 'swap', 'remove'),
    early: fc.integer({ min: 0, max: 30 }),
    late: fc.integer({ min: 0, max: 30 }),
    heard: fc.integer({ min: 0, max: 9 }),
    stale: fc.boolean(),
  }),
  { minLength: 1, maxLength: 60 },
);

function simulate(steps: readonly Step[]): Recorded[] {
  let state: Version;
  let last = 'none';
  return steps.map(({ kind, early, late, heard, stale }, i): Recorded => {
    const point = (i + 1) * 10;
    const version = `v${i}`;
    const expected = stale ? last : (state ?? 'none');
    const before = state;
    const applies =
      kind === 'insert' ? !before : before === expected || (kind === 'remove' && !before);
    const told: Outcome = applies ? won : lost(before);
    const outcome = heard === 0 && kind !== 'get' ? unknown : told;
    if (kind !== 'get' && applies) {
      if (before) last = before;
      state = kind === 'remove' ? undefined : version;
    }
    const returned = outcome.is === 'unknown' ? never : point + late;
    const operation =
      kind === 'get'
        ? get(before)
        : kind === 'insert'
          ? insert(version, outcome)
          : kind === 'swap'
            ? swap(expected, version, outcome)
            : remove(expected, outcome);
    return at(point - early, returned, operation);
  });
}

interface Step {
  readonly kind: string;
  readonly early: number;
  readonly late: number;
  readonly heard: number;
  readonly stale: boolean;
}

describe('random histories', () => {
  it('of a register are explained', () => {
    fc.assert(
      fc.property(runs, (steps) => {
        expect(findViolation(simulate(steps))).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  it('are not explained once a read sees what was never there', () => {
    fc.assert(
      fc.property(runs, fc.nat(), (steps, where) => {
        const history = simulate(steps);
        const spoilt = where % history.length;
        history[spoilt] = at(
          history[spoilt].called,
          history[spoilt].returned === never
            ? history[spoilt].called + 1
            : history[spoilt].returned,
          get('nobody'),
        );
        expect(findViolation(history)).toBeDefined();
      }),
      { numRuns: 200 },
    );
  });
});
