/**
 * The IPv6 router beside the NAT, on the network of network.ts with a second family:
 *
 *   2001:db8:1::5 ---- inside 2001:db8:1::1/64 [ NAT ] outside 2001:db8:2::1/64 ---- fe80::fe ---- ::/0
 */
import { readFileSync } from 'node:fs';
import { type NatOptions, nat, parseIpv6 } from 'rxnf';
import { Harness, portMac, runScript, type ScriptOptions, type ScriptResult } from 'rxnf/testing';
import { describe, expect, it } from 'vitest';
import {
  address,
  ethernet,
  formatText,
  icmpv6,
  ipv6,
  packetAt,
  parseText,
  readCapture,
  viewOf,
} from '../../../src/wire/index.ts';
import { network } from './network.ts';

function ip6(text: string): Uint8Array {
  const address = parseIpv6(text);
  if (address === undefined) throw new RangeError(`${text} is no address`);
  return address;
}

const routed: NatOptions = {
  ...network,
  ipv6: 'route',
  interfaces6: {
    inside: [{ address: ip6('2001:db8:1::1'), length: 64 }],
    outside: [{ address: ip6('2001:db8:2::1'), length: 64 }],
  },
  routes6: [
    { address: ip6('2000::'), length: 3, port: 'outside', via: ip6('fe80::fe') },
    { address: ip6('2001:db8:1:8000::'), length: 49, port: 'inside', via: ip6('2001:db8:1::9') },
  ],
};

const ports = [{ name: 'inside' }, { name: 'outside' }];

function check(
  text: string,
  options: Partial<NatOptions> = {},
  harness: ScriptOptions = {},
): ScriptResult {
  return runScript(nat({ ...routed, ...options }), text, { ports, ...harness });
}

/** A client and the outside router ask for us, and are thereby known: 02:..:05 and 02:..:fe. */
const met = `
  in  (xy)
  x: inside 2001:db8:1::5 > ff02::1:ff00:1 ttl=255 icmp6 ns target=2001:db8:1::1 mac=02:00:00:00:00:05 to=33:33:ff:00:00:01
  y: outside fe80::fe > ff02::1:ff00:1 ttl=255 icmp6 ns target=2001:db8:2::1 mac=02:00:00:00:00:fe to=33:33:ff:00:00:01
  out (xy)
  x: inside 2001:db8:1::1 > 2001:db8:1::5 ttl=255 icmp6 na target=2001:db8:1::1 flags=RSO mac=@inside from=@inside to=02:00:00:00:00:05
  y: outside 2001:db8:2::1 > fe80::fe ttl=255 icmp6 na target=2001:db8:2::1 flags=RSO mac=@outside from=@outside to=02:00:00:00:00:fe
  then
`;

