import { bytes, bytesUpTo, count, ipv4, port, record, u8, u16, u32 } from 'rxnf';
import { describe, expect, it } from 'vitest';

describe('a record', () => {
  it('lays each field on its natural alignment, in order, and rounds up to 8 bytes', () => {
    const { offsets, size } = record('r', 1, {
      a: u8,
      b: u16,
      c: u8,
      d: u32,
      e: count,
      f: bytes(3),
      g: port,
      h: ipv4,
    });
    expect(offsets).toEqual({ a: 0, b: 2, c: 4, d: 8, e: 16, f: 24, g: 28, h: 32 });
    expect(size).toBe(40);
    expect(record('small', 1, { a: u8 }).size).toBe(8);
  });

  it.each([
    ['u8', u8, 0xfe, [0xfe]],
    ['u16', u16, 0x0102, [2, 1]],
    ['u32', u32, 0x01020304, [4, 3, 2, 1]],
    ['port', port, 0x0102, [1, 2]],
    ['ipv4', ipv4, 0xc0a80001, [192, 168, 0, 1]],
  ] as const)('keeps %s in the byte order that it states', (_, type, value, expected) => {
    const buffer = new Uint8Array(8).fill(0xa5);
    const view = new DataView(buffer.buffer);
    type.set(view, 1, value);
    expect([...buffer]).toEqual([0xa5, ...expected, ...new Array(7 - type.size).fill(0xa5)]);
    expect(type.get(view, 1)).toBe(value);
  });

  it('keeps counts up to 2^53 exactly', () => {
    const view = new DataView(new ArrayBuffer(8));
    count.set(view, 0, Number.MAX_SAFE_INTEGER);
    expect(count.get(view, 0)).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('pads short bytes with zeros and refuses long ones', () => {
    const type = bytes(4);
    const buffer = new Uint8Array(6).fill(0xa5);
    const view = new DataView(buffer.buffer);
    type.set(view, 1, new Uint8Array([1, 2]));
    expect([...buffer]).toEqual([0xa5, 1, 2, 0, 0, 0xa5]);
    expect([...type.get(view, 1)]).toEqual([1, 2, 0, 0]);
    expect(() => type.set(view, 1, new Uint8Array(5))).toThrow(/5 bytes for a field of 4/);
  });

  it.each(['found', 'attended', 'create', 'update', 'remove', 'timer', 'watched', 'key'])(
    'has no field named %s',
    (name) => {
      expect(() => record('r', 1, { [name]: u8 })).toThrow(RangeError);
    },
  );

  // Members of the cursor that a field of their name would hide.
  it.each(['place', 'size', 'reserve', 'create', 'constructor'])(
    'has no field named %s',
    (name) => {
      expect(() => record('r', 1, { [name]: u8 })).toThrow(/a field cannot be named/);
    },
  );

  it('has 1 byte to 64 KiB', () => {
    expect(() => record('r', 1, {})).toThrow(/0 bytes; 1 to 65536/);
    expect(record('r', 1, { a: bytes(65536) }).size).toBe(65536);
    expect(() => record('r', 1, { a: bytes(65537) })).toThrow(/65544 bytes/);
  });

  it('keeps bytes of a length that varies up to a bound, and nothing of what was there before', () => {
    const field = bytesUpTo(8);
    const view = new DataView(new Uint8Array(20).fill(0xa5).buffer);
    field.set(view, 4, new Uint8Array([1, 2, 3, 4, 5]));
    expect([...field.get(view, 4)]).toEqual([1, 2, 3, 4, 5]);
    field.set(view, 4, new Uint8Array([9]));
    expect([...field.get(view, 4)]).toEqual([9]);
    expect([...new Uint8Array(view.buffer, 8, 8)]).toEqual([9, 0, 0, 0, 0, 0, 0, 0]);
    expect([view.getUint8(3), view.getUint8(16)]).toEqual([0xa5, 0xa5]);
    expect(() => field.set(view, 4, new Uint8Array(9))).toThrow(/9 bytes for a field of up to 8/);
    view.setUint32(4, 1e9, true);
    expect(field.get(view, 4).length).toBe(8);
  });
});
