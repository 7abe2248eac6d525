import { alias, record, table, u8 } from 'rxnf';
import { describe, expect, it } from 'vitest';

const schema = record('r', 1, { a: u8 });

describe('a table', () => {
  it('takes one idle life, or one for each of four timer classes', () => {
    expect(table('t', schema, { capacity: 1 }).idleMilliseconds).toEqual([0]);
    expect(table('t', schema, { capacity: 1, idleSeconds: 1.5 }).idleMilliseconds).toEqual([1500]);
    const four = table('t', schema, { capacity: 1, idleSeconds: [1, 0, 3, 4] });
    expect(four.idleMilliseconds).toEqual([1000, 0, 3000, 4000]);
  });

  it.each([
    [{ capacity: 1, idleSeconds: [1, 2, 3, 4, 5] }, /more than four timer classes/],
    [{ capacity: 1, idleSeconds: -1 }, /idleSeconds -1/],
    [{ capacity: 1, idleSeconds: Number.NaN }, /idleSeconds NaN/],
    [{ capacity: 1, idleSeconds: 2 ** 31 / 2000 }, /is not between/],
    [{ capacity: 0 }, /capacity 0 is not 1 to 2/],
    [{ capacity: -4 }, /capacity -4/],
    [{ capacity: Number.NaN }, /capacity NaN/],
    [{ capacity: 1.5 }, /capacity 1.5/],
  ])('refuses %j', (options, message) => {
    expect(() => table('t', schema, options)).toThrow(message);
  });

  it('is shared among instances unless it says otherwise', () => {
    expect(table('t', schema, { capacity: 1 }).scope).toBe('shared');
    expect(table('t', schema, { capacity: 1, scope: 'local' }).scope).toBe('local');
  });

  it('has an alias that is the same in the store, under another field', () => {
    const original = table('t', schema, { capacity: 7 });
    expect(alias(original, 'other')).toEqual({ ...original, name: 'other', storage: 't' });
  });

  it.each(['source', 'length', 'row', 'batch', 'u8', 'constructor', 'setSource'])(
    'is not named %s, as a member of packets is',
    (name) => {
      expect(() => table(name, schema, { capacity: 1 })).toThrow(/cannot be named/);
      const original = table('t', schema, { capacity: 1 });
      expect(() => alias(original, name)).toThrow(/cannot be named/);
    },
  );
});
