import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { viewOf } from '../../src/wire/bytes.ts';
import * as udp from '../../src/wire/udp.ts';
import { u16 } from './arbitraries.ts';
import { testCodec } from './codec-suite.ts';

testCodec({
  name: 'udp',
  codec: udp,
  hex: '1092 0035 000a 1234 7879',
  fields: { source: 4242, destination: 53, length: 10, checksum: 0x1234 },
  whenCut: (length) => (length < 8 ? 'truncated' : 'bad-udp-length'),
  arbitrary: fc.record({ source: u16, destination: u16, length: u16, checksum: u16 }),
});

describe('udp', () => {
  it('is bad-udp-length below its own header', () => {
    const view = viewOf(new Uint8Array(16));
    udp.write(view, 0, { source: 1, destination: 2, length: 7 });
    expect(udp.check(view, 0, 16)).toBe('bad-udp-length');
  });

  it('sends a checksum that comes out as zero as 0xffff', () => {
    const view = viewOf(new Uint8Array(8));
    // 0xfff0 + 7 + 8 is 0xffff, whose complement is zero.
    udp.write(view, 0, { source: 0xfff0, destination: 7, length: 8 });
    udp.fillChecksum(view, 0, 8, 0);
    expect(udp.checksum(view, 0)).toBe(0xffff);
    expect(udp.isChecksumValid(view, 0, 8, 0)).toBe(true);
  });

  it('takes zero for no checksum', () => {
    const view = viewOf(new Uint8Array(8));
    udp.write(view, 0, { source: 1, destination: 2, length: 8 });
    expect(udp.isChecksumValid(view, 0, 8, 0)).toBe(true);
    udp.setChecksum(view, 0, 1);
    expect(udp.isChecksumValid(view, 0, 8, 0)).toBe(false);
  });
});
