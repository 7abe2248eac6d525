import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseIpv6 } from '../../src/wire/address.ts';
import { fromHex, viewOf } from '../../src/wire/bytes.ts';
import * as ipv6 from '../../src/wire/ipv6.ts';
import { ipv6Address, u8, u16 } from './arbitraries.ts';
import { testCodec } from './codec-suite.ts';

const ADDRESSES = '20010db8000000000000000000000005 20010db8000000000000000000000007';

testCodec({
  name: 'ipv6',
  codec: ipv6,
  // Version 6, traffic class 0xb8, flow label 0x12345.
  hex: `6b812345 0008 11 40 ${ADDRESSES} 0102030405060708`,
  fields: {
    source: parseIpv6('2001:db8::5') as Uint8Array,
    destination: parseIpv6('2001:db8::7') as Uint8Array,
    nextHeader: 17,
    payloadLength: 8,
    hopLimit: 64,
    trafficClass: 0xb8,
    flowLabel: 0x12345,
  },
  also: { version: 6 },
  whenCut: (length) => (length < 40 ? 'truncated' : 'bad-total-length'),
  arbitrary: fc.record({
    source: ipv6Address,
    destination: ipv6Address,
    nextHeader: u8,
    payloadLength: u16,
    hopLimit: u8,
    trafficClass: u8,
    flowLabel: fc.integer({ min: 0, max: 0xfffff }),
  }),
});

it('is bad-version with another version', () => {
  const bytes = fromHex(`4b812345 0000 11 40 ${ADDRESSES}`) as Uint8Array;
  expect(ipv6.check(viewOf(bytes), 0, bytes.length)).toBe('bad-version');
});

describe('the walk over extension headers', () => {
  const walk = (nextHeader: string, body: string) => {
    const bytes = fromHex(`60000000 0000 ${nextHeader} 40 ${ADDRESSES} ${body}`) as Uint8Array;
    const into = ipv6.newWalk();
    return { reason: ipv6.walk(viewOf(bytes), 0, bytes.length, into), ...into };
  };
  const HOP_BY_HOP = '2b 00 050200000000';
  const ROUTING = '2c 02 0400 000000000000000000000000000000000000000000';
  const FRAGMENT = (field: string) => `3c 00 ${field} 00000063`;
  const DESTINATION = '33 00 010400000000';
  const AUTHENTICATION = '11 01 000000000000 00000001';
  const UDP = '00010002000a0000 7878';

  it('passes every kind, in the units of each', () => {
    const routing = '2c 01 0400 000000000000000000000000';
    const all = HOP_BY_HOP + routing + FRAGMENT('0001') + DESTINATION + AUTHENTICATION + UDP;
    expect(walk('00', all)).toEqual({
      reason: undefined,
      protocol: 17,
      offset: 40 + 8 + 16 + 8 + 8 + 12,
      fragmentAt: 40 + 8 + 16,
      isFragment: true,
      fragmentOffset: 0,
    });
  });

  it('stops behind the fragment header of a later fragment', () => {
    const found = walk('2c', `${FRAGMENT('05c8')} ffff`);
    expect(found).toMatchObject({
      protocol: 60,
      offset: 48,
      isFragment: true,
      fragmentOffset: 1480,
    });
  });

  it('takes an atomic fragment for a whole packet', () => {
    const found = walk('2c', `${FRAGMENT('0000')} ${DESTINATION} ${AUTHENTICATION} ${UDP}`);
    expect(found).toMatchObject({ protocol: 17, fragmentAt: 40, isFragment: false });
  });

  it('is bad-extension-header where one ends beyond the packet, at every truncation', () => {
    const chain = fromHex(HOP_BY_HOP + ROUTING.slice(0, 5)) as Uint8Array;
    for (let length = 0; length < chain.length; length++) {
      const body = [...chain.subarray(0, length)].map((byte) => byte.toString(16).padStart(2, '0'));
      expect([length, walk('00', body.join('')).reason]).toEqual([length, 'bad-extension-header']);
    }
  });

  it('follows at most eight headers and stays where it stopped', () => {
    const found = walk('3c', '3c00010400000000'.repeat(9));
    expect(found).toMatchObject({ reason: undefined, protocol: 60, offset: 40 + 8 * 8 });
  });

  it('reads the fragment header that it writes', () => {
    fc.assert(
      fc.property(u8, fc.nat({ max: 0x1fff }), fc.boolean(), fc.nat(), (next, units, more, id) => {
        const view = viewOf(new Uint8Array(8).fill(0xa5));
        ipv6.writeFragment(view, 0, {
          nextHeader: next,
          identification: id,
          fragmentOffset: units * 8,
          moreFragments: more,
        });
        expect(view.getUint8(0)).toBe(next);
        expect(view.getUint8(1)).toBe(0);
        expect(ipv6.fragmentOffset(view, 0)).toBe(units * 8);
        expect(ipv6.moreFragments(view, 0)).toBe(more);
        expect(ipv6.fragmentIdentification(view, 0)).toBe(id);
      }),
    );
  });
});
