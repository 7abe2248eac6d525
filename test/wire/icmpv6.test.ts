import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseIpv6 } from '../../src/wire/address.ts';
import { fromHex, viewOf } from '../../src/wire/bytes.ts';
import * as icmpv6 from '../../src/wire/icmpv6.ts';
import { ipv6Address, u8, u16, u32 } from './arbitraries.ts';
import { testCodec } from './codec-suite.ts';

/** Types whose header is 8 bytes. */
const short = u8.filter((type) => type !== 135 && type !== 136);

testCodec({
  name: 'icmpv6 echo',
  codec: icmpv6,
  hex: '80 00 1234 0001 0002',
  fields: { type: 128, code: 0, checksum: 0x1234, identifier: 1, sequence: 2 },
  also: { isEcho: true, isError: false, isNeighbor: false, headerLength: 8 },
  whenCut: () => 'truncated',
  arbitrary: fc.record({ type: short, code: u8, checksum: u16, identifier: u16, sequence: u16 }),
});

testCodec({
  name: 'icmpv6 packet too big',
  codec: icmpv6,
  hex: '02 00 1234 00000500',
  fields: { type: 2, code: 0, checksum: 0x1234, mtu: 1280 },
  also: { isEcho: false, isError: true },
  whenCut: () => 'truncated',
  arbitrary: fc.record({ type: short, code: u8, checksum: u16, mtu: u32 }),
});

const ADVERTISEMENT = '88 00 1234 60000000 20010db8000000000000000000000005';

testCodec({
  name: 'icmpv6 neighbour advertisement',
  codec: icmpv6,
  hex: ADVERTISEMENT,
  fields: {
    type: 136,
    code: 0,
    checksum: 0x1234,
    router: false,
    solicited: true,
    override: true,
    target: parseIpv6('2001:db8::5') as Uint8Array,
  },
  also: { isNeighbor: true },
  whenCut: () => 'truncated',
  arbitrary: fc.record({
    type: fc.constantFrom(135, 136),
    code: u8,
    checksum: u16,
    router: fc.boolean(),
    solicited: fc.boolean(),
    override: fc.boolean(),
    target: ipv6Address,
  }),
});

describe('the link-layer address option', () => {
  const found = (options: string) => {
    const bytes = fromHex(ADVERTISEMENT + options) as Uint8Array;
    return icmpv6.linkLayerAddress(viewOf(bytes), 0, bytes.length);
  };

  it('is the target of an advertisement, behind other options too', () => {
    expect(found('0201 020000000001')).toBe(0x020000000001);
    expect(found('0e01 000000000000 0201 020000000001')).toBe(0x020000000001);
  });

  it('is not the source of a solicitation, nor cut, nor behind a length of zero', () => {
    expect(found('0101 020000000001')).toBeUndefined();
    expect(found('0201 0200000000')).toBeUndefined();
    expect(found('0e00 000000000000 0201 020000000001')).toBeUndefined();
    expect(found('')).toBeUndefined();
  });

  it('is written as the kind that the message carries', () => {
    const view = viewOf(new Uint8Array(8).fill(0xa5));
    expect(icmpv6.writeLinkLayerOption(view, 0, 135, 0x020000000001)).toBe(8);
    expect(new Uint8Array(view.buffer)).toEqual(fromHex('0101 020000000001'));
    icmpv6.writeLinkLayerOption(view, 0, 136, 0x020000000001);
    expect(view.getUint8(0)).toBe(2);
  });
});

it('ends the quote before an extension structure, in units of 8 bytes', () => {
  const bytes = new Uint8Array(8 + 128 + 8);
  bytes.set([3, 0, 0, 0, 16]);
  expect(icmpv6.quoteEnd(viewOf(bytes), 0, bytes.length)).toBe(8 + 128);
  bytes[0] = 2;
  expect(icmpv6.quoteEnd(viewOf(bytes), 0, bytes.length)).toBe(bytes.length);
});