describe('IPv6 beside the NAT', () => {
  it('is dropped and counted unless it is to be routed', () => {
    const { ipv6, interfaces6, routes6, ...ipv4Alone } = routed;
    runScript(
      nat(ipv4Alone),
      `
      in  a   a: inside [2001:db8:1::5]:4242 > [2001:db8:9::7]:53 udp "x"
      drops ipv6=1
    `,
      { ports },
    );
  });

  it('goes both ways, one hop fewer, with the link addresses of its next hop', () => {
    check(`
      ${met}
      in  (abcd)
      a: inside [2001:db8:1::5]:4242 > [2001:db8:9::7]:53 ttl=64 udp "query"
      b: outside [2001:db8:9::7]:53 > [2001:db8:1::5]:4242 ttl=57 udp "reply"
      c: inside [2001:db8:1::5]:4242 > [2001:db8:9::7]:80 ttl=2 tcp S seq=9 mss=1440
      d: outside 2001:db8:9::7 > 2001:db8:1::5 ttl=57 icmp6 time-exceeded ([2001:db8:1::5]:4242 > [2001:db8:9::7]:80 tcp S seq=9)
      out (abcd)
      a: outside [2001:db8:1::5]:4242 > [2001:db8:9::7]:53 ttl=63 udp "query" from=@outside to=02:00:00:00:00:fe
      b: inside [2001:db8:9::7]:53 > [2001:db8:1::5]:4242 ttl=56 udp "reply" from=@inside to=02:00:00:00:00:05
      c: outside [2001:db8:1::5]:4242 > [2001:db8:9::7]:80 ttl=1 tcp S seq=9 mss=1440
      d: inside 2001:db8:9::7 > 2001:db8:1::5 ttl=56 icmp6 time-exceeded ([2001:db8:1::5]:4242 > [2001:db8:9::7]:80 tcp S seq=9)
      drops ipv6-neighbour=2
    `);
  });

  it.each([
    '2001:db8:1::5 > 2001:db8:9::7 proto=udp id=7 mf frag=0 len=800',
    '2001:db8:1::5 > 2001:db8:9::7 proto=udp id=7 frag=800 len=100',
    '2001:db8:1::5 > 2001:db8:9::7 proto=132 len=40',
    '[2001:db8:1::5]:1 > [2001:db8:9::7]:2 ext=60:0000010400000000 udp "x"',
    '[2001:db8:1::5]:1 > [2001:db8:9::7]:2 tos=3 flow=0x12345 udp "x" checksum=bad trailer=0000',
  ])('goes on as it came but for the hop limit and the link: %s', (text) => {
    using bench = new Bench();
    bench.meet();
    bench.send('inside', `${text} ttl=9`);
    const link = 'from=02:00:00:00:01:01 to=02:00:00:00:00:fe';
    expect(bench.take('outside')).toEqual([formatText(parseText(`${text} ttl=8 ${link}`))]);
    bench.harness.finish();
  });

  it('leaves IPv4 of the same batch to the NAT', () => {
    check(`
      ${met}
      in  (ab)
      a: inside [2001:db8:1::5]:4242 > [2001:db8:9::7]:53 udp "six"
      b: inside 10.0.0.5:4242 > 203.0.113.7:53 ttl=64 udp "four"
      out (ab)
      a: outside [2001:db8:1::5]:4242 > [2001:db8:9::7]:53 ttl=63 udp "six"
      b: outside 203.0.113.1:$p > 203.0.113.7:53 ttl=63 udp "four"
      drops ipv6-neighbour=2
    `);
  });

  it('takes the longest route, by way of its router', () => {
    check(`
      in  a--b
      a: outside [2001:db8:9::7]:1 > [2001:db8:1:8123::5]:2 udp "x"
      b: inside 2001:db8:1::9 > fe80::ff:fe00:100 ttl=255 icmp6 na target=2001:db8:1::9 flags=SO mac=02:00:00:00:00:09
      out q--a
      q: inside fe80::ff:fe00:100 > ff02::1:ff00:9 ttl=255 icmp6 ns target=2001:db8:1::9 mac=@inside from=@inside to=33:33:ff:00:00:09
      a: inside [2001:db8:9::7]:1 > [2001:db8:1:8123::5]:2 ttl=63 udp "x" to=02:00:00:00:00:09
      drops ipv6-neighbour=1
    `);
  });

  it('tells the sender of a destination that it has no route to', () => {
    check(
      `
      in  a   a: inside [2001:db8:1::5]:4242 > [2001:db8:9::7]:53 udp "x" from=02:00:00:00:00:05
      out a   a: inside 2001:db8:1::1 > 2001:db8:1::5 icmp6 unreachable code=0 ([2001:db8:1::5]:4242 > [2001:db8:9::7]:53 udp "x") from=@inside to=02:00:00:00:00:05
      drops ipv6-no-route=1
    `,
      { routes6: [] },
    );
  });

  it('tells the sender of a hop limit that is used up', () => {
    check(`
      in  (ab)
      a: inside [2001:db8:1::5]:4242 > [2001:db8:9::7]:53 ttl=1 udp "x"
      b: inside [2001:db8:1::5]:4242 > [2001:db8:9::7]:53 ttl=0 udp "y"
      out (ab)
      a: inside 2001:db8:1::1 > 2001:db8:1::5 icmp6 time-exceeded code=0 ([2001:db8:1::5]:4242 > [2001:db8:9::7]:53 ttl=1 udp "x")
      b: inside 2001:db8:1::1 > 2001:db8:1::5 icmp6 time-exceeded code=0 ([2001:db8:1::5]:4242 > [2001:db8:9::7]:53 ttl=0 udp "y")
      drops ipv6-hop-limit=2
    `);
  });

  it('tells the sender of a packet that is too big for the next link, with its MTU', () => {
    check(
      `
      ${met}
      in  (ab)
      a: inside [2001:db8:1::5]:4242 > [2001:db8:9::7]:53 udp len=1353
      b: inside [2001:db8:1::5]:4242 > [2001:db8:9::7]:53 udp len=1352
      out (ab)
      a: inside 2001:db8:1::1 > 2001:db8:1::5 icmp6 packet-too-big mtu=1400 ([2001:db8:1::5]:4242 > [2001:db8:9::7]:53 total=1361 udp)
      b: outside [2001:db8:1::5]:4242 > [2001:db8:9::7]:53 udp len=1352
      drops ipv6-neighbour=2 ipv6-too-big=1
    `,
      {},
      { ports: [{ name: 'inside' }, { name: 'outside', mtu: 1400 }] },
    );
  });

  it('answers no error with another, nor what came from or to many', () => {
    check(`
      in  (abcde)
      a: inside 2001:db8:1::5 > 2001:db8:9::7 ttl=1 icmp6 unreachable code=4 ([2001:db8:9::7]:1 > [2001:db8:1::5]:2 udp)
      b: inside [::]:4242 > [2001:db8:9::7]:53 ttl=1 udp
      c: inside [2001:db8:1::5]:4242 > [2001:db8:9::7]:53 ttl=1 udp to=33:33:00:00:00:01
      d: inside 2001:db8:1::5 > 2001:db8:9::7 ttl=1 icmp6 type=137 len=32
      e: inside :: > 2001:db8:1::1 icmp6 echo echo-id=1 seq=1
      drops ipv6-answered=1 ipv6-hop-limit=2 ipv6-scope=1 link-multicast=1
    `);
  });

  it('sends at most 1,000 errors and echo replies a second', () => {
    using bench = new Bench();
    const sent = () => bench.take('inside').length;
    for (let i = 0; i < 1200; i++)
      bench.send('inside', `[2001:db8:1::5]:${i} > [2001:db8:9::7]:53 ttl=1 udp`);
    bench.send('inside', '2001:db8:1::5 > 2001:db8:1::1 icmp6 echo echo-id=1 seq=1');
    expect(sent()).toBe(1000);
    bench.harness.advance(1000);
    bench.send('inside', '2001:db8:1::5 > 2001:db8:1::1 icmp6 echo echo-id=1 seq=2');
    expect(sent()).toBe(1);
    bench.harness.finish();
  });

  it('forwards neither multicast nor what belongs to one link', () => {
    check(`
      in  (abcdef)
      a: inside [2001:db8:1::5]:5353 > [ff02::fb]:5353 udp to=33:33:00:00:00:fb
      b: inside [2001:db8:1::5]:5353 > [ff0e::7]:5353 udp to=33:33:00:00:00:07
      c: inside [fe80::5]:1 > [2001:db8:9::7]:2 udp "x"
      d: inside [2001:db8:1::5]:1 > [fe80::77]:2 udp
      e: inside [::1]:1 > [2001:db8:9::7]:2 udp
      f: inside [2001:db8:1::5]:1 > [::1]:2 udp
      out c   c: inside fe80::ff:fe00:100 > fe80::5 icmp6 unreachable code=2 ([fe80::5]:1 > [2001:db8:9::7]:2 udp "x")
      drops ipv6-multicast=2 ipv6-scope=4
    `);
  });

  it('answers pings of its own addresses, and nothing else there', () => {
    check(`
      in  (abcde)
      a: inside 2001:db8:1::5 > 2001:db8:1::1 icmp6 echo echo-id=7 seq=1 "near"
      b: inside 2001:db8:1::5 > 2001:db8:2::1 icmp6 echo echo-id=7 seq=2 "across"
      c: outside fe80::fe > fe80::ff:fe00:101 icmp6 echo echo-id=8 seq=1 "link"
      d: inside 2001:db8:1::5 > 2001:db8:1::1 icmp6 echo echo-id=7 seq=3 "wrong" checksum=bad
      e: inside [2001:db8:1::5]:1 > [2001:db8:1::1]:22 tcp S
      out (abc)
      a: inside 2001:db8:1::1 > 2001:db8:1::5 ttl=64 icmp6 echo-reply echo-id=7 seq=1 "near"
      b: inside 2001:db8:2::1 > 2001:db8:1::5 icmp6 echo-reply echo-id=7 seq=2 "across"
      c: outside fe80::ff:fe00:101 > fe80::fe icmp6 echo-reply echo-id=8 seq=1 "link"
      drops ipv6-answered=4 ipv6-to-self=1
    `);
  });

  it('is not forwarded with a VLAN tag', () => {
    check(`
      in  a   a: inside [2001:db8:1::5]:1 > [2001:db8:9::7]:2 udp vlan=5
      drops vlan=1
    `);
  });
});

