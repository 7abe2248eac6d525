/**
 * What every header codec must do, run against any of them: they have one shape, so one suite.
 * Headers are written at an odd offset into bytes prefilled with 0xa5, so that a byte which the
 * codec forgets, or one which it writes beyond its header, shows.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex, viewOf } from '../../src/wire/bytes.ts';
import type { Malformed } from '../../src/wire/malformed.ts';

const BEFORE = 3;
const AFTER = 5;
const FILL = 0xa5;

type Value = number | boolean | Uint8Array;

/** A codec seen by name: fields are getters, `setField` its setters. */
type Codec = Record<string, unknown> & {
  check(view: DataView, offset: number, end: number): Malformed | undefined;
};

export interface CodecCase<Fields> {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: a module namespace, whose functions differ in types
  readonly codec: any;
  /** A header and what follows it, as it is on the wire. */
  readonly hex: string;
  /** What the header says, enough to write it. */
  readonly fields: Fields;
  /** What getters give besides; fields that have no getter are named in `unread`. */
  readonly also?: Readonly<Record<string, Value>>;
  readonly unread?: readonly (keyof Fields)[];
  /** What `check` says of the first `length` bytes, fewer than all. */
  readonly whenCut: (length: number) => Malformed | undefined;
  /** Other headers: what is written is what is read. */
  readonly arbitrary: fc.Arbitrary<Fields>;
}

export function testCodec<Fields extends object>(cases: CodecCase<Fields>): void {
  const codec = cases.codec as Codec;
  const known = fromHex(cases.hex) as Uint8Array;
  const get = (name: string, view: DataView, offset: number) =>
    (codec[name] as (view: DataView, offset: number) => Value)(view, offset);
  const write = (view: DataView, offset: number, fields: Fields) =>
    (codec['write'] as (view: DataView, offset: number, fields: Fields) => number)(
      view,
      offset,
      fields,
    );
  const isRead = (name: string) => !cases.unread?.includes(name as keyof Fields);

  describe(cases.name, () => {
    it('writes the known bytes, every one of them and no other', () => {
      const buffer = new Uint8Array(BEFORE + known.length + AFTER).fill(FILL);
      const length = write(viewOf(buffer), BEFORE, cases.fields);
      expect(toHex(buffer.subarray(BEFORE, BEFORE + length))).toBe(
        toHex(known.subarray(0, length)),
      );
      expect(buffer.subarray(0, BEFORE).every((byte) => byte === FILL)).toBe(true);
      expect(buffer.subarray(BEFORE + length).every((byte) => byte === FILL)).toBe(true);
    });

    it('reads the known bytes', () => {
      const view = viewOf(placed(known));
      expect(codec.check(view, BEFORE, BEFORE + known.length)).toBeUndefined();
      for (const [name, value] of Object.entries({ ...cases.fields, ...cases.also })) {
        if (isRead(name)) expect([name, get(name, view, BEFORE)]).toEqual([name, value]);
      }
    });

    it('names what is wrong with every truncation, reading nothing beyond it', () => {
      for (let length = 0; length < known.length; length++) {
        // The view ends with the bytes: a read beyond them throws.
        const view = viewOf(
          placed(known.subarray(0, length))
            .subarray(0, BEFORE + length)
            .slice(),
        );
        expect([length, codec.check(view, BEFORE, BEFORE + length)]).toEqual([
          length,
          cases.whenCut(length),
        ]);
      }
    });

    it('has setters that change their own field and no other', () => {
      // What has no setter follows from what has, and may change with it.
      const all = { ...cases.fields, ...cases.also };
      const names = Object.keys(all).filter((name) => isRead(name) && codec[setterOf(name)]);
      expect(names.length).toBeGreaterThan(0);
      for (const name of names) {
        const view = viewOf(placed(known));
        const before = names.map((other) => get(other, view, BEFORE));
        const changed = otherThan(get(name, view, BEFORE));
        const set = codec[setterOf(name)] as (view: DataView, offset: number, to: Value) => void;
        set(view, BEFORE, changed);
        const after = names.map((other) => get(other, view, BEFORE));
        const expected = names.map((other, index) => (other === name ? changed : before[index]));
        expect([name, after]).toEqual([name, expected]);
      }
    });

    it('reads whatever it writes', () => {
      fc.assert(
        fc.property(cases.arbitrary, (fields) => {
          const view = viewOf(new Uint8Array(BEFORE + 128).fill(FILL));
          write(view, BEFORE, fields);
          for (const [name, value] of Object.entries(fields)) {
            if (isRead(name)) expect([name, get(name, view, BEFORE)]).toEqual([name, value]);
          }
        }),
      );
    });
  });
}

function placed(bytes: Uint8Array): Uint8Array {
  const buffer = new Uint8Array(BEFORE + bytes.length + AFTER).fill(FILL);
  buffer.set(bytes, BEFORE);
  return buffer;
}

function setterOf(name: string): string {
  return `set${name[0]?.toUpperCase()}${name.slice(1)}`;
}

/** A value that fits the same field: its lowest bit flipped, save in fragment offsets' multiples of 8. */
function otherThan(value: Value): Value {
  if (typeof value === 'boolean') return !value;
  if (value instanceof Uint8Array) return value.map((byte) => byte ^ 1);
  return value % 8 === 0 ? value + 8 : value - 1;
}
