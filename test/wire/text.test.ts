import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex, viewOf } from '../../src/wire/bytes.ts';
import { updateUdp16 } from '../../src/wire/checksum.ts';
import type { Frame } from '../../src/wire/frame.ts';
import { compose, dissect } from '../../src/wire/frame.ts';
import { filler, formatText, parseDescription, parseText, TextError } from '../../src/wire/text.ts';
import * as udp from '../../src/wire/udp.ts';
import { description } from './arbitraries.ts';

const QUOTED = '10.0.0.5:4242 > 198.51.100.7:53 udp "x"';

describe("a packet's text", () => {
  it.each([
    QUOTED,
    '10.0.0.5:4242 > 198.51.100.7:80 tcp S seq=1 ack=0 win=100 mss=1460 "payload"',
    '10.0.0.5:1 > 198.51.100.7:2 tcp SA seq=0 ack=0 win=1 mss=1 sack-ok ts=1/2 wscale=7',
    '10.0.0.5:1 > 198.51.100.7:2 tcp - seq=0 ack=0 win=1 urg=3 tcp-options=01010101',
    '10.0.0.5:1 > 198.51.100.7:2 ttl=3 tos=8 id=77 df udp len=40',
    '10.0.0.5:1 > 198.51.100.7:2 header-checksum=bad udp checksum=bad hex="0102"',
    '10.0.0.5:1 > 198.51.100.7:2 options=94040000 udp checksum=0 trailer=0000',
    '10.0.0.5:1 > 198.51.100.7:2 udp checksum=0x1234',
    '10.0.0.5:1 > 198.51.100.7:2 vlan=7 udp',
    '10.0.0.5:1 > 198.51.100.7:2 from=02:00:00:00:00:07 vlan=7 vlan=8:3:dei udp',
    '10.0.0.5 > 198.51.100.7 icmp echo id=7 seq=1 "x"',
    '10.0.0.5 > 198.51.100.7 id=9 icmp echo-reply id=7 seq=1',
    `192.0.2.1 > 10.0.0.5 icmp unreachable code=3 (${QUOTED})`,
    `192.0.2.1 > 10.0.0.5 icmp time-exceeded code=0 (${QUOTED})`,
    `192.0.2.1 > 10.0.0.5 icmp fragmentation-needed mtu=1400 (${QUOTED})`,
    `192.0.2.1 > 10.0.0.5 icmp parameter-problem code=0 pointer=9 (${QUOTED})`,
    '192.0.2.1 > 10.0.0.5 icmp time-exceeded code=0 quote=28 (10.0.0.5:1 > 10.0.0.6:2 total=40 tcp seq=9)',
    '10.0.0.5 > 198.51.100.7 icmp type=13 code=0 rest=0x10002 hex="00000001"',
    '10.0.0.5 > 198.51.100.7 proto=udp id=77 mf frag=0 hex="0102"',
    '10.0.0.5 > 198.51.100.7 proto=47 hex="0102"',
    '[2001:db8::5]:4242 > [2001:db8::7]:53 ttl=1 tos=2 flow=3 udp "x"',
    '2001:db8::5 > 2001:db8::7 proto=udp ext=60:2c00010400000000 id=77 frag=8 hex="0102"',
    '2001:db8::5 > 2001:db8::7 icmp6 echo id=7 seq=1',
    'fe80::1 > ff02::1:ff00:5 ttl=255 icmp6 ns target=fe80::5 mac=02:00:00:00:00:01',
    'fe80::1 > fe80::2 ttl=255 icmp6 na target=fe80::5 flags=RSO mac=02:00:00:00:00:01',
    '2001:db8::1 > 2001:db8::5 icmp6 packet-too-big code=0 mtu=1400 ([2001:db8::5]:1 > [2001:db8::7]:2 udp)',
    'arp who-has 10.0.0.1 tell 10.0.0.5',
    'arp 10.0.0.1 is-at 02:00:00:00:00:01 target=10.0.0.5',
    'ether type=0x88cc hex="0203"',
    'raw="0203"',
  ])('%s is its own canonical form', (text) => {
    expect(formatText(parseText(text))).toBe(text);
  });

  it('means what it says', () => {
    const text = '10.0.0.5:4242 > 198.51.100.7:80 tcp SA seq=1 win=100 mss=1460 "p\\x00\\""';
    expect(dissect(parseText(text))).toMatchObject({
      ipv4: { source: 0x0a000005, destination: 0xc6336407 },
      tcp: { source: 4242, destination: 80, flags: 0x12, sequence: 1, window: 100 },
      payload: Uint8Array.of(0x70, 0, 0x22),
    });
  });

  it('takes its parts in any order', () => {
    const canonical = parseText('10.0.0.5 > 198.51.100.7 ttl=9 id=1 df icmp echo id=7 seq=1 "x"');
    const other = parseText('10.0.0.5 > 198.51.100.7 id=1 icmp df "x" echo seq=1 id=7 ttl=9');
    expect(toHex(other)).toBe(toHex(canonical));
  });

  it('leaves MAC addresses to defaults', () => {
    const defaults = { source: 0x11, destination: 0x22 };
    const bytes = parseText(QUOTED, defaults);
    expect((dissect(bytes) as Frame).ethernet).toMatchObject(defaults);
    expect(formatText(bytes, defaults)).toBe(QUOTED);
    expect(formatText(bytes)).toContain('from=00:00:00:00:00:11 to=00:00:00:00:00:22');
  });

  it('has filler for payloads of a length', () => {
    expect((dissect(parseText('1.0.0.1:1 > 1.0.0.2:2 udp len=300')) as Frame).payload).toEqual(
      filler(300),
    );
    expect(filler(300)[251]).toBe(0);
  });

  it('says checksum=bad again after an incremental update', () => {
    const bytes = parseText('10.0.0.5:4242 > 198.51.100.7:53 udp checksum=bad "x"');
    const view = viewOf(bytes);
    const at = 14 + 20;
    udp.setChecksum(view, at, updateUdp16(udp.checksum(view, at), 4242, 1024));
    udp.setSource(view, at, 1024);
    expect(formatText(bytes)).toBe('10.0.0.5:1024 > 198.51.100.7:53 udp checksum=bad "x"');
  });

  it('holds every frame, byte for byte', () => {
    fc.assert(
      fc.property(description, (what) => {
        const bytes = compose(what);
        const text = formatText(bytes);
        expect(text).not.toMatch(/^raw=/);
        expect(toHex(parseText(text))).toBe(toHex(bytes));
      }),
      { numRuns: 1000 },
    );
  });

  it('holds any bytes at all', () => {
    fc.assert(
      fc.property(description, fc.nat(), fc.integer({ min: 0, max: 255 }), (what, where, value) => {
        const bytes = compose(what);
        bytes[where % bytes.length] = value;
        expect(toHex(parseText(formatText(bytes)))).toBe(toHex(bytes));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a text that is wrong', () => {
  it.each([
    ['', 0],
    ['10.0.0.5', 0],
    ['10.0.0.5 < 10.0.0.6 udp', 9],
    ['10.0.0.500:1 > 10.0.0.6:2 udp', 0],
    ['10.0.0.5:1 > 10.0.0.6:70000 udp', 13],
    ['10.0.0.5:1 > [::1]:2 udp', 13],
    ['10.0.0.5 > 10.0.0.6:2 udp', 25],
    ['10.0.0.5:1 > 10.0.0.6:2', 23],
    ['10.0.0.5:1 > 10.0.0.6:2 udp nonsense', 28],
    ['10.0.0.5:1 > 10.0.0.6:2 udp seq=1', 28],
    ['10.0.0.5:1 > 10.0.0.6:2 udp ttl=256', 28],
    ['10.0.0.5:1 > 10.0.0.6:2 udp ttl=1 ttl=2', 34],
    ['10.0.0.5:1 > 10.0.0.6:2 udp hex="0"', 28],
    ['10.0.0.5:1 > 10.0.0.6:2 udp "x', 28],
    ['10.0.0.5:1 > 10.0.0.6:2 udp "\\q"', 29],
    ['10.0.0.5:1 > 10.0.0.6:2 udp "x" "y"', 32],
    ['10.0.0.5:1 > 10.0.0.6:2 tcp SX', 28],
    ['10.0.0.5 > 10.0.0.6 proto=udp frag=9', 30],
    ['10.0.0.5 > 10.0.0.6 icmp', 24],
    ['10.0.0.5 > 10.0.0.6 icmp unreachable (10.0.0.5 > )', 49],
    ['10.0.0.5 > 10.0.0.6 icmp unreachable (10.0.0.5', 37],
    ['10.0.0.5 > 10.0.0.6 proto=1)', 27],
    ['arp who-has 10.0.0.1', 20],
    ['arp 10.0.0.1 is-at 5', 19],
    ['ether hex="01"', 14],
    ['raw="0"', 0],
  ])('%j is refused at column %i', (text, column) => {
    let thrown: unknown;
    try {
      parseText(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(TextError);
    expect((thrown as TextError).column).toBe(column);
  });

  it('does not nest without end', () => {
    const head = '1.0.0.1 > 1.0.0.2 icmp unreachable ';
    const nested = (depth: number): string =>
      depth === 0 ? QUOTED : `${head}(${nested(depth - 1)})`;
    expect(() => parseText(nested(3))).not.toThrow();
    expect(() => parseText(nested(4))).toThrow(TextError);
  });

  it('is never anything but a TextError', () => {
    const words = fc.constantFrom(
      '10.0.0.5:1',
      '10.0.0.5',
      '[::1]:2',
      '::1',
      '>',
      'udp',
      'tcp',
      'icmp',
      'icmp6',
      'echo',
      'arp',
      'who-has',
      'tell',
      'is-at',
      'ether',
      'S',
      'df',
      'mf',
      '"x"',
      '(',
      ')',
      '=',
      'id=1',
      'frag=8',
      'type=3',
      'hex="00"',
      'len=9',
      'raw=00',
      'ext=60:0000000000000000',
      'mss=5',
      'vlan=1:9',
      'target=::1',
      'quote=5',
      'total=3',
      'options=00',
      '02:00:00:00:00:01',
      'checksum=bad',
      'proto=6',
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(words, fc.string({ maxLength: 5 })), { maxLength: 12 }),
        (list) => {
          try {
            parseText(list.join(' '));
          } catch (error) {
            expect(error).toBeInstanceOf(TextError);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('describes nothing where it is raw', () => {
    expect(() => parseDescription('raw=00')).toThrow(TextError);
  });
});
