import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { viewOf } from '../../src/wire/bytes.ts';
import * as checksum from '../../src/wire/checksum.ts';
import { u16, u32 } from './arbitraries.ts';

describe('the Internet checksum', () => {
  it("is RFC 1071 section 3's example", () => {
    const view = viewOf(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7));
    expect(checksum.sum(view, 0, 8)).toBe(0x2ddf0);
    expect(checksum.finish(checksum.sum(view, 0, 8))).toBe(0x220d);
  });

  it('pads an odd last byte with zero', () => {
    const odd = viewOf(Uint8Array.of(0x12, 0x34, 0x56));
    const even = viewOf(Uint8Array.of(0x12, 0x34, 0x56, 0x00));
    expect(checksum.sum(odd, 0, 3)).toBe(checksum.sum(even, 0, 4));
  });

  it('folds the largest packet of the largest words', () => {
    const bytes = new Uint8Array(65_535).fill(0xff);
    const total = checksum.sum(viewOf(bytes), 0, bytes.length, 0xffff * 20);
    expect(total).toBeLessThan(2 ** 32);
    // 32,767 words of 0xffff, each of which is zero in ones' complement, and 0xff00.
    expect(checksum.finish(total)).toBe(0x00ff);
  });

  it('has pseudo-headers that equal their bytes', () => {
    fc.assert(
      fc.property(u32, u32, u16, (source, destination, length) => {
        const view = viewOf(new Uint8Array(12));
        view.setUint32(0, source);
        view.setUint32(4, destination);
        view.setUint8(9, 17);
        view.setUint16(10, length);
        const wanted = checksum.finish(checksum.sum(view, 0, 12));
        const total = checksum.pseudoHeader4(source, destination, 17, length);
        expect(checksum.finish(total)).toBe(wanted);
      }),
    );
    const bytes = new Uint8Array(40).map((_, index) => index * 5);
    bytes.set([0, 1, 2, 3, 0, 0, 0, 58], 32);
    const wanted = checksum.sum(viewOf(bytes), 0, 40);
    expect(checksum.pseudoHeader6(viewOf(bytes), 0, 58, 0x10203)).toBe(wanted);
  });
});

describe('an incremental update', () => {
  /** Words that make carries, borrows and the two zeros likely. */
  const word = fc.oneof(u16, fc.constantFrom(0, 1, 0xfffe, 0xffff));
  const words = fc.array(word, { minLength: 3, maxLength: 8 });
  const viewOfWords = (list: readonly number[]) => {
    const view = viewOf(new Uint8Array(list.length * 2));
    list.forEach((value, index) => {
      view.setUint16(index * 2, value);
    });
    return view;
  };
  const full = (list: readonly number[]) =>
    checksum.finish(checksum.sum(viewOfWords(list), 0, list.length * 2));
  const isZero = (list: readonly number[]) => list.every((value) => value === 0);

  it('of 16 bits equals a recomputation', () => {
    fc.assert(
      fc.property(words, word, (before, value) => {
        const after = [value, ...before.slice(1)];
        fc.pre(!isZero(before) && !isZero(after));
        expect(checksum.update16(full(before), before[0] as number, value)).toBe(full(after));
      }),
      { numRuns: 2000 },
    );
  });

  it('of 32 bits equals a recomputation', () => {
    fc.assert(
      fc.property(words, word, word, (before, high, low) => {
        const after = [high, low, ...before.slice(2)];
        fc.pre(!isZero(before) && !isZero(after));
        const view = viewOfWords(before);
        const value = viewOfWords(after).getUint32(0);
        expect(checksum.update32(full(before), view.getUint32(0), value)).toBe(full(after));
      }),
      { numRuns: 2000 },
    );
  });

  it("is right where RFC 1624 section 4 shows RFC 1141's to be wrong", () => {
    // HC = 0xdd2f, m = 0x5555, m' = 0x3285: 0x0000, not 0xffff.
    expect(checksum.update16(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
  });

  it('gives 0 where bytes turn all zero, and a recomputation 0xffff: the one exception', () => {
    expect(checksum.update16(full([0, 1, 0]), 1, 0)).toBe(0x0000);
    expect(full([0, 0, 0])).toBe(0xffff);
  });

  it('of UDP leaves "no checksum" alone and never makes one', () => {
    fc.assert(
      fc.property(words, word, (before, value) => {
        const after = [value, ...before.slice(1)];
        fc.pre(!isZero(before) && !isZero(after));
        const sent = full(before) || 0xffff;
        const wanted = full(after) || 0xffff;
        expect(checksum.updateUdp16(sent, before[0] as number, value)).toBe(wanted);
      }),
      { numRuns: 2000 },
    );
    expect(checksum.updateUdp16(0, 1, 2)).toBe(0);
    expect(checksum.updateUdp32(0, 1, 2)).toBe(0);
    expect(checksum.updateUdp16(0xdd2f, 0x5555, 0x3285)).toBe(0xffff);
    expect(checksum.updateUdp32(0xdd2f, 0x5555, 0x3285)).toBe(0xffff);
  });
});
