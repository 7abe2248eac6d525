import { describe, expect, it } from 'vitest';
import {
  hexOfAddress6,
  interfaceOfRoute,
  interfaceOfRoute6,
} from '../../../src/state/remote/routes.ts';

/** As /proc/net/route has them: default by eth0, 10.9.0.0/24 by ib0, 10.9.0.128/25 twice, one down. */
const table = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
ib0\t0000090A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
slow\t8000090A\t00000000\t0001\t0\t0\t600\t80FFFFFF\t0\t0\t0
fast\t8000090A\t00000000\t0001\t0\t0\t100\t80FFFFFF\t0\t0\t0
down\t8100090A\t00000000\t0000\t0\t0\t0\tFFFFFFFF\t0\t0\t0
`;

const zeros = '0'.repeat(32);
const table6 = `20010db8000000000000000000000000 20 ${zeros} 00 ${zeros} 00000100 00000001 00000000 00000001     ib0
${zeros} 00 ${zeros} 00 20010db8000000000000000000000001 00000400 00000001 00000000 00000003    eth0
${zeros} 00 ${zeros} 00 ${zeros} ffffffff 00000001 00000000 00200200      lo
`;

describe('The interface of a route', () => {
  it.each([
    ['192.0.2.1', 'eth0'],
    ['10.9.0.5', 'ib0'],
    ['10.9.0.130', 'fast'],
    ['10.9.0.129', 'fast'],
    ['10.9.1.5', 'eth0'],
  ])('for %s is %s', (address, name) => {
    expect(interfaceOfRoute(address, table)).toBe(name);
  });

  it('is none where no route is', () => {
    expect(interfaceOfRoute('192.0.2.1', table.split('\n').slice(0, 1).join())).toBeUndefined();
    expect(interfaceOfRoute6('2001:db8::1', '')).toBeUndefined();
  });

  it('is found for IPv6', () => {
    expect(interfaceOfRoute6('2001:db8::1', table6)).toBe('ib0');
    expect(interfaceOfRoute6('2001:db9::1', table6)).toBe('eth0');
  });

  it('is none where the only route refuses', () => {
    expect(
      interfaceOfRoute6('2001:db9::1', table6.split('\n').slice(2).join('\n')),
    ).toBeUndefined();
  });
});

describe('An IPv6 address in hex', () => {
  it.each([
    ['::1', `${'0'.repeat(31)}1`],
    ['fe80::ff:fe00:1%eth0', 'fe80000000000000000000fffe000001'],
    ['2001:db8:0:0:0:0:0:5', `20010db8${'0'.repeat(23)}5`],
    ['10.9.0.1', `${'0'.repeat(20)}ffff0a090001`],
    ['::', zeros],
  ])('%s', (address, hex) => {
    expect(hexOfAddress6(address)).toBe(hex);
  });
});