describe('Neighbour Discovery beside the NAT', () => {
  it('asks for next hops, and holds what waits for the answer, in order', () => {
    check(`
      in  (ab)--c-d
      a: inside [2001:db8:1::5]:1 > [2001:db8:9::7]:53 udp "one"
      b: inside [2001:db8:1::5]:1 > [2001:db8:9::7]:53 udp "two"
      c: outside fe80::fe > fe80::ff:fe00:101 ttl=255 icmp6 na target=fe80::fe flags=RSO mac=02:00:00:00:00:fe
      d: inside [2001:db8:1::5]:1 > [2001:db8:9::7]:53 udp "three"
      out q--(ab)-d
      q: outside fe80::ff:fe00:101 > ff02::1:ff00:fe ttl=255 icmp6 ns target=fe80::fe mac=@outside from=@outside to=33:33:ff:00:00:fe
      a: outside [2001:db8:1::5]:1 > [2001:db8:9::7]:53 ttl=63 udp "one" to=02:00:00:00:00:fe
      b: outside [2001:db8:1::5]:1 > [2001:db8:9::7]:53 ttl=63 udp "two" to=02:00:00:00:00:fe
      d: outside [2001:db8:1::5]:1 > [2001:db8:9::7]:53 ttl=63 udp "three" to=02:00:00:00:00:fe
      drops ipv6-neighbour=1
    `);
  });

  it('asks three times, then gives up', () => {
    const { outputs } = check(`
      in  a 10s -
      a: inside [2001:db8:1::5]:1 > [2001:db8:9::7]:53 udp "x"
      out q 999ms q 999ms q
      q: outside fe80::ff:fe00:101 > ff02::1:ff00:fe ttl=255 icmp6 ns target=fe80::fe
      drops ipv6-unresolved=1
    `);
    expect(outputs).toHaveLength(3);
  });

  it('answers for the addresses that the link has, probes too, and only for those', () => {
    check(`
      in  (abcde)
      a: inside fe80::5 > fe80::ff:fe00:100 ttl=255 icmp6 ns target=fe80::ff:fe00:100 from=02:00:00:00:00:05
      b: inside :: > ff02::1:ff00:1 ttl=255 icmp6 ns target=2001:db8:1::1 to=33:33:ff:00:00:01
      c: inside fe80::5 > ff02::1:ff00:1 ttl=255 icmp6 ns target=2001:db8:2::1 mac=02:00:00:00:00:05 to=33:33:ff:00:00:01
      d: inside fe80::5 > ff02::1:ff00:101 ttl=255 icmp6 ns target=fe80::ff:fe00:101 mac=02:00:00:00:00:05 to=33:33:ff:00:01:01
      e: inside fe80::5 > ff02::1:ff00:8 ttl=255 icmp6 ns target=2001:db8:1::8 mac=02:00:00:00:00:05 to=33:33:ff:00:00:08
      out (ab)
      a: inside fe80::ff:fe00:100 > fe80::5 ttl=255 icmp6 na target=fe80::ff:fe00:100 flags=RSO mac=@inside to=02:00:00:00:00:05
      b: inside 2001:db8:1::1 > ff02::1 ttl=255 icmp6 na target=2001:db8:1::1 flags=RO mac=@inside to=33:33:00:00:00:01
      drops ipv6-neighbour=5
    `);
  });

  it('believes nothing that may have come from beyond the link, or is malformed', () => {
    check(`
      in  (abcdefg)
      a: inside 2001:db8:1::5 > 2001:db8:1::1 ttl=254 icmp6 ns target=2001:db8:1::1 mac=02:00:00:00:00:05
      b: inside 2001:db8:1::5 > 2001:db8:1::1 ttl=255 icmp6 ns target=2001:db8:1::1 checksum=bad
      c: inside 2001:db8:1::5 > 2001:db8:1::1 ttl=255 icmp6 ns code=1 target=2001:db8:1::1
      d: inside 2001:db8:1::5 > 2001:db8:1::1 ttl=255 icmp6 ns target=ff02::1
      e: inside :: > 2001:db8:1::1 ttl=255 icmp6 ns target=2001:db8:1::1
      f: inside :: > ff02::1:ff00:1 ttl=255 icmp6 ns target=2001:db8:1::1 mac=02:00:00:00:00:05 to=33:33:ff:00:00:01
      g: inside 2001:db8:1::5 > ff02::1 ttl=255 icmp6 na target=2001:db8:1::5 flags=S mac=02:00:00:00:00:05 to=33:33:00:00:00:01
      drops bad-ipv6-neighbour=7
    `);
  });

  it('takes no option of length zero', () => {
    using bench = new Bench();
    const asked = parseText(
      '2001:db8:1::5 > 2001:db8:1::1 ttl=255 icmp6 ns target=2001:db8:1::1 mac=02:00:00:00:00:05',
      { destination: portMac(0) },
    );
    const view = viewOf(asked);
    view.setUint8(54 + icmpv6.NEIGHBOR_HEADER_LENGTH + 1, 0);
    icmpv6.fillChecksum(view, 54, asked.length, ipv6.pseudoHeader(view, 14, 58, asked.length - 54));
    bench.harness.send('inside', asked);
    expect(bench.harness.finish().dropped).toMatchObject({ 'bad-ipv6-neighbour': 1 });
  });

  it('makes nothing of an answer that nobody asked for, and follows a neighbour that moves', () => {
    check(`
      ${met}
      in  (ab)-(cd)-e
      a: inside 2001:db8:1::5 > ff02::1 ttl=255 icmp6 na target=2001:db8:1::5 flags=O mac=02:00:00:00:55:05 to=33:33:00:00:00:01
      b: inside 2001:db8:1::6 > ff02::1 ttl=255 icmp6 na target=2001:db8:1::6 flags=O mac=02:00:00:00:00:06 to=33:33:00:00:00:01
      c: outside [2001:db8:9::7]:1 > [2001:db8:1::5]:2 udp "moved"
      d: outside [2001:db8:9::7]:1 > [2001:db8:1::6]:2 udp "unknown"
      e: inside 2001:db8:1::6 > fe80::ff:fe00:100 ttl=255 icmp6 na target=2001:db8:1::6 flags=SO mac=02:00:00:00:00:66
      out --(cq)-d
      c: inside [2001:db8:9::7]:1 > [2001:db8:1::5]:2 ttl=63 udp "moved" to=02:00:00:00:55:05
      q: inside fe80::ff:fe00:100 > ff02::1:ff00:6 ttl=255 icmp6 ns target=2001:db8:1::6
      d: inside [2001:db8:9::7]:1 > [2001:db8:1::6]:2 ttl=63 udp "unknown" to=02:00:00:00:00:66
      drops ipv6-neighbour=5
    `);
  });

  it('is not talked out of a link address by an advertisement that overrides none', () => {
    check(`
      ${met}
      in  a-b
      a: outside fe80::fe > fe80::ff:fe00:101 ttl=255 icmp6 na target=fe80::fe flags=S mac=02:00:00:00:00:ee
      b: inside [2001:db8:1::5]:1 > [2001:db8:9::7]:2 udp "x"
      out --b
      b: outside [2001:db8:1::5]:1 > [2001:db8:9::7]:2 ttl=63 udp "x" to=02:00:00:00:00:fe
      drops ipv6-neighbour=3
    `);
  });

  it('asks a neighbour in use whether it is still there, and forgets it if not', () => {
    using bench = new Bench();
    bench.meet();
    const forward = () => bench.send('inside', '[2001:db8:1::5]:1 > [2001:db8:9::7]:2 udp "x"');
    const question = /fe80::ff:fe00:101 > fe80::fe .*to=02:00:00:00:00:fe .*ns target=fe80::fe/;
    forward();
    expect(bench.take('outside')).toHaveLength(1);
    bench.harness.advance(29_000);
    expect(bench.take('outside')).toEqual([]);
    bench.harness.advance(2000);
    expect(bench.take('outside')[0]).toMatch(question);
    bench.send(
      'outside',
      'fe80::fe > fe80::ff:fe00:101 ttl=255 icmp6 na target=fe80::fe flags=RS mac=02:00:00:00:00:fe',
    );
    bench.take('outside');
    forward();
    expect(bench.take('outside')).toHaveLength(1);
    bench.harness.advance(40_000);
    expect(bench.take('outside')).toEqual(Array(3).fill(expect.stringMatching(question)));
    forward();
    expect(bench.take('outside')).toEqual([expect.stringMatching(/> ff02::1:ff00:fe /)]);
    expect(bench.harness.finish().dropped).toMatchObject({ 'ipv6-unresolved': 1 });
  });

  it('forgets a neighbour that nobody has spoken to for ten minutes', () => {
    using bench = new Bench();
    bench.meet();
    bench.harness.advance(599_000);
    expect(bench.take('outside')).toEqual([]);
    bench.harness.advance(2000);
    bench.send('inside', '[2001:db8:1::5]:1 > [2001:db8:9::7]:2 udp "x"');
    expect(bench.take('outside')).toEqual([expect.stringMatching(/ns target=fe80::fe/)]);
    bench.harness.finish();
  });

  it('knows 1,024 neighbours at the most, and finds those that packets need all the same', () => {
    using bench = new Bench();
    const told = (host: number, type: string) =>
      `2001:db8:1::${host.toString(16)} > 2001:db8:1::1 ttl=255 icmp6 ${type} mac=02:00:00:00:ff:ff`;
    for (let i = 0; i < 1030; i++)
      bench.send('inside', told(0x1000 + i, 'ns target=2001:db8:1::1'));
    bench.take('inside');
    const towards = (host: number) =>
      bench.send('outside', `[2001:db8:9::7]:1 > [2001:db8:1::${host.toString(16)}]:2 udp "x"`);
    towards(0x1000 + 1023);
    expect(bench.take('inside')).toEqual([expect.stringMatching(/udp/)]);
    towards(0x1000 + 1024);
    expect(bench.take('inside')).toEqual([expect.stringMatching(/ns target=2001:db8:1::1400/)]);
    bench.send('inside', told(0x1400, 'na target=2001:db8:1::1400 flags=S'));
    expect(bench.take('inside')).toEqual([expect.stringMatching(/udp/)]);
    bench.harness.finish();
  });

  it('holds eight packets for one neighbour, and drops the others', () => {
    using bench = new Bench();
    for (let i = 0; i < 10; i++)
      bench.send('inside', `[2001:db8:1::5]:${i} > [2001:db8:9::7]:2 udp`);
    expect(bench.harness.statistics().held).toBe(8);
    expect(bench.harness.finish().dropped).toMatchObject({
      'ipv6-unresolved': 8,
      'ipv6-unresolved-full': 2,
    });
  });
});

