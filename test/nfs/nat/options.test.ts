import { ip, type NatOptions, nat, parseIpv6 } from 'rxnf';
import { describe, expect, it } from 'vitest';

const sound: NatOptions = {
  inside: ['lan'],
  outside: 'wan',
  interfaces: {
    lan: [{ address: ip('10.0.0.1'), length: 24 }],
    wan: [{ address: ip('203.0.113.1'), length: 24 }],
  },
  pool: [ip('203.0.113.1')],
};

function ip6(text: string): Uint8Array {
  return parseIpv6(text) as Uint8Array;
}

const lan6 = { address: ip6('2001:db8:1::1'), length: 64 };

function with6(more: Partial<NatOptions>): Partial<NatOptions> {
  return { ipv6: 'route', interfaces6: { lan: [lan6] }, ...more };
}

describe('nat', () => {
  it('takes sound options', () => {
    expect(nat(sound).name).toBe('nat');
    const routes6 = [{ address: ip6('::'), length: 0, port: 'wan', via: ip6('fe80::1') }];
    expect(nat({ ...sound, ...with6({ routes6 }) }).name).toBe('nat');
  });

  it.each<[string, Partial<NatOptions>, string]>([
    ['an empty pool', { pool: [] }, 'pool'],
    ['an address twice', { pool: [1, 1] }, 'pool'],
    ['a timeout below the RFC minimum', { timeouts: { udp: 30 } }, 'timeouts.udp'],
    ['a timeout of nothing', { timeouts: { icmp: 0 }, shortTimeouts: true }, 'timeouts.icmp'],
    ['ports below 1024', { ports: { first: 1, last: 65535 } }, 'ports'],
    ['no capacity', { capacity: 0 }, 'capacity'],
    ['no inside port', { inside: [] }, 'inside'],
    ['one port for both sides', { inside: ['wan'] }, 'outside'],
    ['a port without an address', { inside: ['dmz'] }, 'interfaces.dmz'],
    ['a route to no port', { routes: [{ address: 0, length: 0, port: 'x' }] }, 'routes[0].port'],
    [
      'a gateway on another link',
      { routes: [{ address: 0, length: 0, port: 'wan', via: ip('10.0.0.9') }] },
      'routes[0].via',
    ],
    ['IPv6 to be routed without an address', { ipv6: 'route' }, 'interfaces6'],
    ['IPv6 addresses that are of no use', { interfaces6: { lan: [lan6] } }, 'interfaces6'],
    ['IPv6 routes that are of no use', { routes6: [{ ...lan6, port: 'lan' }] }, 'routes6'],
    ['an IPv6 address elsewhere', with6({ interfaces6: { dmz: [lan6] } }), 'interfaces6.dmz'],
    [
      'an IPv6 address of 4 bytes',
      with6({ interfaces6: { lan: [{ address: new Uint8Array(4), length: 64 }] } }),
      'interfaces6.lan[0].address',
    ],
    [
      'an IPv6 network longer than its address',
      with6({ interfaces6: { lan: [{ ...lan6, length: 129 }] } }),
      'interfaces6.lan[0].length',
    ],
    [
      'a link-local address',
      with6({ interfaces6: { lan: [{ address: ip6('fe80::1'), length: 64 }] } }),
      'interfaces6.lan[0]',
    ],
    [
      'an IPv6 address twice',
      with6({ interfaces6: { lan: [lan6], wan: [lan6] } }),
      'interfaces6.wan[0]',
    ],
    ['an IPv6 route to no port', with6({ routes6: [{ ...lan6, port: 'x' }] }), 'routes6[0].port'],
    [
      'an IPv6 gateway on another link',
      with6({ routes6: [{ ...lan6, port: 'wan', via: ip6('2001:db8:1::9') }] }),
      'routes6[0].via',
    ],
    [
      'an IPv6 gateway that is itself',
      with6({ routes6: [{ ...lan6, port: 'lan', via: lan6.address }] }),
      'routes6[0].via',
    ],
  ])('refuses %s, naming the field', (_what, wrong, field) => {
    expect(() => nat({ ...sound, ...wrong })).toThrow(
      expect.objectContaining({ code: 'ERR_NAT_OPTIONS', field }),
    );
  });
});
