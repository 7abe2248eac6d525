import { describe, expect, it } from 'vitest';
import { bound, check, ip, network } from './network.ts';

describe('the NAT as a router', () => {
  it('answers packets from inside whose TTL is used up', () => {
    check(`
      in  (ab)
      a: inside 10.0.0.5:4242 > 198.51.100.7:53 ttl=1 udp "x"
      b: inside 10.0.0.5:4242 > 198.51.100.7:80 ttl=1 tcp S seq=9
      out (ab)
      a: inside 10.0.0.1 > 10.0.0.5 icmp time-exceeded code=0 (10.0.0.5:4242 > 198.51.100.7:53 ttl=1 udp "x")
      b: inside 10.0.0.1 > 10.0.0.5 icmp time-exceeded code=0 (10.0.0.5:4242 > 198.51.100.7:80 ttl=1 tcp S seq=9)
      drops ttl-exceeded=2
    `);
  });

  it('answers packets from outside whose TTL is used up, as they came', () => {
    check(`
      in  a    a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      out a    a: outside 203.0.113.1:$p > 198.51.100.7:53 udp
      then
      in  b    b: outside 198.51.100.7:53 > 203.0.113.1:$p ttl=1 udp "x"
      out b    b: outside 203.0.113.1 > 198.51.100.7 icmp time-exceeded code=0 (198.51.100.7:53 > 203.0.113.1:$p ttl=1 udp "x")
      drops ttl-exceeded=1
    `);
  });

  it('passes on the last hop of a TTL of 2, and the error that it meets', () => {
    check(`
      in  a    a: inside 10.0.0.5:4242 > 198.51.100.7:53 ttl=2 udp "x"
      out a    a: outside 203.0.113.1:$p > 198.51.100.7:53 ttl=1 udp "x"
      then
      in  b    b: outside 203.0.113.254 > 203.0.113.1 icmp time-exceeded code=0 (203.0.113.1:$p > 198.51.100.7:53 ttl=1 udp "x")
      out b    b: inside 203.0.113.254 > 10.0.0.5 icmp time-exceeded code=0 (10.0.0.5:4242 > 198.51.100.7:53 ttl=1 udp "x")
      drops none
    `);
  });

  it('answers no ICMP error with another', () => {
    check(`
      in  a    a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      out a    a: outside 203.0.113.1:$p > 198.51.100.7:53 udp
      then
      in  b    b: outside 192.0.2.1 > 203.0.113.1 ttl=1 icmp unreachable code=3 (203.0.113.1:$p > 198.51.100.7:53 udp)
      drops ttl-exceeded=1
    `);
  });

  it('answers pings of its own addresses, from inside and outside', () => {
    check(`
      in  (abc)
      a: inside 10.0.0.5 > 10.0.0.1 icmp echo id=7 seq=1 "in"
      b: outside 198.51.100.7 > 203.0.113.1 icmp echo id=8 seq=2 "out"
      c: inside 10.0.0.5 > 203.0.113.1 icmp echo id=9 seq=3 "across"
      out (abc)
      a: inside 10.0.0.1 > 10.0.0.5 icmp echo-reply id=7 seq=1 "in"
      b: outside 203.0.113.1 > 198.51.100.7 icmp echo-reply id=8 seq=2 "out"
      c: inside 203.0.113.1 > 10.0.0.5 icmp echo-reply id=9 seq=3 "across"
      drops answered=3
    `);
  });

  it('asks by ARP for its next hops, and holds what waits for the answer', () => {
    check(`
      arp off
      in  (ab)--c-(de)
      a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp "one"
      b: inside 10.0.0.5:4242 > 198.51.100.7:53 udp "two"
      c: outside arp 203.0.113.254 is-at @203.0.113.254 target=203.0.113.1
      d: inside 10.0.0.5:4242 > 198.51.100.7:53 udp "three"
      e: inside 10.0.0.6:4242 > 203.0.113.9:53 udp "another"
      out q--(ab)-(dr)
      q: outside arp who-has 203.0.113.254 tell 203.0.113.1 from=@outside
      a: outside 203.0.113.1:$p > 198.51.100.7:53 udp "one" to=@203.0.113.254 from=@outside
      b: outside 203.0.113.1:$p > 198.51.100.7:53 udp "two" to=@203.0.113.254
      d: outside 203.0.113.1:$p > 198.51.100.7:53 udp "three" to=@203.0.113.254
      r: outside arp who-has 203.0.113.9 tell 203.0.113.1
      then 500ms
      in  e     e: outside arp 203.0.113.9 is-at @203.0.113.9 target=203.0.113.1
      out e     e: outside 203.0.113.1:$_ > 203.0.113.9:53 udp "another" to=@203.0.113.9
    `);
  });

  it('gives up on a next hop that does not answer', () => {
    check(`
      absent 203.0.113.9
      in  a 10s -  a: inside 10.0.0.5:4242 > 203.0.113.9:53 udp
      drops unresolved=1
    `);
  });

  it('answers ARP for the addresses that it has, and only for those', () => {
    check(`
      arp off
      in  (abcd)
      a: inside arp who-has 10.0.0.1 tell 10.0.0.5
      b: inside arp who-has 10.0.0.6 tell 10.0.0.5
      c: outside arp who-has 203.0.113.1 tell 203.0.113.254
      d: outside arp who-has 10.0.0.1 tell 203.0.113.254
      out (ac)
      a: inside arp 10.0.0.1 is-at @inside target=10.0.0.5 to=@10.0.0.5
      c: outside arp 203.0.113.1 is-at @outside target=203.0.113.254 to=@203.0.113.254
    `);
  });

  it('answers ARP for every external address of its pool', () => {
    check(
      `
      arp off
      in  a   a: outside arp who-has 203.0.113.20 tell 203.0.113.254
      out a   a: outside arp 203.0.113.20 is-at @outside target=203.0.113.254
    `,
      { pool: [ip('203.0.113.1'), ip('203.0.113.20')] },
    );
  });

  it('tells the sender of a destination that it has no route to', () => {
    check(
      `
      in  a   a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp "x"
      out a   a: inside 10.0.0.1 > 10.0.0.5 icmp unreachable code=0 (10.0.0.5:4242 > 198.51.100.7:53 udp "x")
      drops no-route=1
    `,
      { routes: [] },
    );
  });

  it('takes the longest matching route', () => {
    check(
      `
      in  (ab)
      a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      b: inside 10.0.0.5:4242 > 198.51.100.200:53 udp
      out (ab)
      a: outside 203.0.113.1:$p > 198.51.100.7:53 udp to=@203.0.113.254
      b: outside 203.0.113.1:$p > 198.51.100.200:53 udp to=@203.0.113.253
    `,
      {
        routes: [
          ...(network.routes ?? []),
          { address: ip('198.51.100.128'), length: 25, port: 'outside', via: ip('203.0.113.253') },
        ],
      },
    );
  });

  it('routes between inside links without translating', () => {
    check(
      `
      port inside
      port second
      port outside
      in  (ab)
      a: inside 10.0.0.5:4242 > 10.2.0.5:53 udp "x"
      b: second 10.2.0.5:4242 > 198.51.100.7:53 udp "x"
      out (ab)
      a: second 10.0.0.5:4242 > 10.2.0.5:53 ttl=63 udp "x"
      b: outside 203.0.113.1:$_ > 198.51.100.7:53 ttl=63 udp "x"
      drops none
    `,
      {
        inside: ['inside', 'second'],
        interfaces: { ...network.interfaces, second: [{ address: ip('10.2.0.1'), length: 24 }] },
      },
    );
  });

  it('ignores frames for other stations', () => {
    check(`
      in  a    a: inside 10.0.0.5:4242 > 198.51.100.7:53 to=02:00:00:00:00:99 udp
      drops not-for-us=1
    `);
  });
});