describe("recorded clients' IPv6", () => {
  it('comes out as it went in, one hop fewer, both ways', () => {
    const router = '02:00:00:99:00:01';
    using harness = new Harness(
      nat({
        ...network,
        ipv6: 'route',
        interfaces6: { inside: [{ address: ip6('fd00:99::1'), length: 64 }] },
        routes6: [{ address: ip6('fd00:18::'), length: 64, port: 'outside' }],
      }),
      { ports: [{ name: 'inside', mac: router }, { name: 'outside' }] },
    );
    const capture = readCapture(new Uint8Array(readFileSync('captures/clients.pcap')));
    let forwarded = 0;
    for (let i = 0; i < capture.count; i++) {
      const frame = packetAt(capture, i).slice();
      const view = viewOf(frame);
      if (ethernet.type(view, 0) !== ethernet.TYPE.ipv6 || !isEndToEnd(view)) continue;
      const isOutward = ethernet.destination(view, 0) === address.parseMac(router);
      const [from, to] = isOutward
        ? (['inside', 'outside'] as const)
        : (['outside', 'inside'] as const);
      if (!isOutward) frame.set(harness.port('outside').mac, 0);
      harness.send(from, frame);
      harness.run();
      const sent = answerNeighbours(harness, to);
      const expected = frame.slice(14);
      expected[7] = (expected[7] as number) - 1;
      expect(sent.map((out) => out.slice(14))).toEqual([expected]);
      expect(harness.received(from)).toEqual([]);
      forwarded++;
    }
    expect(forwarded).toBeGreaterThan(700);
    harness.finish();
  });
});

