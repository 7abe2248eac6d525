import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyIndex } from '../../src/state/key-index.ts';

describe('a key index', () => {
  it('agrees with a map, whatever comes and goes', () => {
    const step = fc.record({
      n: fc.integer({ min: 0, max: 30 }),
      word: fc.nat(3),
      add: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const index = new KeyIndex(16);
        const model = new Map<string, number>();
        const view = new DataView(new ArrayBuffer(24));
        for (const { n, word, add } of steps) {
          for (let i = 0; i < 4; i++) view.setUint32(8 + i * 4, i === word ? n : 0);
          const name = n === 0 ? '0' : `${word} ${n}`;
          const known = model.get(name) ?? -1;
          expect(index.find(view, 8)).toBe(known);
          if (add && known < 0 && !index.full) {
            const number = index.add(view, 8);
            expect([...model.values()]).not.toContain(number);
            model.set(name, number);
          } else if (!add && known >= 0) {
            index.remove(known);
            model.delete(name);
          }
          expect(index.full).toBe(model.size === 16);
          expect([...index.live].sort()).toEqual([...model.values()].sort());
        }
      }),
    );
  });
});
