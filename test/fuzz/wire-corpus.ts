/** Where fuzzing starts: a frame of every kind, and frames of the captures kept in the repository. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { frameAt, readCapture } from '../../src/wire/capture.ts';
import { compose, fragment } from '../../src/wire/frame.ts';
import { parseText } from '../../src/wire/text.ts';

const QUOTED = '10.0.0.5:4242 > 198.51.100.7:53 udp "x"';
const QUOTED6 = '[2001:db8::5]:4242 > [2001:db8::7]:80 tcp S seq=1 ack=0 win=100';

export const TEXTS: readonly string[] = [
  QUOTED,
  QUOTED6,
  '10.0.0.5:1 > 198.51.100.7:2 ttl=3 tos=8 id=77 df options=94040000 udp checksum=bad len=40',
  '10.0.0.5:1 > 198.51.100.7:2 vlan=7 vlan=8:3:dei from=02:00:00:00:00:07 udp checksum=0 "x"',
  '10.0.0.5:1 > 198.51.100.7:2 tcp SA seq=1 ack=2 win=3 mss=1460 sack-ok ts=1/2 wscale=7 "x"',
  '10.0.0.5:1 > 198.51.100.7:2 tcp - seq=0 ack=0 win=1 urg=3 tcp-options=01010101 trailer=0000',
  '10.0.0.5 > 198.51.100.7 icmp echo id=7 seq=1 "x"',
  `192.0.2.1 > 10.0.0.5 icmp unreachable code=3 (${QUOTED})`,
  '192.0.2.1 > 10.0.0.5 icmp time-exceeded code=0 quote=28 (10.0.0.5:1 > 10.0.0.6:2 tcp A "x")',
  `192.0.2.1 > 10.0.0.5 icmp fragmentation-needed mtu=1400 (${QUOTED})`,
  `192.0.2.1 > 10.0.0.5 icmp parameter-problem pointer=9 (${QUOTED})`,
  '10.0.0.5 > 198.51.100.7 proto=udp id=77 mf frag=8 hex="0102"',
  '2001:db8::5 > 2001:db8::7 proto=udp ext=60:2c00010400000000 id=77 frag=8 hex="0102"',
  '2001:db8::5 > 2001:db8::7 icmp6 echo id=7 seq=1',
  `2001:db8::1 > 2001:db8::5 icmp6 packet-too-big mtu=1400 (${QUOTED6})`,
  'fe80::1 > ff02::1:ff00:5 ttl=255 icmp6 ns target=fe80::5 mac=02:00:00:00:00:01',
  'fe80::1 > fe80::2 ttl=255 icmp6 na target=fe80::5 flags=RSO mac=02:00:00:00:00:01',
  'arp who-has 10.0.0.1 tell 10.0.0.5',
  'arp 10.0.0.1 is-at 02:00:00:00:00:01 target=10.0.0.5',
  'ether type=0x88cc hex="0203"',
];

/** More than the distinct shapes in a capture of clients. */
const FRAMES_PER_CAPTURE = 500;

export function corpusFrames(): Uint8Array[] {
  const whole = compose({
    ipv4: { source: '10.0.0.5', destination: '198.51.100.7', identification: 5 },
    udp: { source: 4242, destination: 53 },
    payload: 'x'.repeat(100),
  });
  const captures = join(import.meta.dirname, '../../captures');
  const recorded = globSync('*.pcap*', { cwd: captures }).flatMap((name) => {
    const capture = readCapture(readFileSync(join(captures, name)));
    const count = Math.min(capture.count, FRAMES_PER_CAPTURE);
    return Array.from({ length: count }, (_, index) => frameAt(capture, index));
  });
  const composed = TEXTS.map((text) => parseText(text));
  return [...composed, ...fragment(whole, 68), ...recorded.filter((frame) => frame !== undefined)];
}
