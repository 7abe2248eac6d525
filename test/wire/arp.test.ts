import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as arp from '../../src/wire/arp.ts';
import { fromHex, viewOf } from '../../src/wire/bytes.ts';
import { mac, u16, u32 } from './arbitraries.ts';
import { testCodec } from './codec-suite.ts';

const HEX = '0001 0800 06 04 0002 020000000001 0a000001 020000000005 0a000005';

testCodec({
  name: 'arp',
  codec: arp,
  hex: HEX,
  fields: {
    operation: arp.OPERATION.reply,
    senderMac: 0x020000000001,
    senderAddress: 0x0a000001,
    targetMac: 0x020000000005,
    targetAddress: 0x0a000005,
  },
  whenCut: () => 'truncated',
  arbitrary: fc.record({
    operation: u16,
    senderMac: mac,
    senderAddress: u32,
    targetMac: mac,
    targetAddress: u32,
  }),
});

it.each([0, 1, 2, 3, 4, 5])('is bad-arp with another value in byte %i', (index) => {
  const bytes = fromHex(HEX) as Uint8Array;
  bytes[index] = (bytes[index] as number) ^ 0x10;
  expect(arp.check(viewOf(bytes), 0, bytes.length)).toBe('bad-arp');
});
