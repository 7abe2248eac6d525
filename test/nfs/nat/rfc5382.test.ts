import { describe, expect, it } from 'vitest';
import { bound, check } from './network.ts';

/** A three-way handshake from inside, binding $p. */
const handshake = `
      in  a-(bc)
      a: inside 10.0.0.5:4242 > 198.51.100.7:80 tcp S seq=100 mss=1460
      b: outside 198.51.100.7:80 > 203.0.113.1:$p tcp SA seq=500 ack=101 mss=1460
      c: inside 10.0.0.5:4242 > 198.51.100.7:80 tcp A seq=101 ack=501
      out a-(bc)
      a: outside 203.0.113.1:$p > 198.51.100.7:80 tcp S seq=100 mss=1460
      b: inside 198.51.100.7:80 > 10.0.0.5:4242 tcp SA seq=500 ack=101 mss=1460
      c: outside 203.0.113.1:$p > 198.51.100.7:80 tcp A seq=101 ack=501`;

describe('RFC 5382, NAT behaviour for TCP', () => {
  it('REQ-1: an inside endpoint keeps one external endpoint, whomever it connects to', () => {
    check(`
      in  abc
      a: inside 10.0.0.5:4242 > 198.51.100.7:80 tcp S seq=1
      b: inside 10.0.0.5:4242 > 198.51.100.7:81 tcp S seq=2
      c: inside 10.0.0.5:4242 > 198.51.100.8:80 tcp S seq=3
      out abc
      a: outside 203.0.113.1:$p > 198.51.100.7:80 tcp S seq=1
      b: outside 203.0.113.1:$p > 198.51.100.7:81 tcp S seq=2
      c: outside 203.0.113.1:$p > 198.51.100.8:80 tcp S seq=3
      drops none
    `);
  });

  it('REQ-2: a connection opens, carries data and closes', () => {
    check(`${handshake}
      then
      in  abcdef
      a: inside 10.0.0.5:4242 > 198.51.100.7:80 tcp PA seq=101 ack=501 "GET"
      b: outside 198.51.100.7:80 > 203.0.113.1:$p tcp PA seq=501 ack=104 "OK"
      c: outside 198.51.100.7:80 > 203.0.113.1:$p tcp FA seq=503 ack=104
      d: inside 10.0.0.5:4242 > 198.51.100.7:80 tcp A seq=104 ack=504
      e: inside 10.0.0.5:4242 > 198.51.100.7:80 tcp FA seq=104 ack=504
      f: outside 198.51.100.7:80 > 203.0.113.1:$p tcp A seq=504 ack=105
      out abcdef
      a: outside 203.0.113.1:$p > 198.51.100.7:80 tcp PA seq=101 ack=501 "GET"
      b: inside 198.51.100.7:80 > 10.0.0.5:4242 tcp PA seq=501 ack=104 "OK"
      c: inside 198.51.100.7:80 > 10.0.0.5:4242 tcp FA seq=503 ack=104
      d: outside 203.0.113.1:$p > 198.51.100.7:80 tcp A seq=104 ack=504
      e: outside 203.0.113.1:$p > 198.51.100.7:80 tcp FA seq=104 ack=504
      f: inside 198.51.100.7:80 > 10.0.0.5:4242 tcp A seq=504 ack=105
      drops none
    `);
  });

  it('REQ-2: a simultaneous open passes: two SYN, two SYN-ACK', () => {
    check(`
      in  abcd
      a: inside 10.0.0.5:4242 > 198.51.100.7:80 tcp S seq=100
      b: outside 198.51.100.7:80 > 203.0.113.1:$p tcp S seq=500
      c: inside 10.0.0.5:4242 > 198.51.100.7:80 tcp SA seq=100 ack=501
      d: outside 198.51.100.7:80 > 203.0.113.1:$p tcp SA seq=500 ack=101
      out abcd
      a: outside 203.0.113.1:$p > 198.51.100.7:80 tcp S seq=100
      b: inside 198.51.100.7:80 > 10.0.0.5:4242 tcp S seq=500
      c: outside 203.0.113.1:$p > 198.51.100.7:80 tcp SA seq=100 ack=501
      d: inside 198.51.100.7:80 > 10.0.0.5:4242 tcp SA seq=500 ack=101
      drops none
    `);
  });

  it('REQ-2: a closed connection opens again under the same endpoint', () => {
    check(`${handshake}
      then
      in  ab
      a: inside 10.0.0.5:4242 > 198.51.100.7:80 tcp R seq=101
      b: inside 10.0.0.5:4242 > 198.51.100.7:80 tcp S seq=9000
      out ab
      a: outside 203.0.113.1:$p > 198.51.100.7:80 tcp R seq=101
      b: outside 203.0.113.1:$p > 198.51.100.7:80 tcp S seq=9000
      drops none
    `);
  });

  it('REQ-3: anyone outside may connect to a mapped endpoint', () => {
    check(`
      in  a         a: inside 10.0.0.5:4242 > 198.51.100.7:80 tcp S
      out a         a: outside 203.0.113.1:$p > 198.51.100.7:80 tcp S
      then
      in  b         b: outside 192.0.2.9:99 > 203.0.113.1:$p tcp S
      out b         b: inside 192.0.2.9:99 > 10.0.0.5:4242 tcp S
      drops none
    `);
  });

  it('REQ-3: or, where so configured, only those that were connected to', () => {
    check(
      `
      in  a         a: inside 10.0.0.5:4242 > 198.51.100.7:80 tcp S
      out a         a: outside 203.0.113.1:$p > 198.51.100.7:80 tcp S
      then
      in  bc        b: outside 198.51.100.7:80 > 203.0.113.1:$p tcp SA
      c: outside 192.0.2.9:99 > 203.0.113.1:$p tcp S
      out b         b: inside 198.51.100.7:80 > 10.0.0.5:4242 tcp SA
      drops filtered=1
    `,
      { filtering: 'address-and-port-dependent' },
    );
  });

  it('REQ-4: an unsolicited SYN is met with silence, so that a simultaneous open still succeeds', () => {
    check(`
      in  a 7s -     a: outside 198.51.100.7:80 > 203.0.113.1:4242 tcp S
      out - 7s -
      drops no-binding=1
    `);
  });

  it('REQ-5: an established connection lives through 2 hours and 4 minutes of silence', () => {
    check(`${handshake}
      then 7440s
      in  a          a: outside 198.51.100.7:80 > 203.0.113.1:$p tcp A seq=501 ack=101
      out a          a: inside 198.51.100.7:80 > 10.0.0.5:4242 tcp A seq=501 ack=101
      drops none
    `);
  });

  it('REQ-5: one that is only being opened lives for 4 minutes, and not for 10', () => {
    check(`
      in  a         a: inside 10.0.0.5:4242 > 198.51.100.7:80 tcp S
      out a         a: outside 203.0.113.1:$p > 198.51.100.7:80 tcp S
      then 240s
      in  b         b: outside 198.51.100.7:80 > 203.0.113.1:$p tcp SA
      out b         b: inside 198.51.100.7:80 > 10.0.0.5:4242 tcp SA
      then 360s
      in  b
      drops no-binding=1
    `);
  });

  it('REQ-5: one that was closed is gone after 10 minutes', () => {
    check(`${handshake}
      then
      in  a          a: inside 10.0.0.5:4242 > 198.51.100.7:80 tcp R seq=101
      out a          a: outside 203.0.113.1:$p > 198.51.100.7:80 tcp R seq=101
      then 600s
      in  b          b: outside 198.51.100.7:80 > 203.0.113.1:$p tcp A
      drops no-binding=1
    `);
  });

  it('REQ-5: a RST or FIN from outside ends nothing by itself, since anyone may have sent it', () => {
    for (const flags of ['R', 'RA', 'FA']) {
      check(`${handshake}
        then
        in  a          a: outside 198.51.100.7:80 > 203.0.113.1:$p tcp ${flags} seq=501 ack=101
        out a          a: inside 198.51.100.7:80 > 10.0.0.5:4242 tcp ${flags} seq=501 ack=101
        then 7440s
        in  b          b: outside 198.51.100.7:80 > 203.0.113.1:$p tcp A seq=501 ack=101
        out b          b: inside 198.51.100.7:80 > 10.0.0.5:4242 tcp A seq=501 ack=101
        drops none
      `);
    }
  });

  it('REQ-5: the inside answers the FIN of its peer, and with its own the connection is closing', () => {
    check(`${handshake}
      then
      in  abc
      a: outside 198.51.100.7:80 > 203.0.113.1:$p tcp FA seq=501 ack=101
      b: inside 10.0.0.5:4242 > 198.51.100.7:80 tcp FA seq=101 ack=502
      c: outside 198.51.100.7:80 > 203.0.113.1:$p tcp A seq=502 ack=102
      out abc
      a: inside 198.51.100.7:80 > 10.0.0.5:4242 tcp FA seq=501 ack=101
      b: outside 203.0.113.1:$p > 198.51.100.7:80 tcp FA seq=101 ack=502
      c: inside 198.51.100.7:80 > 10.0.0.5:4242 tcp A seq=502 ack=102
      then 600s
      in  d          d: outside 198.51.100.7:80 > 203.0.113.1:$p tcp A seq=502 ack=102
      drops no-binding=1
    `);
  });

  it('REQ-5: shorter timeouts cannot be configured', () => {
    expect(() => check('in -', { timeouts: { tcpEstablished: 7439 } })).toThrow(/tcpEstablished/);
    expect(() => check('in -', { timeouts: { tcpTransitory: 239 } })).toThrow(/tcpTransitory/);
  });

  it('REQ-6: payloads that speak of addresses are left alone', () => {
    check(`
      in  a    a: inside 10.0.0.5:4001 > 198.51.100.7:21 tcp PA seq=1 ack=1 "EPRT |1|10.0.0.5|4001|\\r\\n"
      out a    a: outside 203.0.113.1:$_ > 198.51.100.7:21 tcp PA seq=1 ack=1 "EPRT |1|10.0.0.5|4001|\\r\\n"
    `);
  });

  it('REQ-7: two inside endpoints never share an external one', () => {
    const result = check(`
      in  (ab)
      a: inside 10.0.0.5:4242 > 198.51.100.7:80 tcp S
      b: inside 10.0.0.6:4242 > 198.51.100.8:80 tcp S
      out (ab)
      a: outside 203.0.113.1:$p > 198.51.100.7:80 tcp S
      b: outside 203.0.113.1:$q > 198.51.100.8:80 tcp S
    `);
    expect(bound(result, 'p')).not.toBe(bound(result, 'q'));
  });

  it('REQ-8: hosts inside connect to each other by their external endpoints, which they also see', () => {
    check(`
      in  a         a: inside 10.0.0.6:80 > 198.51.100.7:99 tcp S
      out a         a: outside 203.0.113.1:$b > 198.51.100.7:99 tcp S
      then
      in  abc
      a: inside 10.0.0.5:4242 > 203.0.113.1:$b tcp S seq=100
      b: inside 10.0.0.6:80 > 203.0.113.1:$a tcp SA seq=500 ack=101
      c: inside 10.0.0.5:4242 > 203.0.113.1:$b tcp A seq=101 ack=501
      out abc
      a: inside 203.0.113.1:$a > 10.0.0.6:80 tcp S seq=100
      b: inside 203.0.113.1:$b > 10.0.0.5:4242 tcp SA seq=500 ack=101
      c: inside 203.0.113.1:$a > 10.0.0.6:80 tcp A seq=101 ack=501
      drops none
    `);
  });

  it('REQ-9: Destination Unreachable about a connection reaches the client', () => {
    check(`${handshake}
      then
      in  abc
      a: outside 198.51.100.7 > 203.0.113.1 icmp unreachable code=3 (203.0.113.1:$p > 198.51.100.7:80 tcp S seq=100)
      b: outside 192.0.2.1 > 203.0.113.1 icmp fragmentation-needed mtu=1280 (203.0.113.1:$p > 198.51.100.7:80 df tcp PA seq=101 ack=501 len=1400)
      c: outside 192.0.2.1 > 203.0.113.1 icmp unreachable code=1 quote=28 (203.0.113.1:$p > 198.51.100.7:80 tcp S seq=100)
      out abc
      a: inside 198.51.100.7 > 10.0.0.5 icmp unreachable code=3 (10.0.0.5:4242 > 198.51.100.7:80 tcp S seq=100)
      b: inside 192.0.2.1 > 10.0.0.5 icmp fragmentation-needed mtu=1280 (10.0.0.5:4242 > 198.51.100.7:80 df tcp PA seq=101 ack=501)
      c: inside 192.0.2.1 > 10.0.0.5 icmp unreachable code=1 (10.0.0.5:4242 > 198.51.100.7:80 tcp seq=100)
      drops none
    `);
  });

  it('REQ-10: an ICMP error leaves the connection as it is', () => {
    check(`${handshake}
      then
      in  a    a: outside 192.0.2.1 > 203.0.113.1 icmp unreachable code=3 (203.0.113.1:$p > 198.51.100.7:80 tcp A seq=101 ack=501)
      out a    a: inside 192.0.2.1 > 10.0.0.5 icmp unreachable code=3 (10.0.0.5:4242 > 198.51.100.7:80 tcp A seq=101 ack=501)
      then 7200s
      in  b    b: outside 198.51.100.7:80 > 203.0.113.1:$p tcp A seq=501 ack=101
      out b    b: inside 198.51.100.7:80 > 10.0.0.5:4242 tcp A seq=501 ack=101
      drops none
    `);
  });
});
