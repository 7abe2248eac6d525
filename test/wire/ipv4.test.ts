import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, viewOf } from '../../src/wire/bytes.ts';
import * as ipv4 from '../../src/wire/ipv4.ts';
import { options, u8, u16, u32 } from './arbitraries.ts';
import { testCodec } from './codec-suite.ts';

/** The header of RFC 1071's commentators, whose checksum 0xb861 they work out by hand. */
const HEX = '4500 0073 0000 4000 4011 b861 c0a80001 c0a800c7';
const BODY = '00'.repeat(0x73 - 20);

testCodec({
  name: 'ipv4',
  codec: ipv4,
  hex: HEX + BODY,
  fields: {
    source: 0xc0a80001,
    destination: 0xc0a800c7,
    protocol: 17,
    totalLength: 0x73,
    timeToLive: 64,
    typeOfService: 0,
    identification: 0,
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
  },
  also: { version: 4, headerLength: 20, checksum: 0xb861, isFragment: false },
  whenCut: () => 'truncated',
  arbitrary: fc.record({
    source: u32,
    destination: u32,
    protocol: u8,
    totalLength: u16,
    timeToLive: u8,
    typeOfService: u8,
    identification: u16,
    dontFragment: fc.boolean(),
    moreFragments: fc.boolean(),
    fragmentOffset: fc.integer({ min: 0, max: 0x1fff }).map((units) => units * 8),
  }),
});

describe('ipv4 with options', () => {
  // Router Alert (RFC 2113), and a fragment: MF, offset 185 * 8.
  const hex = '46c0 001c 1234 20b9 0102 42fb e0000016 0a000005 94040000 01020304';
  const bytes = fromHex(hex) as Uint8Array;

  it('writes and reads them', () => {
    const view = viewOf(new Uint8Array(40).fill(0xa5));
    const length = ipv4.write(view, 0, {
      source: 0xe0000016,
      destination: 0x0a000005,
      protocol: 2,
      totalLength: 28,
      timeToLive: 1,
      typeOfService: 0xc0,
      identification: 0x1234,
      moreFragments: true,
      fragmentOffset: 1480,
      options: Uint8Array.of(0x94, 4),
    });
    expect(length).toBe(24);
    expect(ipv4.fragmentOffset(viewOf(bytes), 0)).toBe(1480);
    expect(ipv4.isFragment(viewOf(bytes), 0)).toBe(true);
    expect(ipv4.isChecksumValid(view, 0)).toBe(true);
    ipv4.setChecksum(view, 0, 0x42fb);
    const written = new Uint8Array(view.buffer, 0, length);
    expect(written).toEqual(bytes.subarray(0, length));
  });

  it.each([
    ['bad-version', 0, 0x65],
    ['bad-header-length', 0, 0x44],
    ['bad-total-length', 3, 23],
    ['truncated', 3, 29],
  ])('is %s with byte %i at %i', (reason, index, value) => {
    const broken = bytes.slice();
    broken[index] = value;
    expect(ipv4.check(viewOf(broken), 0, broken.length)).toBe(reason);
  });

  it('fills a checksum that verifies, and sees one changed bit anywhere in the header', () => {
    fc.assert(
      fc.property(u32, u32, options, fc.nat({ max: 159 }), (source, destination, extra, bit) => {
        const view = viewOf(new Uint8Array(60));
        const fields = { source, destination, protocol: 6, totalLength: 60, options: extra };
        ipv4.write(view, 0, fields);
        expect(ipv4.isChecksumValid(view, 0)).toBe(true);
        // Not in the first byte: it says how long the header is.
        const at = 1 + ((bit >>> 3) % 19);
        view.setUint8(at, view.getUint8(at) ^ (1 << (bit & 7)));
        expect(ipv4.isChecksumValid(view, 0)).toBe(false);
      }),
    );
  });
});
