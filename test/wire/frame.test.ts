import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/wire/bytes.ts';
import type { Description, Frame } from '../../src/wire/frame.ts';
import { compose, composePacket, dissect, fragment } from '../../src/wire/frame.ts';
import { isMalformed, MALFORMED } from '../../src/wire/malformed.ts';
import { description } from './arbitraries.ts';

function frameOf(bytes: Uint8Array): Frame {
  const frame = dissect(bytes);
  if (isMalformed(frame)) throw new Error(`malformed: ${frame}`);
  return frame;
}

const ADDRESSES = { source: '10.0.0.5', destination: '198.51.100.7' };
const UDP = { ipv4: ADDRESSES, udp: { source: 4242, destination: 53 }, payload: 'x' };
const TCP = { ipv4: ADDRESSES, tcp: { source: 4242, destination: 80, flags: 2 }, payload: 'x' };

describe('compose', () => {
  it('gives the known bytes of a UDP datagram, checksums and all', () => {
    // By hand: the IP header's words fold to 0xb96e, UDP's with its pseudo-header's to 0xbd2a.
    expect(toHex(compose(UDP))).toBe(
      [
        '020000000002 020000000001 0800',
        '4500 001d 0000 0000 4011 4691 0a000005 c6336407',
        '1092 0035 0009 42d5 78',
      ]
        .join('')
        .replaceAll(' ', ''),
    );
  });

  it('puts the outer tag of two into 802.1ad', () => {
    const bytes = compose({ ...UDP, vlan: [{ identifier: 100 }, { identifier: 7, priority: 3 }] });
    expect(toHex(bytes.subarray(12, 22))).toBe('88a80064810060070800');
  });

  it('sends an ARP request to everyone, from its sender', () => {
    const arp = {
      operation: 1,
      senderMac: 5,
      senderAddress: '10.0.0.5',
      targetAddress: '10.0.0.1',
    };
    expect(frameOf(compose({ arp })).ethernet).toMatchObject({
      source: 5,
      destination: 0xffff_ffff_ffff,
    });
  });

  it('quotes up to what an error may be long', () => {
    const quoted = { ...UDP, payload: new Uint8Array(1500) };
    const error = compose({ ipv4: ADDRESSES, icmp: { type: 3, code: 1, quoted } });
    expect(error.length).toBe(14 + 576);
    const ipv6 = { source: '::1', destination: '::2' };
    const quoted6 = { ipv6, udp: UDP.udp, payload: new Uint8Array(1500) };
    const error6 = compose({ ipv6, icmpv6: { type: 2, mtu: 1280, quoted: quoted6 } });
    expect(error6.length).toBe(14 + 1280);
    const bytes = composePacket(UDP);
    const short = compose({ ipv4: ADDRESSES, icmp: { type: 3, quoted: bytes, quotedLength: 28 } });
    expect(short.length).toBe(14 + 28 + 28);
  });

  it('refuses what no field can hold and what is no address', () => {
    expect(() => compose({ ...UDP, payload: new Uint8Array(65_536) })).toThrow(RangeError);
    expect(() => compose({ ...UDP, ipv4: { ...ADDRESSES, source: '10.0.0' } })).toThrow(TypeError);
    expect(() => compose({ payload: 'x' })).toThrow(TypeError);
    const options = new Uint8Array(41);
    expect(() => compose({ ...UDP, ipv4: { ...ADDRESSES, options } })).toThrow(RangeError);
    expect(() => compose({ ...TCP, tcp: { ...TCP.tcp, options } })).toThrow(RangeError);
  });
});

