import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as address from '../../src/wire/address.ts';
import { ipv6Address, mac, u32 } from './arbitraries.ts';

describe('IPv4 addresses', () => {
  it('are unsigned numbers', () => {
    expect(address.parseIpv4('10.0.0.5')).toBe(0x0a000005);
    expect(address.parseIpv4('255.255.255.255')).toBe(0xffffffff);
    expect(address.formatIpv4(0xc0a80001)).toBe('192.168.0.1');
  });

  it.each(['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '1.2.3.-4', ' 1.2.3.4', '1..2.3'])(
    'are not %j',
    (text) => expect(address.parseIpv4(text)).toBeUndefined(),
  );

  it('are read as they are written', () => {
    fc.assert(
      fc.property(u32, (value) => {
        expect(address.parseIpv4(address.formatIpv4(value))).toBe(value);
      }),
    );
  });
});

describe('IPv6 addresses', () => {
  it.each([
    // RFC 5952 sections 4 and 5.
    ['2001:0db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:DB8::AAAA', '2001:db8::aaaa'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ])('%s are written as %s', (text, canonical) => {
    expect(address.formatIpv6(address.parseIpv6(text) as Uint8Array)).toBe(canonical);
  });

  it.each([
    '',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '12345::',
    'g::',
    'fe80::1%eth0',
    '1.2.3.4',
    '::1.2.3',
    '::1.2.3.4:5',
  ])('are not %j', (text) => expect(address.parseIpv6(text)).toBeUndefined());

  it('are read as they are written', () => {
    const sparse = fc
      .array(fc.constantFrom(0, 0, 1, 0xabcd, 0xffff), { minLength: 8, maxLength: 8 })
      .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >>> 8, group & 255])));
    fc.assert(
      fc.property(fc.oneof(ipv6Address, sparse), (value) => {
        expect(address.parseIpv6(address.formatIpv6(value))).toEqual(value);
      }),
    );
  });
});

describe('MAC addresses', () => {
  it('are unsigned numbers of 48 bits', () => {
    expect(address.parseMac('02:00:00:00:00:ff')).toBe(0x0200000000ff);
    expect(address.parseMac('FF:ff:ff:ff:ff:ff')).toBe(0xffffffffffff);
    expect(address.parseMac('02-00-00-00-00-ff')).toBeUndefined();
    expect(address.parseMac('2:0:0:0:0:1')).toBeUndefined();
  });

  it('are read as they are written, as text and as bytes', () => {
    fc.assert(
      fc.property(mac, (value) => {
        expect(address.parseMac(address.formatMac(value))).toBe(value);
        const view = new DataView(new ArrayBuffer(7));
        address.writeMac(view, 1, value);
        expect(address.readMac(view, 1)).toBe(value);
      }),
    );
  });
});

describe('prefixes', () => {
  it('are an address and a length', () => {
    expect(address.parsePrefix('10.1.2.3/8')).toEqual({
      version: 4,
      address: 0x0a010203,
      length: 8,
    });
    expect(address.parsePrefix('10.1.2.3')).toMatchObject({ length: 32 });
    expect(address.parsePrefix('2001:db8::/32')).toMatchObject({ version: 6, length: 32 });
    expect(address.parsePrefix('::1')).toMatchObject({ length: 128 });
  });

  it.each(['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/08', '10.0.0.0/8/8', '/8', 'x/8'])(
    'are not %j',
    (text) => expect(address.parsePrefix(text)).toBeUndefined(),
  );

  it('contain the addresses that share their first bits', () => {
    const within = (prefix: string, text: string) =>
      address.contains(
        address.parsePrefix(prefix) as address.Prefix,
        address.parseIpv4(text) ?? (address.parseIpv6(text) as Uint8Array),
      );
    expect(within('10.0.0.0/9', '10.127.0.1')).toBe(true);
    expect(within('10.0.0.0/9', '10.128.0.1')).toBe(false);
    expect(within('192.0.0.0/1', '255.0.0.1')).toBe(true);
    expect(within('0.0.0.0/0', '255.0.0.1')).toBe(true);
    expect(within('10.0.0.5', '10.0.0.5')).toBe(true);
    expect(within('10.0.0.5/32', '10.0.0.4')).toBe(false);
    expect(within('2001:db8::/33', '2001:db8:7fff::')).toBe(true);
    expect(within('2001:db8::/33', '2001:db8:8000::')).toBe(false);
    expect(within('2001:db8::5', '2001:db8::5')).toBe(true);
    expect(within('::/0', '10.0.0.1')).toBe(false);
    expect(within('0.0.0.0/0', '::1')).toBe(false);
  });

  it('are written as they are read', () => {
    for (const text of ['10.1.2.3/8', '2001:db8::/32', '0.0.0.0/0']) {
      expect(address.formatPrefix(address.parsePrefix(text) as address.Prefix)).toBe(text);
    }
  });
});
