import { nat } from 'rxnf';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { readConfig } from '../../src/instance/config.ts';
import { ConfigError, type ConfigProblem } from '../../src/instance/config-error.ts';
import { natOptions } from '../../src/instance/nat-function.ts';

const good = `
ports:
  inside:  { device: "af_packet:vin",  addresses: [10.99.0.1/24] }
  outside: { device: "af_packet:vout", addresses: [198.18.0.1/24] }
nat:
  inside: [inside]
  outside: outside
  pool: [198.18.0.1]
routes:
  - { prefix: 0.0.0.0/0, via: 198.18.0.10, port: outside }
`;

/** The good configuration with one field set; undefined removes it. */
function edited(field: string, value: unknown): string {
  const config = parse(good);
  const path = field.split('.');
  const last = path.pop() as string;
  let block = config;
  for (const part of path) {
    block[part] ??= {};
    block = block[part];
  }
  if (value === undefined) delete block[last];
  else block[last] = value;
  return stringify(config);
}

function problemsOf(text: string): readonly ConfigProblem[] {
  try {
    readConfig(text, 'nat.yaml');
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('a configuration', () => {
  it('has a default for all but ports, nat.inside, nat.outside and nat.pool', () => {
    const { config, warnings } = readConfig(good, 'nat.yaml');
    expect(config).toMatchObject({ lanes: 1, burst: 128, busyPoll: false });
    expect(config.store).toEqual({ kind: 'memory' });
    expect(config.name).toBeUndefined();
    expect(config.ports['inside']?.mtu).toBe(1500);
    expect(config.nat).toMatchObject({
      filtering: 'endpoint-independent',
      ipv6: 'drop',
      capacity: 65_536,
      timeouts: { udp: 300, tcpEstablished: 7440, tcpTransitory: 240, icmp: 60 },
    });
    expect(warnings).toEqual([]);
  });

  it.each([
    ['memory', { kind: 'memory' }],
    ['shared:/dev/shm/nat/', { kind: 'shared', path: '/dev/shm/nat' }],
    ['unix:/run/valkey.sock', { kind: 'remote', url: 'unix:/run/valkey.sock' }],
    ['redis://nat:pw@db:6379/3', { kind: 'remote', url: 'redis://nat:pw@db:6379/3' }],
    ['rediss://[2001:db8::1]:6380', { kind: 'remote', url: 'rediss://[2001:db8::1]:6380' }],
    ['rdma://10.0.0.1:6379', { kind: 'remote', url: 'rdma://10.0.0.1:6379' }],
    [
      'redis+sentinel://10.0.0.1,10.0.0.2:26380/nat',
      { kind: 'remote', url: 'redis+sentinel://10.0.0.1,10.0.0.2:26380/nat' },
    ],
    [
      'rediss+cluster://nat:pw@10.0.0.1,10.0.0.2:7000',
      { kind: 'remote', url: 'rediss+cluster://nat:pw@10.0.0.1,10.0.0.2:7000' },
    ],
  ])('keeps state at %s', (store, choice) => {
    expect(readConfig(edited('store', store), 'nat.yaml').config.store).toEqual(choice);
  });

  it('gives the NAT its addresses as numbers', () => {
    const { config } = readConfig(
      edited('nat.pool', ['198.18.0.1', '198.18.0.4 - 198.18.0.5', '203.0.113.8/31']),
      'nat.yaml',
    );
    expect(natOptions(config)).toMatchObject({
      interfaces: { inside: [{ address: 0x0a630001, length: 24 }] },
      pool: [0xc6120001, 0xc6120004, 0xc6120005, 0xcb007108, 0xcb007109],
      routes: [{ address: 0, length: 0, via: 0xc612000a, port: 'outside' }],
    });
  });

  const wrong: [title: string, field: string, value: unknown, at: string, says: RegExp][] = [
    ['an unknown field', 'lane', 2, 'lane', /no such field; remove it, or write one of: lanes,/],
    ['no lane', 'lanes', 0, 'lanes', /found 0; write at least 1/],
    ['half a lane', 'lanes', 1.5, 'lanes', /found 1\.5; write a whole number/],
    ['too long a burst', 'burst', 481, 'burst', /found 481; write at most 480/],
    ['a word for a switch', 'busyPoll', 'yes', 'busyPoll', /found "yes"; write true or false/],
    [
      'an unknown store',
      'store',
      'sqlite:state.db',
      'store',
      /found "sqlite:state\.db": not a store; write it as in memory, shared:\/dev\/shm\/rxnf-nat, unix:/,
    ],
    ['a kind of store alone', 'store', 'redis', 'store', /found "redis": not a store; write it/],
    ['shared memory nowhere', 'store', 'shared:', 'store', /found "shared:": not an absolute path/],
    ['a socket by a URL', 'store', 'unix:///run/x', 'store', /a path begins with one slash/],
    ['a server without a host', 'store', 'redis://', 'store', /found "redis:\/\/": no host/],
    ['a server by its port alone', 'store', 'redis:6379', 'store', /"redis:6379": not a URL/],
    ['a port that is none', 'store', 'redis://db:99999', 'store', /99999 is no port/],
    ['a cluster of nobody', 'store', 'redis+cluster://a,', 'store', /no host/],
    ['a second database', 'store', 'redis+cluster://a/1', 'store', /one database only/],
    ['sentinels of nothing', 'store', 'redis+sentinel://a,b', 'store', /no name of what/],
    [
      'a database that is no number, its password unsaid',
      'store',
      'redis://nat:secret@db:6379/nat',
      'store',
      /found "redis:\/\/nat:\*\*\*@db:6379\/nat": what follows the port is not the number of a database/,
    ],
    ['a user alone', 'store', 'rediss://nat@db', 'store', /a user without a password/],
    ['a commit class of its own', 'nat.commit', 'quorum', 'nat.commit', /quorum/],
    ['a name with spaces', 'name', 'nat one', 'name', /found "nat one"; write letters, digits/],
    ['no ports', 'ports', undefined, 'ports', /missing; write a block of fields/],
    ['an empty list of ports', 'ports', {}, 'ports', /no port; name at least one/],
    ['a port named by a number', 'ports.1', { device: 'null:' }, 'ports.1', /not a name/],
    ['no device', 'ports.inside.device', undefined, 'ports.inside.device', /missing; write one/],
    [
      'a device that is a list',
      'ports.inside.device',
      ['a'],
      'ports.inside.device',
      /found \["a"\]/,
    ],
    [
      'an address without its length',
      'ports.inside.addresses',
      ['10.99.0.1'],
      'ports.inside.addresses[0]',
      /found "10\.99\.0\.1": not an IPv4 or IPv6 address with .*; write it as in 10\.99\.0\.1\/24/,
    ],
    [
      'an IPv6 address',
      'ports.inside.addresses',
      ['fd00::1/64'],
      'ports.inside.addresses[0]',
      /IPv6, which is dropped here; write nat\.ipv6: route, or remove it/,
    ],
    [
      'an IPv6 route',
      'routes',
      [{ prefix: '::/0', port: 'outside' }],
      'routes[0].prefix',
      /IPv6, which is dropped here/,
    ],
    [
      'an IPv6 route that is no network',
      'routes',
      [{ prefix: '2001:db8::1/32', port: 'outside' }],
      'routes[0].prefix',
      /not the first address of its network, which is 2001:db8::\/32/,
    ],
    [
      'a gateway of the other version',
      'routes',
      [{ prefix: '0.0.0.0/0', via: 'fe80::1', port: 'outside' }],
      'routes[0].via',
      /not of the IP version of 0\.0\.0\.0\/0/,
    ],
    ['IPv6 routed with no address', 'nat.ipv6', 'route', 'nat.ipv6', /no port has an IPv6 address/],
    ['too small an MTU', 'ports.inside.mtu', 575, 'ports.inside.mtu', /found 575; .* 576/],
    [
      'a VLAN that is reserved',
      'ports.inside.vlan',
      4095,
      'ports.inside.vlan',
      /found 4095; .* 4094/,
    ],
    ['a VLAN of no number', 'ports.inside.vlan', 0, 'ports.inside.vlan', /found 0; .* 1/],
    ['a MAC of five bytes', 'ports.inside.mac', '02:00:00:00:01', 'ports.inside.mac', /Ethernet/],
    ['a group MAC', 'ports.inside.mac', '03:00:00:00:00:01', 'ports.inside.mac', /group address/],
    [
      'an unknown field of a port',
      'ports.inside.speed',
      10,
      'ports.inside.speed',
      /one of: device/,
    ],
    ['no NAT', 'nat', undefined, 'nat', /missing; write a block of fields/],
    ['no inside', 'nat.inside', [], 'nat.inside', /found \[\]; write at least 1 of them/],
    ['no outside', 'nat.outside', undefined, 'nat.outside', /missing; write the name of one/],
    ['no pool', 'nat.pool', [], 'nat.pool', /at least 1/],
    ['half a range', 'nat.pool', ['198.18.0.1-'], 'nat.pool[0]', /not an address, a range/],
    ['a range backwards', 'nat.pool', ['198.18.0.9-198.18.0.1'], 'nat.pool[0]', /ends before/],
    ['a network cut short', 'nat.pool', ['198.18.0.1/28'], 'nat.pool[0]', /not an address/],
    ['too large a pool', 'nat.pool', ['198.18.0.0/20'], 'nat.pool[0]', /4096 addresses, .* 1024/],
    ['unknown filtering', 'nat.filtering', 'none', 'nat.filtering', /one of: endpoint-independent/],
    ['unknown ipv6', 'nat.ipv6', 'nat64', 'nat.ipv6', /write one of: drop, route/],
    ['no capacity', 'nat.capacity', 0, 'nat.capacity', /at least 1/],
    ['a negative timeout', 'nat.timeouts.udp', -1, 'nat.timeouts.udp', /more than 0/],
    ['an unknown timeout', 'nat.timeouts.tcp', 1, 'nat.timeouts.tcp', /one of: udp, tcpEst/],
    ['ports that cut a pair', 'nat.ports', '1025-65535', 'nat.ports', /cuts a pair/],
    ['ports beyond the last', 'nat.ports', '1024-65536', 'nat.ports', /not a range of ports/],
    [
      'a route that is no network',
      'routes',
      [{ prefix: '10.0.0.1/8', port: 'outside' }],
      'routes[0].prefix',
      /not the first address of its network, which is 10\.0\.0\.0\/8/,
    ],
    [
      'a gateway that is a name',
      'routes',
      [{ prefix: '10.0.0.0/8', via: 'router', port: 'outside' }],
      'routes[0].via',
      /found "router": not an IPv4 or IPv6 address/,
    ],
    // What only the whole tells.
    [
      'an inside port that is not there',
      'nat.inside',
      ['lan'],
      'nat.inside[0]',
      /no port .* "lan"/,
    ],
    ['an inside port twice', 'nat.inside', ['inside', 'inside'], 'nat.inside[1]', /there twice/],
    ['an outside that is inside', 'nat.outside', 'inside', 'nat.outside', /an inside port as well/],
    [
      'a port of no use',
      'ports.spare',
      { device: 'null:', addresses: ['10.1.0.1/24'] },
      'ports.spare',
      /neither inside nor outside/,
    ],
    [
      'a port with no address',
      'ports.inside.addresses',
      [],
      'ports.inside.addresses',
      /no IPv4 address/,
    ],
    [
      'one device twice',
      'ports.outside.device',
      'af_packet:vin',
      'ports.outside.device',
      /the device of port inside already/,
    ],
    [
      'a network on two ports',
      'ports.outside.addresses',
      ['198.18.0.1/24', '10.99.0.200/25'],
      'ports.outside.addresses[1]',
      /same network as on port inside/,
    ],
    [
      'an address on two ports',
      'ports.outside.addresses',
      ['198.18.0.1/24', '10.99.0.1/24'],
      'ports.outside.addresses[1]',
      /an address of port inside already/,
    ],
    [
      'a broadcast address',
      'ports.inside.addresses',
      ['10.99.0.255/24'],
      'ports.inside.addresses[0]',
      /the broadcast address of 10\.99\.0\.0\/24/,
    ],
    [
      'a multicast address',
      'ports.inside.addresses',
      ['224.0.0.1/24'],
      'ports.inside.addresses[0]',
      /a multicast address/,
    ],
    [
      'a pool from inside',
      'nat.pool',
      ['10.99.0.7'],
      'nat.pool[0]',
      /inside network of port inside/,
    ],
    [
      'a pool with an address twice',
      'nat.pool',
      ['198.18.0.1', '198.18.0.0/30'],
      'nat.pool[1]',
      /./,
    ],
    ['a loopback pool', 'nat.pool', ['127.0.0.1'], 'nat.pool[0]', /a loopback address/],
    [
      'a route by a port that is not there',
      'routes',
      [{ prefix: '0.0.0.0/0', port: 'wan' }],
      'routes[0].port',
      /no port is named "wan"/,
    ],
    [
      'a gateway off the link',
      'routes',
      [{ prefix: '0.0.0.0/0', via: '192.0.2.1', port: 'outside' }],
      'routes[0].via',
      /192\.0\.2\.1 is not on the link of port outside \(198\.18\.0\.0\/24\)/,
    ],
    [
      'a gateway that is itself',
      'routes',
      [{ prefix: '0.0.0.0/0', via: '198.18.0.1', port: 'outside' }],
      'routes[0].via',
      /of this instance itself/,
    ],
    [
      'a route twice',
      'routes',
      [
        { prefix: '0.0.0.0/0', via: '198.18.0.10', port: 'outside' },
        { prefix: '0.0.0.0/0', via: '198.18.0.11', port: 'outside' },
      ],
      'routes[1].prefix',
      /there already/,
    ],
  ];

  it.each(wrong)('with %s is refused where it is', (_title, field, value, at, says) => {
    const problems = problemsOf(edited(field, value));
    const found = problems.find((problem) => problem.field === at);
    expect(found, JSON.stringify(problems)).toBeDefined();
    expect(`${found?.problem}; ${found?.mend}`).toMatch(says);
    if (value !== undefined) expect(found?.line).toBeGreaterThan(0);
  });

  const good6 = good
    .replace('[10.99.0.1/24]', '[10.99.0.1/24, "2001:db8:1::1/64"]')
    .replace('[198.18.0.1/24]', '["2001:db8:2::1/64", 198.18.0.1/24]')
    .replace('outside: outside', 'outside: outside\n  ipv6: route')
    .concat('  - { prefix: "::/0", via: "fe80::fe", port: outside }\n');

  it('gives the NAT its IPv6 addresses as bytes, apart from the others', () => {
    const { config, warnings } = readConfig(good6, 'nat.yaml');
    const bytes = (...groups: number[]) =>
      Uint8Array.from({ length: 16 }, (_, i) => ((groups[i >> 1] ?? 0) >> (i & 1 ? 0 : 8)) & 255);
    expect(warnings).toEqual([]);
    const options = natOptions(config);
    expect(options).toMatchObject({
      ipv6: 'route',
      interfaces: { outside: [{ address: 0xc6120001, length: 24 }] },
      interfaces6: {
        inside: [{ address: bytes(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1), length: 64 }],
        outside: [{ address: bytes(0x2001, 0xdb8, 2, 0, 0, 0, 0, 1), length: 64 }],
      },
      routes6: [
        {
          address: bytes(),
          length: 0,
          port: 'outside',
          via: bytes(0xfe80, 0, 0, 0, 0, 0, 0, 0xfe),
        },
      ],
    });
    expect(options.routes).toHaveLength(1);
    expect(nat(options).name).toBe('nat');
  });

  it.each([
    [
      'an MTU below the least',
      '{ device: "af_packet:vin",',
      '{ mtu: 1279, device: "af_packet:vin",',
      'ports.inside.mtu',
      /1279, and IPv6 needs 1280/,
    ],
    [
      'a link-local address',
      '2001:db8:1::1/64',
      'fe80::1/64',
      'ports.inside.addresses[1]',
      /a link-local address/,
    ],
    [
      'a multicast address',
      '2001:db8:1::1/64',
      'ff02::1/64',
      'ports.inside.addresses[1]',
      /a multicast address/,
    ],
    [
      'the unspecified address',
      '2001:db8:1::1/64',
      '::/64',
      'ports.inside.addresses[1]',
      /the unspecified/,
    ],
    [
      'the loopback address',
      '2001:db8:1::1/64',
      '::1/64',
      'ports.inside.addresses[1]',
      /the loopback/,
    ],
    [
      'an address on two ports',
      '2001:db8:2::1/64',
      '2001:db8:1::1/64',
      'ports.outside.addresses[0]',
      /of port inside already/,
    ],
    [
      'a network on two ports',
      '2001:db8:2::1/64',
      '2001:db8:1::2/60',
      'ports.outside.addresses[0]',
      /same network as on port inside/,
    ],
    [
      'a gateway off the link',
      'fe80::fe',
      '2001:db8:1::9',
      'routes[1].via',
      /is not on the link of port outside \(2001:db8:2::1\/64\)/,
    ],
    [
      'a gateway that is itself',
      'fe80::fe',
      '2001:db8:2::1',
      'routes[1].via',
      /of this instance itself/,
    ],
    [
      'a gateway of the other version',
      'fe80::fe',
      '198.18.0.10',
      'routes[1].via',
      /not of the IP version/,
    ],
  ])('with IPv6 and %s is refused where it is', (_title, before, after, at, says) => {
    expect(good6).toContain(before);
    const problems = problemsOf(good6.replace(before, after));
    expect(problems).toEqual([
      expect.objectContaining({ field: at, problem: expect.stringMatching(says) }),
    ]);
  });

  it('is told of everything that is wrong at once, with its line', () => {
    const text = good.replace('10.99.0.1/24', '10.99.0.1').replace('[198.18.0.1]', '[x]');
    expect(() => readConfig(text, 'nat.yaml')).toThrow(
      /nat\.yaml:3: ports\.inside\.addresses\[0\][\s\S]*mend:[\s\S]*nat\.yaml:8: nat\.pool\[0\]/,
    );
  });

  it.each([
    ['an unclosed list', 'lanes: [1'],
    ['a field twice', 'lanes: 1\nlanes: 2'],
  ])('that is no YAML for %s is refused with its line', (_title, text) => {
    expect(problemsOf(text)).toMatchObject([{ line: expect.any(Number) }]);
  });

  it('that is empty is refused', () => {
    expect(problemsOf('')).toMatchObject([{ problem: 'found null' }]);
  });

  it.each([
    ['nat.timeouts.udp', 30, /nat\.timeouts\.udp: 30 s is below the 120 s of RFC 4787 REQ-5/],
    ['nat.timeouts.tcpEstablished', 60, /RFC 5382 REQ-5/],
    ['nat.timeouts.icmp', 5, /RFC 5508 REQ-2/],
    ['nat.capacity', 1_000_000, /nat\.pool has ports for 193536/],
    ['ports.inside.mtu', 9000, /MTUs differ/],
    ['routes', [], /only hosts on its own link/],
  ])('with %s of %s is allowed with a warning', (field, value, warning) => {
    const { warnings } = readConfig(edited(field, value), 'nat.yaml');
    expect(warnings).toEqual([expect.stringMatching(warning)]);
  });
});