/** Has the gateway's link address asked for: a neighbour yet unknown holds eight packets and no more. */
const warm = `
      in  w    w: inside 10.0.0.5 > 198.51.100.7 icmp echo id=1 seq=1
      out w    w: outside 203.0.113.1 > 198.51.100.7 icmp echo
      then`;

describe('the NAT at its edges', () => {
  it('passes TCP, UDP and queries of one host both ways', () => {
    check(`
      in  (abc)
      a: inside 10.0.0.5:6303 > 198.51.100.7:80 tcp S seq=1
      b: inside 10.0.0.5:6304 > 198.51.100.7:80 udp "u"
      c: inside 10.0.0.5 > 198.51.100.7 icmp echo id=6305 seq=1 "i"
      out (abc)
      a: outside 203.0.113.1:$t > 198.51.100.7:80 tcp S seq=1
      b: outside 203.0.113.1:$u > 198.51.100.7:80 udp "u"
      c: outside 203.0.113.1 > 198.51.100.7 icmp echo id=$i seq=1 "i"
      then
      in  (abc)
      a: outside 198.51.100.7:80 > 203.0.113.1:$t tcp SA seq=5 ack=2
      b: outside 198.51.100.7:80 > 203.0.113.1:$u udp "U"
      c: outside 198.51.100.7 > 203.0.113.1 icmp echo-reply id=$i seq=1 "i"
      out (abc)
      a: inside 198.51.100.7:80 > 10.0.0.5:6303 tcp SA seq=5 ack=2
      b: inside 198.51.100.7:80 > 10.0.0.5:6304 udp "U"
      c: inside 198.51.100.7 > 10.0.0.5 icmp echo-reply id=6305 seq=1 "i"
      drops none
    `);
  });

  it('leaves alone what is sent from outside to an inside address', () => {
    check(`
      in  (ab)
      a: outside 198.51.100.7 > 10.0.0.5 icmp echo id=1 seq=1
      b: outside 198.51.100.7:1 > 10.0.0.5:4242 udp
      drops not-translated=2
    `);
  });

  it('keeps a damaged packet damaged', () => {
    check(`
      in  (ab)
      a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp checksum=bad "x"
      b: inside 10.0.0.5:4242 > 198.51.100.7:80 tcp S seq=1 checksum=bad
      out (ab)
      a: outside 203.0.113.1:$_ > 198.51.100.7:53 udp checksum=bad "x"
      b: outside 203.0.113.1:$_ > 198.51.100.7:80 tcp S seq=1 checksum=bad
    `);
  });

  it('keeps a UDP datagram without checksum without one', () => {
    check(`
      in  a    a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp checksum=0 "x"
      out a    a: outside 203.0.113.1:$p > 198.51.100.7:53 udp checksum=0 "x"
      then
      in  b    b: outside 198.51.100.7:53 > 203.0.113.1:$p udp checksum=0 "y"
      out b    b: inside 198.51.100.7:53 > 10.0.0.5:4242 udp checksum=0 "y"
    `);
  });

  it('keeps IP options, type of service and identification', () => {
    check(`
      in  a    a: inside 10.0.0.5:4242 > 198.51.100.7:53 tos=0xb8 id=4711 df options=01010100 udp "x"
      out a    a: outside 203.0.113.1:$_ > 198.51.100.7:53 tos=0xb8 id=4711 df options=01010100 ttl=63 udp "x"
    `);
  });

  it('does not take padding for payload', () => {
    check(`
      in  a    a: inside 10.0.0.5 > 198.51.100.7 icmp echo id=1 seq=1 "x" trailer=0102030405
      out a    a: outside 203.0.113.1 > 198.51.100.7 icmp echo id=$q seq=1 "x"
      then
      in  b    b: outside 198.51.100.7 > 203.0.113.1 icmp echo-reply id=$q seq=1 "x" trailer=00000000
      out b    b: inside 198.51.100.7 > 10.0.0.5 icmp echo-reply id=1 seq=1 "x"
    `);
  });

  it('drops, and counts, what it does not translate', () => {
    check(`
      in  (abcdef)
      a: inside 10.0.0.5 > 198.51.100.7 proto=47 "gre."
      b: outside 198.51.100.7 > 203.0.113.1 proto=132 "sctp"
      c: inside [fd00::5]:1 > [2001:db8::7]:2 udp
      d: inside ether type=0x88cc hex="0203"
      e: inside 10.0.0.5 > 198.51.100.7 icmp type=13 code=0
      f: inside 10.0.0.5:5353 > 224.0.0.251:5353 udp
      drops unsupported-protocol=2 ipv6=1 not-ip=1 unsupported-icmp=1 multicast=1
    `);
  });

  it('drops, and counts, what is malformed', () => {
    check(`
      in  (abcde)
      a: inside 10.0.0.5:1 > 198.51.100.7:2 header-checksum=bad udp
      b: inside 10.0.0.5 > 198.51.100.7 proto=tcp "too short"
      c: inside 10.0.0.5:1 > 198.51.100.7:2 udp length=7
      d: inside 127.0.0.1:1 > 198.51.100.7:2 udp
      e: inside 10.0.0.5:1 > 198.51.100.7:2 total=2000 udp
      drops bad-checksum=1 truncated=2 bad-udp-length=1 martian-source=1
    `);
  });

  it('drops, and counts, new flows when every external port is taken, and serves the old ones', () => {
    check(
      `
      in  (abcde)
      a: inside 10.0.0.5:4240 > 198.51.100.7:53 udp
      b: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      c: inside 10.0.0.5:4244 > 198.51.100.7:53 udp
      d: inside 10.0.0.5:4240 > 198.51.100.8:53 udp
      e: inside 10.0.0.5:4241 > 198.51.100.8:53 udp
      out (abde)
      a: outside 203.0.113.1:$p > 198.51.100.7:53 udp
      b: outside 203.0.113.1:$q > 198.51.100.7:53 udp
      d: outside 203.0.113.1:$p > 198.51.100.8:53 udp
      e: outside 203.0.113.1:$r > 198.51.100.8:53 udp
      drops ports-exhausted=1
    `,
      { ports: { first: 2000, last: 2003 } },
    );
  });

  it('hands out ports again once their mappings have ended', () => {
    check(
      `
      in  (ab)  a: inside 10.0.0.5:4240 > 198.51.100.7:53 udp
      b: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      out a     a: outside 203.0.113.1:$p > 198.51.100.7:53 udp
      then 460s
      in  b
      out b     b: outside 203.0.113.1:$p > 198.51.100.7:53 udp
      then
      in  a     a: outside 198.51.100.7:53 > 203.0.113.1:$p udp
      out a     a: inside 198.51.100.7:53 > 10.0.0.5:4242 udp
      drops ports-exhausted=1
    `,
      { ports: { first: 2000, last: 2001 } },
    );
  });

  it('stays within the range of external ports', () => {
    const hosts = Array.from({ length: 20 }, (_, i) => String.fromCharCode(97 + i));
    const result = check(
      `${warm}
      in  (${hosts.join('')})
      ${hosts.map((h, i) => `${h}: inside 10.0.0.${i + 10}:${5000 + i} > 198.51.100.7:53 udp`).join('\n')}
      out (${hosts.join('')})
      ${hosts.map((h) => `${h}: outside 203.0.113.1:$${h} > 198.51.100.7:53 udp`).join('\n')}
    `,
      { ports: { first: 1025, last: 1044 } },
    );
    const ports = hosts.map((host) => bound(result, host));
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(1025);
    expect(Math.max(...ports)).toBeLessThanOrEqual(1044);
    expect(new Set(ports).size).toBe(20);
  });

  it('spreads hosts over its external addresses', () => {
    const pool = [1, 2, 3, 4].map((host) => ip(`203.0.113.${host}`));
    const hosts = Array.from({ length: 26 }, (_, i) => String.fromCharCode(97 + i));
    const result = check(
      `${warm.replaceAll('203.0.113.1', '$_')}
      in  (${hosts.join('')})
      ${hosts.map((h, i) => `${h}: inside 10.0.0.${i + 10}:5000 > 198.51.100.7:53 udp`).join('\n')}
      out (${hosts.join('')})
      ${hosts.map((h) => `${h}: outside $${h}:$_ > 198.51.100.7:53 udp`).join('\n')}
    `,
      { pool },
    );
    expect(new Set(Object.values(result.bindings)).size).toBe(4);
  });

  it('refuses new flows when its table is full, and keeps the ports that it reserved for them', () => {
    const result = check(
      `${warm}
      in  (abcdefghij)
      ${'abcdefghij'.replace(/./g, (h) => `${h}: inside 10.0.0.5:${4000 + h.charCodeAt(0) * 2} > 198.51.100.7:53 udp\n`)}
      out (abcdefgh)
      ${'abcdefgh'.replace(/./g, (h) => `${h}: outside 203.0.113.1:$${h} > 198.51.100.7:53 udp\n`)}
      drops table-full=2
    `,
      { capacity: 9 },
    );
    expect(new Set(Object.values(result.bindings)).size).toBe(8);
  });

  it('takes both packets of one new flow in one batch for one flow', () => {
    check(`
      in  (aab)
      a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp "twin"
      b: inside 10.0.0.5:4242 > 198.51.100.8:53 udp "cousin"
      out (aab)
      a: outside 203.0.113.1:$p > 198.51.100.7:53 udp "twin"
      b: outside 203.0.113.1:$p > 198.51.100.8:53 udp "cousin"
    `);
  });

  it('hairpins fragments', () => {
    check(
      `
      in  a    a: inside 10.0.0.6:5000 > 198.51.100.7:53 udp
      out a    a: outside 203.0.113.1:8192 > 198.51.100.7:53 udp
      then
      in  (ba)
      a: inside 10.0.0.5 > 203.0.113.1 proto=udp id=7 mf frag=0 "\\x10\\x93\\x20\\x00\\x00\\x18\\x00\\x00firstone"
      b: inside 10.0.0.5 > 203.0.113.1 proto=udp id=7 frag=16 "the end."
      out (ab)
      a: inside 203.0.113.1 > 10.0.0.6 proto=udp id=7 mf frag=0 "\\x20\\x01\\x13\\x88\\x00\\x18\\x00\\x00firstone"
      b: inside 203.0.113.1 > 10.0.0.6 proto=udp id=7 frag=16 "the end."
      drops none
    `,
      { ports: { first: 8192, last: 8193 } },
    );
  });

  it('does not send a hairpinned packet round in circles', () => {
    check(`
      in  a    a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      out a    a: outside 203.0.113.1:$p > 198.51.100.7:53 udp
      then
      in  b    b: inside 10.0.0.5:4242 > 203.0.113.1:$p udp "to myself"
      out b    b: inside 203.0.113.1:$p > 10.0.0.5:4242 udp "to myself"
      drops none
    `);
  });

  it('takes a packet from outside that claims an inside source for what it is', () => {
    check(`
      in  a    a: outside 10.0.0.5:4242 > 198.51.100.7:53 udp
      drops not-translated=1
    `);
  });
});