describe('dissect', () => {
  it('gives every layer, and payload without padding', () => {
    const frame = frameOf(compose({ ...UDP, trailer: new Uint8Array(17) }));
    expect(frame.ipv4).toMatchObject({ source: 0x0a000005, protocol: 17, timeToLive: 64 });
    expect(frame.udp).toEqual({ source: 4242, destination: 53 });
    expect(toHex(frame.payload)).toBe('78');
    expect(frame.trailer).toHaveLength(17);
  });

  it('says which checksum is wrong, and refuses it when asked to verify', () => {
    const wrong: [Description, (frame: Frame) => unknown][] = [
      [{ ...UDP, ipv4: { ...ADDRESSES, checksum: 'bad' } }, (frame) => frame.ipv4?.checksum],
      [{ ...UDP, udp: { ...UDP.udp, checksum: 'bad' } }, (frame) => frame.udp?.checksum],
      [{ ...TCP, tcp: { ...TCP.tcp, checksum: 'bad' } }, (frame) => frame.tcp?.checksum],
      [{ ipv4: ADDRESSES, icmp: { type: 8, checksum: 'bad' } }, (frame) => frame.icmp?.checksum],
    ];
    for (const [what, checksumOf] of wrong) {
      const bytes = compose(what);
      expect(checksumOf(frameOf(bytes))).toBe('bad');
      expect(dissect(bytes, { verify: true })).toBe('bad-checksum');
    }
    const none = compose({ ...UDP, udp: { ...UDP.udp, checksum: 0 } });
    expect(frameOf(none).udp?.checksum).toBe(0);
    expect(isMalformed(dissect(none, { verify: true }))).toBe(false);
    expect(isMalformed(dissect(compose(TCP), { verify: true }))).toBe(false);
  });

  it('leaves a fragment whole', () => {
    const ipv4 = { ...ADDRESSES, protocol: 17, moreFragments: true };
    const frame = frameOf(compose({ ipv4, payload: '12345678' }));
    expect(frame.udp).toBeUndefined();
    expect(frame.payload).toHaveLength(8);
  });

  it('reads an error whose quote ends in the middle of a TCP header', () => {
    const quoted = { ...TCP, tcp: { ...TCP.tcp, sequence: 99 } };
    const bytes = compose({ ipv4: ADDRESSES, icmp: { type: 11, quoted, quotedLength: 28 } });
    const { icmp } = frameOf(bytes);
    expect(icmp?.quoted?.tcp).toEqual({ source: 4242, destination: 80, sequence: 99 });
    expect(icmp?.quoted?.ipv4?.totalLength).toBe(41);
    expect(icmp?.quotedLength).toBe(28);
  });

  it.each([
    ['bad-version', 14, 0x65],
    ['bad-header-length', 14, 0x44],
    ['bad-total-length', 17, 19],
    ['truncated', 17, 42],
    ['bad-tcp-offset', 46, 0x40],
  ])('is %s with byte %i at %i', (reason, index, value) => {
    const bytes = compose(TCP);
    bytes[index] = value;
    expect(dissect(bytes)).toBe(reason);
  });

  it('names a reason for every truncation of every kind of frame', () => {
    fc.assert(
      fc.property(description, (what) => {
        const bytes = compose({ ...what, trailer: new Uint8Array() });
        const hasEnd = what.ipv4 !== undefined || what.ipv6 !== undefined || what.arp !== undefined;
        for (let length = 0; length < bytes.length; length++) {
          const found = dissect(bytes.slice(0, length));
          if (hasEnd || length < 14) expect(MALFORMED).toContain(found);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('is undone by compose', () => {
    fc.assert(
      fc.property(description, (what) => {
        const bytes = compose(what);
        expect(toHex(compose(frameOf(bytes)))).toBe(toHex(bytes));
      }),
      { numRuns: 1000 },
    );
  });

  it('finds every checksum of a composed frame right', () => {
    const UDP6 = { ipv6: { source: '::1', destination: '::2' }, udp: UDP.udp, payload: 'x' };
    for (const what of [UDP, TCP, UDP6]) {
      expect(isMalformed(dissect(compose(what), { verify: true }))).toBe(false);
    }
  });

  it('throws for no bytes whatever', () => {
    fc.assert(
      fc.property(description, fc.nat(), fc.integer({ min: 0, max: 255 }), (what, where, value) => {
        const bytes = compose(what);
        bytes[where % bytes.length] = value;
        dissect(bytes);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('fragment', () => {
  const payload = Uint8Array.from({ length: 3000 }, (_, index) => index % 251);

  /** The packet that the pieces make, by their offsets. */
  function joined(pieces: readonly Uint8Array[]): Uint8Array {
    const whole = new Uint8Array(70_000);
    let end = 0;
    for (const frame of pieces.map(frameOf)) {
      const at = frame.ipv4?.fragmentOffset ?? frame.ipv6?.fragment?.fragmentOffset ?? 0;
      whole.set(frame.payload, at);
      end = Math.max(end, at + frame.payload.length);
    }
    return whole.slice(0, end);
  }

  it('cuts an IPv4 packet into pieces that fit and join again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 68, max: 3100 }), (mtu) => {
        const bytes = compose({ ...UDP, payload, vlan: [{ identifier: 5 }] });
        const pieces = fragment(bytes, mtu);
        for (const piece of pieces) expect(piece.length - 18).toBeLessThanOrEqual(mtu);
        if (mtu >= bytes.length - 18) expect(pieces).toEqual([bytes]);
        else expect(toHex(joined(pieces))).toBe(toHex(bytes.subarray(18 + 20)));
      }),
    );
  });

  it('marks all but the last, at offsets of 8 bytes', () => {
    const pieces = fragment(compose({ ...UDP, payload }), 1500).map(frameOf);
    expect(pieces.map((piece) => piece.ipv4?.fragmentOffset)).toEqual([0, 1480, 2960]);
    expect(pieces.map((piece) => piece.ipv4?.moreFragments)).toEqual([true, true, false]);
  });

  it('cuts a fragment further without losing its place', () => {
    const [first, second] = fragment(compose({ ...UDP, payload }), 1500) as [
      Uint8Array,
      Uint8Array,
    ];
    const pieces = [...fragment(first, 600), ...fragment(second, 600)].map(frameOf);
    expect(pieces.map((piece) => piece.ipv4?.fragmentOffset)).toEqual([
      0, 576, 1152, 1480, 2056, 2632,
    ]);
    expect(pieces.every((piece) => piece.ipv4?.moreFragments)).toBe(true);
  });

  it('repeats the options that say so', () => {
    // Record Route (7) stays in the first, Loose Source Route (131) goes everywhere.
    const options = fromHex('070304 830704 0a000001 0000') as Uint8Array;
    const pieces = fragment(compose({ ...UDP, ipv4: { ...ADDRESSES, options }, payload }), 1500);
    const [first, ...later] = pieces.map((piece) => frameOf(piece).ipv4?.options);
    expect(toHex(first as Uint8Array)).toBe(toHex(options));
    for (const each of later) expect(toHex(each as Uint8Array)).toBe('8307040a00000100');
  });

  it('cuts an IPv6 packet behind its extension headers', () => {
    const extensions = [{ protocol: 0, bytes: fromHex('0000010400000000') as Uint8Array }];
    const ipv6 = { source: '2001:db8::5', destination: '2001:db8::7', extensions };
    const bytes = compose({ ipv6, udp: UDP.udp, payload });
    const pieces = fragment(bytes, 1280, 77);
    expect(pieces.length).toBe(3);
    for (const piece of pieces) expect(piece.length - 14).toBeLessThanOrEqual(1280);
    expect(toHex(joined(pieces))).toBe(toHex(bytes.subarray(14 + 48)));
    expect(frameOf(pieces[0] as Uint8Array).ipv6?.fragment?.identification).toBe(77);
  });

  it('refuses an MTU without room, and a malformed frame', () => {
    expect(() => fragment(compose({ ...UDP, payload }), 27)).toThrow(RangeError);
    expect(() => fragment(new Uint8Array(5), 1500)).toThrow(RangeError);
  });
});
