import { describe, expect, it } from 'vitest';
import { bound, check } from './network.ts';

describe('RFC 5508, NAT behaviour for ICMP', () => {
  it('REQ-1: a query identifier keeps one external identifier, whomever it asks', () => {
    check(`
      in  ab
      a: inside 10.0.0.5 > 198.51.100.7 icmp echo id=7 seq=1 "x"
      b: inside 10.0.0.5 > 198.51.100.8 icmp echo id=7 seq=2 "y"
      out ab
      a: outside 203.0.113.1 > 198.51.100.7 icmp echo id=$q seq=1 ttl=63 "x"
      b: outside 203.0.113.1 > 198.51.100.8 icmp echo id=$q seq=2 ttl=63 "y"
      then
      in  ab
      a: outside 198.51.100.7 > 203.0.113.1 icmp echo-reply id=$q seq=1 "x"
      b: outside 198.51.100.8 > 203.0.113.1 icmp echo-reply id=$q seq=2 "y"
      out ab
      a: inside 198.51.100.7 > 10.0.0.5 icmp echo-reply id=7 seq=1 "x"
      b: inside 198.51.100.8 > 10.0.0.5 icmp echo-reply id=7 seq=2 "y"
      drops none
    `);
  });

  it('REQ-1: two hosts with one identifier get two', () => {
    const result = check(`
      in  (ab)
      a: inside 10.0.0.5 > 198.51.100.7 icmp echo id=7 seq=1
      b: inside 10.0.0.6 > 198.51.100.7 icmp echo id=7 seq=1
      out (ab)
      a: outside 203.0.113.1 > 198.51.100.7 icmp echo id=$a
      b: outside 203.0.113.1 > 198.51.100.7 icmp echo id=$b
    `);
    expect(bound(result, 'a')).not.toBe(bound(result, 'b'));
  });

  it('REQ-2: an idle query lives for 60 seconds, and not for 3 minutes', () => {
    check(`
      in  a         a: inside 10.0.0.5 > 198.51.100.7 icmp echo id=7 seq=1
      out a         a: outside 203.0.113.1 > 198.51.100.7 icmp echo id=$q seq=1
      then 60s
      in  b         b: outside 198.51.100.7 > 203.0.113.1 icmp echo-reply id=$q seq=1
      out b         b: inside 198.51.100.7 > 10.0.0.5 icmp echo-reply id=7 seq=1
      then 120s
      in  b
      drops no-binding=1
    `);
    expect(() => check('in -', { timeouts: { icmp: 59 } })).toThrow(/timeouts\.icmp/);
  });

  const opened = `
      in  a         a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp "x"
      out a         a: outside 203.0.113.1:$p > 198.51.100.7:53 udp "x"
      then`;

  it('REQ-3: an error with a wrong ICMP checksum is dropped', () => {
    check(`${opened}
      in  a    a: outside 198.51.100.7 > 203.0.113.1 icmp unreachable code=3 checksum=bad (203.0.113.1:$p > 198.51.100.7:53 udp "x")
      drops bad-checksum=1
    `);
  });

  it('REQ-3: one that quotes a packet with a wrong header checksum is dropped', () => {
    check(`${opened}
      in  a    a: outside 198.51.100.7 > 203.0.113.1 icmp unreachable code=3 (203.0.113.1:$p > 198.51.100.7:53 header-checksum=bad udp "x")
      drops bad-icmp-quote=1
    `);
  });

  it('REQ-3: one that quotes a packet with a wrong transport checksum passes, as wrong as it was', () => {
    check(`${opened}
      in  a    a: outside 198.51.100.7 > 203.0.113.1 icmp unreachable code=3 (203.0.113.1:$p > 198.51.100.7:53 udp checksum=bad "x")
      out a    a: inside 198.51.100.7 > 10.0.0.5 icmp unreachable code=3 (10.0.0.5:4242 > 198.51.100.7:53 udp checksum=bad "x")
      drops none
    `);
  });

  it('REQ-3: one that quotes less than a header and 8 bytes is dropped', () => {
    check(`${opened}
      in  a    a: outside 198.51.100.7 > 203.0.113.1 icmp unreachable code=3 quote=27 (203.0.113.1:$p > 198.51.100.7:53 udp "x")
      drops bad-icmp-quote=1
    `);
  });

  it('REQ-4: an error from outside is translated in both layers', () => {
    check(`${opened}
      in  abc
      a: outside 198.51.100.7 > 203.0.113.1 icmp unreachable code=3 (203.0.113.1:$p > 198.51.100.7:53 ttl=1 id=5 udp "x")
      b: outside 192.0.2.1 > 203.0.113.1 icmp time-exceeded code=0 (203.0.113.1:$p > 198.51.100.7:53 ttl=1 udp "x")
      c: outside 192.0.2.1 > 203.0.113.1 icmp fragmentation-needed mtu=1280 (203.0.113.1:$p > 198.51.100.7:53 df udp len=1400)
      out abc
      a: inside 198.51.100.7 > 10.0.0.5 ttl=63 icmp unreachable code=3 (10.0.0.5:4242 > 198.51.100.7:53 ttl=1 id=5 udp "x")
      b: inside 192.0.2.1 > 10.0.0.5 ttl=63 icmp time-exceeded code=0 (10.0.0.5:4242 > 198.51.100.7:53 ttl=1 udp "x")
      c: inside 192.0.2.1 > 10.0.0.5 ttl=63 icmp fragmentation-needed mtu=1280 (10.0.0.5:4242 > 198.51.100.7:53 df udp)
      drops none
    `);
  });

  it('REQ-4: an error about a query is translated with its identifier', () => {
    check(`
      in  a    a: inside 10.0.0.5 > 198.51.100.7 icmp echo id=7 seq=1 "x"
      out a    a: outside 203.0.113.1 > 198.51.100.7 icmp echo id=$q seq=1 "x"
      then
      in  b    b: outside 192.0.2.1 > 203.0.113.1 icmp time-exceeded code=0 (203.0.113.1 > 198.51.100.7 ttl=1 icmp echo id=$q seq=1 "x")
      out b    b: inside 192.0.2.1 > 10.0.0.5 icmp time-exceeded code=0 (10.0.0.5 > 198.51.100.7 ttl=1 icmp echo id=7 seq=1 "x")
      drops none
    `);
  });

  it('REQ-4: an error about nothing that was sent is dropped', () => {
    check(`
      in  a    a: outside 198.51.100.7 > 203.0.113.1 icmp unreachable code=3 (203.0.113.1:4242 > 198.51.100.7:53 udp "x")
      drops no-binding=1
    `);
  });

  it('REQ-5: an error from inside is translated in both layers', () => {
    check(`${opened}
      in  a    a: outside 198.51.100.7:53 > 203.0.113.1:$p udp "y"
      out a    a: inside 198.51.100.7:53 > 10.0.0.5:4242 udp "y"
      then
      in  b    b: inside 10.0.0.5 > 198.51.100.7 icmp unreachable code=3 (198.51.100.7:53 > 10.0.0.5:4242 ttl=63 udp "y")
      out b    b: outside 203.0.113.1 > 198.51.100.7 ttl=63 icmp unreachable code=3 (198.51.100.7:53 > 203.0.113.1:$p ttl=63 udp "y")
      drops none
    `);
  });

  it('REQ-5: also one of a router between the host and the NAT', () => {
    check(`${opened}
      in  b    b: inside 10.0.0.77 > 198.51.100.7 icmp time-exceeded code=0 (198.51.100.7:53 > 10.0.0.5:4242 ttl=1 udp "y")
      out b    b: outside 203.0.113.1 > 198.51.100.7 icmp time-exceeded code=0 (198.51.100.7:53 > 203.0.113.1:$p ttl=1 udp "y")
      drops none
    `);
  });

  it('REQ-5: one about nothing that came in is dropped', () => {
    check(`
      in  b    b: inside 10.0.0.5 > 198.51.100.7 icmp unreachable code=3 (198.51.100.7:53 > 10.0.0.5:4242 udp "y")
      drops no-binding=1
    `);
  });

  it('REQ-6: errors do not keep a mapping alive', () => {
    check(`${opened}
      in  200s e 90s e
      e: inside 10.0.0.5 > 198.51.100.7 icmp unreachable code=3 (198.51.100.7:53 > 10.0.0.5:4242 udp "y")
      out 200s e 90s e
      e: outside 203.0.113.1 > 198.51.100.7 icmp unreachable code=3 (198.51.100.7:53 > 203.0.113.1:$p udp "y")
      then 290s
      in  b    b: outside 198.51.100.7:53 > 203.0.113.1:$p udp
      drops no-binding=1
    `);
  });

  it('REQ-7: a query to an external identifier goes to the host behind it', () => {
    check(`
      in  a    a: inside 10.0.0.6 > 198.51.100.7 icmp echo id=6 seq=1
      out a    a: outside 203.0.113.1 > 198.51.100.7 icmp echo id=$b seq=1
      then
      in  a    a: inside 10.0.0.5 > 203.0.113.1 icmp echo-reply id=$b seq=1
      out a    a: inside 203.0.113.1 > 10.0.0.6 icmp echo-reply id=6 seq=1
      drops none
    `);
  });

  it('REQ-7: an error about a hairpinned packet is translated on both sides', () => {
    check(`
      in  (ab) a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      b: inside 10.0.0.6:5000 > 198.51.100.7:53 udp
      out (ab) a: outside 203.0.113.1:$a > 198.51.100.7:53 udp
      b: outside 203.0.113.1:$b > 198.51.100.7:53 udp
      then
      in  a    a: inside 10.0.0.5:4242 > 203.0.113.1:$b udp "hello"
      out a    a: inside 203.0.113.1:$a > 10.0.0.6:5000 udp "hello"
      then
      in  b    b: inside 10.0.0.6 > 203.0.113.1 icmp unreachable code=3 (203.0.113.1:$a > 10.0.0.6:5000 ttl=63 udp "hello")
      out b    b: inside 203.0.113.1 > 10.0.0.5 icmp unreachable code=3 (10.0.0.5:4242 > 203.0.113.1:$b ttl=63 udp "hello")
      drops none
    `);
  });

  it('REQ-8: errors of the NAT itself come from its own address', () => {
    check(`
      in  a    a: inside 10.0.0.5:4242 > 198.51.100.7:53 ttl=1 udp "x"
      out a    a: inside 10.0.0.1 > 10.0.0.5 icmp time-exceeded code=0 (10.0.0.5:4242 > 198.51.100.7:53 ttl=1 udp "x")
      drops ttl-exceeded=1
    `);
  });
});
