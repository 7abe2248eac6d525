import { describe, expect, it } from 'vitest';
import { bound, check, ip } from './network.ts';

const four = [1, 2, 3, 4].map((host) => ip(`203.0.113.${host}`));

describe('RFC 4787, NAT behaviour for UDP', () => {
  it('REQ-1: an inside endpoint keeps one external endpoint, whomever it speaks to', () => {
    check(`
      in  abc
      a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp "a"
      b: inside 10.0.0.5:4242 > 198.51.100.7:54 udp "b"
      c: inside 10.0.0.5:4242 > 198.51.100.8:53 udp "c"
      out abc
      a: outside 203.0.113.1:$p > 198.51.100.7:53 udp ttl=63 "a"
      b: outside 203.0.113.1:$p > 198.51.100.7:54 udp ttl=63 "b"
      c: outside 203.0.113.1:$p > 198.51.100.8:53 udp ttl=63 "c"
      drops none
    `);
  });

  it('REQ-2: an inside host has one external address for all its endpoints', () => {
    const result = check(
      `
      in  (abcdefgh)
      a: inside 10.0.0.5:4001 > 198.51.100.7:53 udp
      b: inside 10.0.0.5:4002 > 198.51.100.7:53 udp
      c: inside 10.0.0.5:4003 > 198.51.100.7:53 tcp S
      d: inside 10.0.0.5 > 198.51.100.7 icmp echo id=4
      e: inside 10.0.0.6:4001 > 198.51.100.7:53 udp
      f: inside 10.0.0.7:4001 > 198.51.100.7:53 udp
      g: inside 10.0.0.8:4001 > 198.51.100.7:53 udp
      h: inside 10.0.0.9:4001 > 198.51.100.7:53 udp
      out (abcdefgh)
      a: outside $x:$_ > 198.51.100.7:53 udp
      b: outside $x:$_ > 198.51.100.7:53 udp
      c: outside $x:$_ > 198.51.100.7:53 tcp S
      d: outside $x > 198.51.100.7 icmp echo
      e: outside $e:$_ > 198.51.100.7:53 udp
      f: outside $f:$_ > 198.51.100.7:53 udp
      g: outside $g:$_ > 198.51.100.7:53 udp
      h: outside $h:$_ > 198.51.100.7:53 udp
    `,
      { pool: four },
    );
    const { x, e, f, g, h } = result.bindings;
    expect(new Set([x, e, f, g, h]).size).toBeGreaterThan(1);
  });

  it('REQ-3: two inside endpoints never share an external one, not even to different remotes', () => {
    const result = check(`
      in  (ab)
      a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      b: inside 10.0.0.6:4242 > 198.51.100.8:53 udp
      out (ab)
      a: outside 203.0.113.1:$p > 198.51.100.7:53 udp
      b: outside 203.0.113.1:$q > 198.51.100.8:53 udp
    `);
    expect(bound(result, 'p')).not.toBe(bound(result, 'q'));
  });

  it('REQ-3a: ports keep their class, below 1024 or not', () => {
    const result = check(`
      in  (ab)
      a: inside 10.0.0.5:500 > 198.51.100.7:500 udp
      b: inside 10.0.0.5:1024 > 198.51.100.7:500 udp
      out (ab)
      a: outside 203.0.113.1:$low > 198.51.100.7:500 udp
      b: outside 203.0.113.1:$high > 198.51.100.7:500 udp
    `);
    expect(bound(result, 'low')).toBeLessThan(1024);
    expect(bound(result, 'high')).toBeGreaterThanOrEqual(1024);
  });

  it('REQ-4: ports keep their parity', () => {
    const result = check(`
      in  (abcd)
      a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      b: inside 10.0.0.6:4243 > 198.51.100.7:53 udp
      c: inside 10.0.0.7:4245 > 198.51.100.7:53 udp
      d: inside 10.0.0.8:501 > 198.51.100.7:53 udp
      out (abcd)
      a: outside 203.0.113.1:$a > 198.51.100.7:53 udp
      b: outside 203.0.113.1:$b > 198.51.100.7:53 udp
      c: outside 203.0.113.1:$c > 198.51.100.7:53 udp
      d: outside 203.0.113.1:$d > 198.51.100.7:53 udp
    `);
    expect(['a', 'b', 'c', 'd'].map((name) => bound(result, name) % 2)).toEqual([0, 1, 1, 1]);
  });

  it('REQ-5: an idle mapping lives for its five minutes', () => {
    check(`
      in  a         a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      out a         a: outside 203.0.113.1:$p > 198.51.100.7:53 udp
      then 300s
      in  b         b: outside 198.51.100.7:53 > 203.0.113.1:$p udp "late"
      out b         b: inside 198.51.100.7:53 > 10.0.0.5:4242 udp "late"
      drops none
    `);
  });

  it('REQ-5: two minutes are the shortest that can be configured', () => {
    check(
      `
      in  a         a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      out a         a: outside 203.0.113.1:$p > 198.51.100.7:53 udp
      then 120s
      in  b         b: outside 198.51.100.7:53 > 203.0.113.1:$p udp
      out b         b: inside 198.51.100.7:53 > 10.0.0.5:4242 udp
      then 240s
      in  b
      drops no-binding=1
    `,
      { timeouts: { udp: 120 } },
    );
    expect(() => check('in -', { timeouts: { udp: 119 } })).toThrow(/timeouts\.udp/);
  });

  it('REQ-6: what goes out keeps a mapping alive', () => {
    check(`
      in  a 290s a 290s a 290s a 290s a
      a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      out a 290s a 290s a 290s a 290s a
      a: outside 203.0.113.1:$p > 198.51.100.7:53 udp
      then 290s
      in  b         b: outside 198.51.100.7:53 > 203.0.113.1:$p udp
      out b         b: inside 198.51.100.7:53 > 10.0.0.5:4242 udp
    `);
  });

  it('REQ-6: what comes in does not, so that an outsider cannot keep a mapping open', () => {
    check(`
      in  a         a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      out a         a: outside 203.0.113.1:$p > 198.51.100.7:53 udp
      then 150s
      in  b 140s b  b: outside 198.51.100.7:53 > 203.0.113.1:$p udp
      out b 140s b  b: inside 198.51.100.7:53 > 10.0.0.5:4242 udp
      then 300s
      in  b
      drops no-binding=1
    `);
  });

  it('REQ-7: inside and outside may number their networks alike', () => {
    check(
      `
      in  a         a: inside 10.0.0.5:4242 > 10.1.0.5:53 udp
      out a         a: outside 10.1.0.1:$p > 10.1.0.5:53 udp to=@10.1.0.5
      then
      in  b         b: outside 10.1.0.5:53 > 10.1.0.1:$p udp
      out b         b: inside 10.1.0.5:53 > 10.0.0.5:4242 udp
    `,
      {
        interfaces: {
          inside: [{ address: ip('10.0.0.1'), length: 24 }],
          outside: [{ address: ip('10.1.0.1'), length: 24 }],
        },
        pool: [ip('10.1.0.1')],
        routes: [],
      },
    );
  });

  it('REQ-8: anyone outside may write to a mapped endpoint', () => {
    check(`
      in  a         a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      out a         a: outside 203.0.113.1:$p > 198.51.100.7:53 udp
      then
      in  bc        b: outside 198.51.100.7:99 > 203.0.113.1:$p udp "other port"
      c: outside 192.0.2.9:99 > 203.0.113.1:$p udp "other host"
      out bc        b: inside 198.51.100.7:99 > 10.0.0.5:4242 udp "other port"
      c: inside 192.0.2.9:99 > 10.0.0.5:4242 udp "other host"
      drops none
    `);
  });

  it('REQ-8: or, where so configured, only those that were written to', () => {
    check(
      `
      in  a         a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      out a         a: outside 203.0.113.1:$p > 198.51.100.7:53 udp
      then
      in  abc       a: outside 198.51.100.7:53 > 203.0.113.1:$p udp "answer"
      b: outside 198.51.100.7:99 > 203.0.113.1:$p udp "other port"
      c: outside 192.0.2.9:99 > 203.0.113.1:$p udp "other host"
      out a         a: inside 198.51.100.7:53 > 10.0.0.5:4242 udp "answer"
      drops filtered=2
    `,
      { filtering: 'address-and-port-dependent' },
    );
  });

  it('REQ-9: hosts inside reach each other by their external endpoints, which they also see', () => {
    check(`
      in  (ab)      a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      b: inside 10.0.0.6:5000 > 198.51.100.7:53 udp
      out (ab)      a: outside 203.0.113.1:$a > 198.51.100.7:53 udp
      b: outside 203.0.113.1:$b > 198.51.100.7:53 udp
      then
      in  a         a: inside 10.0.0.5:4242 > 203.0.113.1:$b udp "hello"
      out a         a: inside 203.0.113.1:$a > 10.0.0.6:5000 ttl=63 udp "hello" to=@10.0.0.6
      then
      in  b         b: inside 10.0.0.6:5000 > 203.0.113.1:$a udp "welcome"
      out b         b: inside 203.0.113.1:$b > 10.0.0.5:4242 ttl=63 udp "welcome"
      drops none
    `);
  });

  it('REQ-9: a host without a mapping gets one by its first hairpinned packet', () => {
    check(`
      in  a         a: inside 10.0.0.6:5000 > 198.51.100.7:53 udp
      out a         a: outside 203.0.113.1:$b > 198.51.100.7:53 udp
      then
      in  a         a: inside 10.0.0.5:4242 > 203.0.113.1:$b udp "first"
      out a         a: inside 203.0.113.1:$a > 10.0.0.6:5000 udp "first"
      then
      in  b         b: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      out b         b: outside 203.0.113.1:$a > 198.51.100.7:53 udp
      drops none
    `);
  });

  it('REQ-10: payloads that speak of addresses are left alone', () => {
    check(`
      in  (ab)
      a: inside 10.0.0.5:5060 > 198.51.100.7:5060 udp "REGISTER sip:x Contact: <sip:10.0.0.5:5060>"
      b: inside 10.0.0.5:4001 > 198.51.100.7:21 tcp PA seq=1 ack=1 "PORT 10,0,0,5,15,161\\r\\n"
      out (ab)
      a: outside 203.0.113.1:$_ > 198.51.100.7:5060 udp "REGISTER sip:x Contact: <sip:10.0.0.5:5060>"
      b: outside 203.0.113.1:$_ > 198.51.100.7:21 tcp PA seq=1 ack=1 "PORT 10,0,0,5,15,161\\r\\n"
      drops none
    `);
  });

  it('REQ-11: a second host with the same port is treated as the first one was', () => {
    check(`
      in  (ab)      a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      b: inside 10.0.0.6:4242 > 198.51.100.7:53 udp
      out (ab)      a: outside 203.0.113.1:$a > 198.51.100.7:53 udp
      b: outside 203.0.113.1:$b > 198.51.100.7:53 udp
      then
      in  (ab)      a: inside 10.0.0.5:4242 > 198.51.100.8:99 udp
      b: inside 10.0.0.6:4242 > 198.51.100.8:99 udp
      out (ab)      a: outside 203.0.113.1:$a > 198.51.100.8:99 udp
      b: outside 203.0.113.1:$b > 198.51.100.8:99 udp
      then
      in  (ab)      a: outside 192.0.2.9:1 > 203.0.113.1:$a udp
      b: outside 192.0.2.9:1 > 203.0.113.1:$b udp
      out (ab)      a: inside 192.0.2.9:1 > 10.0.0.5:4242 udp
      b: inside 192.0.2.9:1 > 10.0.0.6:4242 udp
    `);
  });

  it('REQ-12: an ICMP error of any kind leaves the mapping as it is', () => {
    const errors = [
      'unreachable code=0',
      'unreachable code=1',
      'unreachable code=3',
      'unreachable code=13',
      'fragmentation-needed mtu=1400',
      'source-quench',
      'time-exceeded code=0',
      'parameter-problem pointer=20',
    ];
    const letters = 'bcdefghi';
    check(`
      in  a         a: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      out a         a: outside 203.0.113.1:$p > 198.51.100.7:53 udp
      then
      in  ${letters}
      ${errors.map((error, i) => `${letters[i]}: outside 192.0.2.1 > 203.0.113.1 icmp ${error} (203.0.113.1:$p > 198.51.100.7:53 udp "x")`).join('\n')}
      out ${letters}
      ${errors.map((error, i) => `${letters[i]}: inside 192.0.2.1 > 10.0.0.5 icmp ${error} (10.0.0.5:4242 > 198.51.100.7:53 udp "x")`).join('\n')}
      then
      in  a         a: outside 198.51.100.7:53 > 203.0.113.1:$p udp "still there"
      out a         a: inside 198.51.100.7:53 > 10.0.0.5:4242 udp "still there"
      then
      in  b         b: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      out b         b: outside 203.0.113.1:$p > 198.51.100.7:53 udp
      drops none
    `);
  });

  it('REQ-13: a packet with DF that is too long for the next link is answered, with its MTU', () => {
    check(`
      port inside
      port outside mtu=1400
      in  a   a: inside 10.0.0.5:4242 > 198.51.100.7:53 df udp len=1373
      out a   a: inside 10.0.0.1 > 10.0.0.5 icmp fragmentation-needed mtu=1400 (10.0.0.5:4242 > 198.51.100.7:53 df udp)
      then
      in  b   b: inside 10.0.0.5:4242 > 198.51.100.7:53 df udp len=1372
      out b   b: outside 203.0.113.1:$_ > 198.51.100.7:53 df udp len=1372
      drops too-big=1
    `);
  });

  it('REQ-13: without DF it is fragmented', () => {
    check(`
      port inside
      port outside mtu=1400
      in  a     a: inside 10.0.0.5:4242 > 198.51.100.7:53 id=9 udp len=1392
      out (ab)  a: outside 203.0.113.1 > 198.51.100.7 proto=udp id=9 mf frag=0 ttl=63
      b: outside 203.0.113.1 > 198.51.100.7 proto=udp id=9 frag=1376 ttl=63
      drops fragmented=1
    `);
  });

  const first = '"\\x10\\x92\\x00\\x35\\x00\\x20\\x00\\x00firstone"';
  const out = '"\\x20\\x00\\x00\\x35\\x00\\x20\\x00\\x00firstone"';
  const reply = '"\\x00\\x35\\x20\\x00\\x00\\x20\\x00\\x00backward"';
  const got = '"\\x00\\x35\\x10\\x92\\x00\\x20\\x00\\x00backward"';
  /** One even port, 8192 (0x2000), so that the bytes of first fragments can be written down. */
  const onePort = { ports: { first: 8192, last: 8193 } };

  it('REQ-14: fragments pass in order, both ways', () => {
    check(
      `
      in  abc
      a: inside 10.0.0.5 > 198.51.100.7 proto=udp id=77 mf frag=0 ${first}
      b: inside 10.0.0.5 > 198.51.100.7 proto=udp id=77 mf frag=16 "secondly"
      c: inside 10.0.0.5 > 198.51.100.7 proto=udp id=77 frag=24 "the end."
      out abc
      a: outside 203.0.113.1 > 198.51.100.7 proto=udp id=77 mf frag=0 ttl=63 ${out}
      b: outside 203.0.113.1 > 198.51.100.7 proto=udp id=77 mf frag=16 ttl=63 "secondly"
      c: outside 203.0.113.1 > 198.51.100.7 proto=udp id=77 frag=24 ttl=63 "the end."
      then
      in  abc
      a: outside 198.51.100.7 > 203.0.113.1 proto=udp id=78 mf frag=0 ${reply}
      b: outside 198.51.100.7 > 203.0.113.1 proto=udp id=78 mf frag=16 "secondly"
      c: outside 198.51.100.7 > 203.0.113.1 proto=udp id=78 frag=24 "the end."
      out abc
      a: inside 198.51.100.7 > 10.0.0.5 proto=udp id=78 mf frag=0 ${got}
      b: inside 198.51.100.7 > 10.0.0.5 proto=udp id=78 mf frag=16 "secondly"
      c: inside 198.51.100.7 > 10.0.0.5 proto=udp id=78 frag=24 "the end."
      drops none
    `,
      onePort,
    );
  });

  it('REQ-14: fragments that overtake the first wait for it', () => {
    check(
      `
      in  cb-a
      a: inside 10.0.0.5 > 198.51.100.7 proto=udp id=77 mf frag=0 ${first}
      b: inside 10.0.0.5 > 198.51.100.7 proto=udp id=77 mf frag=16 "secondly"
      c: inside 10.0.0.5 > 198.51.100.7 proto=udp id=77 frag=24 "the end."
      out ---(acb)
      a: outside 203.0.113.1 > 198.51.100.7 proto=udp id=77 mf frag=0 ${out}
      b: outside 203.0.113.1 > 198.51.100.7 proto=udp id=77 mf frag=16 "secondly"
      c: outside 203.0.113.1 > 198.51.100.7 proto=udp id=77 frag=24 "the end."
      then
      in  c-(ba)
      a: outside 198.51.100.7 > 203.0.113.1 proto=udp id=78 mf frag=0 ${reply}
      b: outside 198.51.100.7 > 203.0.113.1 proto=udp id=78 mf frag=16 "secondly"
      c: outside 198.51.100.7 > 203.0.113.1 proto=udp id=78 frag=24 "the end."
      out --(acb)
      a: inside 198.51.100.7 > 10.0.0.5 proto=udp id=78 mf frag=0 ${got}
      b: inside 198.51.100.7 > 10.0.0.5 proto=udp id=78 mf frag=16 "secondly"
      c: inside 198.51.100.7 > 10.0.0.5 proto=udp id=78 frag=24 "the end."
      drops none
    `,
      onePort,
    );
  });

  it('REQ-14: fragments whose first never comes are let go of', () => {
    check(`
      in  bc 3s -
      b: inside 10.0.0.5 > 198.51.100.7 proto=udp id=77 mf frag=16 "secondly"
      c: outside 198.51.100.7 > 203.0.113.1 proto=udp id=78 frag=24 "the end."
      drops fragment-without-first=2
    `);
  });

  it('REQ-14: fragments of two datagrams do not mix, though they share an identification', () => {
    check(
      `
      in  (dacb)
      a: inside 10.0.0.5 > 198.51.100.7 proto=udp id=77 mf frag=0 ${first}
      b: inside 10.0.0.5 > 198.51.100.7 proto=udp id=77 frag=16 "of five."
      c: inside 10.0.0.6 > 198.51.100.7 proto=udp id=77 mf frag=0 "\\x10\\x93\\x00\\x35\\x00\\x18\\x00\\x00first of"
      d: inside 10.0.0.6 > 198.51.100.7 proto=udp id=77 frag=16 "of six.."
      out (acbd)
      a: outside 203.0.113.1 > 198.51.100.7 proto=udp id=77 mf frag=0 ${out}
      b: outside 203.0.113.1 > 198.51.100.7 proto=udp id=77 frag=16 "of five."
      c: outside 203.0.113.1 > 198.51.100.7 proto=udp id=77 mf frag=0 "\\x20\\x01\\x00\\x35\\x00\\x18\\x00\\x00first of"
      d: outside 203.0.113.1 > 198.51.100.7 proto=udp id=77 frag=16 "of six.."
      drops none
    `,
      onePort,
    );
  });
});
