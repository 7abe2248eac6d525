import { describe, expect, it } from 'vitest';
import { viewOf } from '../../src/wire/bytes.ts';
import { composePacket } from '../../src/wire/compose.ts';
import * as quoted from '../../src/wire/quoted.ts';

const PACKET4 = composePacket({
  ipv4: { source: '10.0.0.5', destination: '198.51.100.7', options: Uint8Array.of(1, 1, 1, 1) },
  udp: { source: 1, destination: 2 },
  payload: 'payload',
});
const PACKET6 = composePacket({
  ipv6: {
    source: '2001:db8::5',
    destination: '2001:db8::7',
    extensions: [{ protocol: 60, bytes: new Uint8Array(8) }],
  },
  tcp: { source: 1, destination: 2 },
});

describe.each([
  ['IPv4', PACKET4, 24, 17],
  ['IPv6', PACKET6, 48, 6],
])('a quoted %s packet', (_name, packet, transportOffset, protocol) => {
  it('needs its header and 8 bytes more, at every truncation', () => {
    for (let length = 0; length <= packet.length; length++) {
      const view = viewOf(packet.slice(0, length));
      const wanted = length < transportOffset + 8 ? 'bad-icmp-quote' : undefined;
      expect([length, quoted.check(view, 0, length)]).toEqual([length, wanted]);
    }
  });

  it('tells its transport although its end is missing', () => {
    const end = transportOffset + 8;
    const view = viewOf(packet.slice(0, end));
    expect(quoted.protocol(view, 0, end)).toBe(protocol);
    expect(quoted.transportOffset(view, 0, end)).toBe(transportOffset);
    expect(quoted.isLaterFragment(view, 0, end)).toBe(false);
  });

  it('is written up to the maximum', () => {
    const view = viewOf(new Uint8Array(100).fill(0xa5));
    expect(quoted.write(view, 3, { packet, maximum: 30 })).toBe(30);
    expect(new Uint8Array(view.buffer, 3, 30)).toEqual(packet.slice(0, 30));
    expect(view.getUint8(2)).toBe(0xa5);
    expect(view.getUint8(33)).toBe(0xa5);
  });
});

describe('a quote', () => {
  it('is refused with another version or a wrong header checksum', () => {
    const other = PACKET4.slice();
    other[0] = 0x56;
    expect(quoted.check(viewOf(other), 0, other.length)).toBe('bad-icmp-quote');
    const wrong = PACKET4.slice();
    wrong[8] = 1;
    expect(quoted.check(viewOf(wrong), 0, wrong.length)).toBe('bad-icmp-quote');
  });

  it('may be of a later fragment', () => {
    const fragment4 = composePacket({
      ipv4: { source: 1, destination: 2, protocol: 17, fragmentOffset: 8 },
      payload: '12345678',
    });
    expect(quoted.check(viewOf(fragment4), 0, fragment4.length)).toBeUndefined();
    expect(quoted.isLaterFragment(viewOf(fragment4), 0, fragment4.length)).toBe(true);
    const fragment6 = composePacket({
      ipv6: {
        source: '::1',
        destination: '::2',
        protocol: 17,
        fragment: { identification: 1, fragmentOffset: 8, moreFragments: false },
      },
      payload: '12345678',
    });
    expect(quoted.check(viewOf(fragment6), 0, fragment6.length)).toBeUndefined();
    expect(quoted.isLaterFragment(viewOf(fragment6), 0, fragment6.length)).toBe(true);
  });
});
