import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, viewOf } from '../../src/wire/bytes.ts';
import * as tcp from '../../src/wire/tcp.ts';
import { options, u8, u16, u32 } from './arbitraries.ts';
import { testCodec } from './codec-suite.ts';

testCodec({
  name: 'tcp',
  codec: tcp,
  hex: '1092 0050 00000001 fffffffe 60 12 7210 abcd 0007 020405b4',
  fields: {
    source: 4242,
    destination: 80,
    sequence: 1,
    acknowledgement: 0xfffffffe,
    flags: tcp.FLAG.syn | tcp.FLAG.ack,
    window: 0x7210,
    checksum: 0xabcd,
    urgentPointer: 7,
    options: Uint8Array.of(2, 4, 5, 0xb4),
  },
  also: { headerLength: 24 },
  unread: ['options'],
  whenCut: (length) => (length < 20 ? 'truncated' : 'bad-tcp-offset'),
  arbitrary: fc.record({
    source: u16,
    destination: u16,
    sequence: u32,
    acknowledgement: u32,
    flags: u8,
    window: u16,
    checksum: u16,
    urgentPointer: u16,
    options,
  }),
});

describe('tcp', () => {
  it('is bad-tcp-offset below its own header', () => {
    const bytes = fromHex('1092 0050 00000001 00000000 40 02 7210 abcd 0000') as Uint8Array;
    expect(tcp.check(viewOf(bytes), 0, bytes.length)).toBe('bad-tcp-offset');
  });

  it('fills a checksum that verifies, over an odd length too', () => {
    const bytes = new Uint8Array(25).fill(0xa5);
    const view = viewOf(bytes);
    tcp.write(view, 0, { source: 1, destination: 2 });
    tcp.fillChecksum(view, 0, 25, 0x12345);
    expect(tcp.isChecksumValid(view, 0, 25, 0x12345)).toBe(true);
    view.setUint8(24, 0);
    expect(tcp.isChecksumValid(view, 0, 25, 0x12345)).toBe(false);
  });
});