/** What a port sent, questions aside: those are answered, by a host at every address. */
function answerNeighbours(harness: Harness, port: string): Uint8Array[] {
  return harness.received(port).flatMap((frame) => {
    if (!formatText(frame).includes(' ns ')) return [frame];
    const view = viewOf(frame);
    const target = address.formatIpv6(icmpv6.target(view, 54));
    const asker = address.formatIpv6(ipv6.source(view, 14));
    const answer = `${target} > ${asker} ttl=255 icmp6 na target=${target} flags=S mac=02:00:00:00:00:77`;
    harness.send(port, parseText(answer, { destination: ethernet.source(view, 0) }));
    harness.run();
    return harness.received(port);
  });
}

/** Between a client and a server: neither the recorded router's own, nor one that it answered (traceroute). */
function isEndToEnd(view: DataView): boolean {
  const ends = [ipv6.source(view, 14), ipv6.destination(view, 14)].map(address.formatIpv6);
  const areHosts = ends.every((end) => /^fd00:(99|18)::/.test(end) && !end.endsWith('::1'));
  return areHosts && ipv6.hopLimit(view, 14) > 1;
}

/** The network of this file, packet by packet. */
class Bench {
  readonly harness = new Harness(nat(routed), { ports });

  send(port: string, text: string): void {
    const destination = address.parseMac(this.harness.macOf(port)) as number;
    this.harness.send(port, parseText(text, { destination }));
    this.harness.run();
  }

  take(port: string): string[] {
    return this.harness.received(port).map((frame) => formatText(frame));
  }

  /** The outside router asks for us, and is thereby known. */
  meet(): void {
    this.send(
      'outside',
      'fe80::fe > 2001:db8:2::1 ttl=255 icmp6 ns target=2001:db8:2::1 mac=02:00:00:00:00:fe',
    );
    expect(this.take('outside')).toHaveLength(1);
  }

  [Symbol.dispose](): void {
    this.harness.close();
  }
}
