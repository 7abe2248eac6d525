import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, viewOf } from '../../src/wire/bytes.ts';
import * as icmp from '../../src/wire/icmp.ts';
import { u8, u16 } from './arbitraries.ts';
import { testCodec } from './codec-suite.ts';

testCodec({
  name: 'icmp echo',
  codec: icmp,
  hex: '08 00 f7fc 0001 0002',
  fields: { type: 8, code: 0, checksum: 0xf7fc, identifier: 1, sequence: 2 },
  also: { isEcho: true, isError: false },
  whenCut: () => 'truncated',
  arbitrary: fc.record({ type: u8, code: u8, checksum: u16, identifier: u16, sequence: u16 }),
});

testCodec({
  name: 'icmp fragmentation needed',
  codec: icmp,
  hex: '03 04 f783 0000 0578',
  fields: { type: 3, code: 4, checksum: 0xf783, mtu: 1400 },
  also: { isEcho: false, isError: true },
  whenCut: () => 'truncated',
  arbitrary: fc.record({ type: u8, code: u8, checksum: u16, mtu: u16 }),
});

testCodec({
  name: 'icmp parameter problem',
  codec: icmp,
  hex: '0c 00 1234 09 000000',
  fields: { type: 12, code: 0, checksum: 0x1234, pointer: 9 },
  whenCut: () => 'truncated',
  arbitrary: fc.record({ type: u8, code: u8, checksum: u16, pointer: u8 }),
});

describe('icmp', () => {
  it('has a checksum without a pseudo-header', () => {
    const bytes = fromHex('08 00 f7fc 0001 0002') as Uint8Array;
    expect(icmp.isChecksumValid(viewOf(bytes), 0, 8)).toBe(true);
    icmp.setChecksum(viewOf(bytes), 0, 0x5a5a);
    icmp.fillChecksum(viewOf(bytes), 0, 8);
    expect(icmp.checksum(viewOf(bytes), 0)).toBe(0xf7fc);
  });

  it('ends the quote before an extension structure, where RFC 4884 gives a length', () => {
    const bytes = new Uint8Array(8 + 128 + 8);
    bytes[0] = 11;
    expect(icmp.quoteEnd(viewOf(bytes), 0, bytes.length)).toBe(bytes.length);
    bytes[5] = 32;
    expect(icmp.quoteEnd(viewOf(bytes), 0, bytes.length)).toBe(8 + 128);
    expect(icmp.quoteEnd(viewOf(bytes), 0, 100)).toBe(100);
  });
});
