import { ip, type NatOptions, nat } from 'rxnf';
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

describe('nat', () => {
  it('takes sound options', () => {
    expect(nat(sound).name).toBe('nat');
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
    ['IPv6 to be routed', { ipv6: 'route' }, 'ipv6'],
  ])('refuses %s, naming the field', (_what, wrong, field) => {
    expect(() => nat({ ...sound, ...wrong })).toThrow(
      expect.objectContaining({ code: 'ERR_NAT_OPTIONS', field }),
    );
  });
});
