import { nat } from 'rxnf';
import { Harness } from 'rxnf/testing';
import { describe, expect, it } from 'vitest';
import { parseText } from '../../../src/wire/text.ts';
import { check, network } from './network.ts';

const inside = 'port inside vlan=100\nport outside\n';
const both = 'port inside vlan=100\nport outside vlan=4094\n';

describe('the NAT with a port in a VLAN', () => {
  it('has the tag on the wire of that port, and on no other', () => {
    check(`${inside}
      in  a    a: inside 10.0.0.5:4242 > 198.51.100.7:53 vlan=100 udp "ask"
      out a    a: outside 203.0.113.1:$p > 198.51.100.7:53 udp "ask"
      then
      in  b    b: outside 198.51.100.7:53 > 203.0.113.1:$p udp "told"
      out b    b: inside 198.51.100.7:53 > 10.0.0.5:4242 vlan=100 udp "told"
      drops none
    `);
  });

  it('has another tag on the other port, and gives no priority on', () => {
    check(`${both}
      in  a    a: inside 10.0.0.5:4242 > 198.51.100.7:80 vlan=100:5 tcp S seq=9
      out a    a: outside 203.0.113.1:$p > 198.51.100.7:80 vlan=4094 tcp S seq=9
      then
      in  b    b: outside 198.51.100.7:80 > 203.0.113.1:$p vlan=4094 tcp SA seq=1 ack=10
      out b    b: inside 198.51.100.7:80 > 10.0.0.5:4242 vlan=100 tcp SA seq=1 ack=10
      drops none
    `);
  });

  it('drops what has another tag, none, one of priority alone or of a provider', () => {
    check(`${inside}
      in  (abcd)
      a: inside 10.0.0.5:4242 > 198.51.100.7:53 vlan=101 udp
      b: inside 10.0.0.5:4242 > 198.51.100.7:53 udp
      c: inside 10.0.0.5:4242 > 198.51.100.7:53 vlan=0:3 udp
      d: inside 10.0.0.5:4242 > 198.51.100.7:53 vlan=7 vlan=100 udp
      drops wrong-vlan=4
    `);
  });

  it('tags what it sends by itself: answers to pings, errors, fragments', () => {
    check(`${inside}
      in  (ab)
      a: inside 10.0.0.5 > 10.0.0.1 vlan=100 icmp echo id=7 seq=1 "x"
      b: inside 10.0.0.5:4242 > 198.51.100.7:53 vlan=100 ttl=1 udp "x"
      out (ab)
      a: inside 10.0.0.1 > 10.0.0.5 vlan=100 icmp echo-reply id=7 seq=1 "x"
      b: inside 10.0.0.1 > 10.0.0.5 vlan=100 icmp time-exceeded code=0 (10.0.0.5:4242 > 198.51.100.7:53 ttl=1 udp "x")
      drops answered=1 ttl-exceeded=1
    `);
  });

  it('asks and answers with ARP in the VLAN', () => {
    const ports = [{ name: 'inside', vlan: 100 }, { name: 'outside' }];
    using harness = new Harness(nat(network), { ports, answerArp: false });
    harness.send('inside', parseText('arp who-has 10.0.0.1 tell 10.0.0.5 vlan=100'));
    harness.run();
    const [reply] = harness.received('inside');
    expect([...(reply as Uint8Array).subarray(12, 18)]).toEqual([0x81, 0, 0, 100, 8, 6]);
  });

  it('keeps the MTU for the packet alone', () => {
    check(`${inside}
      in  a    a: inside 10.0.0.5:4242 > 198.51.100.7:53 vlan=100 df udp len=1472
      out a    a: outside 203.0.113.1:$p > 198.51.100.7:53 df udp len=1472
      then
      in  b    b: outside 198.51.100.7:53 > 203.0.113.1:$p df udp len=1472
      out b    b: inside 198.51.100.7:53 > 10.0.0.5:4242 vlan=100 df udp len=1472
      drops none
    `);
  });

  it('drops frames that end within the tag', () => {
    const ports = [{ name: 'inside', vlan: 100 }, { name: 'outside' }];
    using harness = new Harness(nat(network), { ports });
    const frame = parseText('10.0.0.5:4242 > 198.51.100.7:53 vlan=100 udp');
    for (const length of [14, 15, 16, 17]) harness.send('inside', frame.subarray(0, length));
    expect(harness.finish().dropped).toMatchObject({ 'wrong-vlan': 4 });
  });
});
