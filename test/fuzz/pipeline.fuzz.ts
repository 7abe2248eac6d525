/** The whole NAT on arbitrary frames from both sides: nothing is lost, and nothing wrong comes out. */
import assert from 'node:assert/strict';
import { type NatOptions, nat } from 'rxnf';
import { Harness } from 'rxnf/testing';
import { parseIpv4, parseIpv6 } from '../../src/wire/address.ts';
import { concatenate } from '../../src/wire/bytes.ts';
import { dissect } from '../../src/wire/frame.ts';
import { isMalformed } from '../../src/wire/malformed.ts';
import { parseText } from '../../src/wire/text.ts';
import type { FuzzTarget } from './target.ts';
import { corpusFrames } from './wire-corpus.ts';

const ip = (text: string) => parseIpv4(text) as number;
const inside = 0;
const outside = 1;

/** Ports without a MAC address take every frame. */
const ports = [
  { name: 'inside', mac: '00:00:00:00:00:00' },
  { name: 'outside', mac: '00:00:00:00:00:00', mtu: 1000 },
];

const ip6 = (text: string) => parseIpv6(text) as Uint8Array;
const routed: Partial<NatOptions> = {
  ipv6: 'route',
  interfaces6: {
    inside: [{ address: ip6('2001:db8:1::1'), length: 64 }],
    outside: [{ address: ip6('2001:db8:2::1'), length: 64 }],
  },
  routes6: [{ address: ip6('::'), length: 0, port: 'outside', via: ip6('fe80::fe') }],
};

function network(more: Partial<NatOptions>) {
  return nat({
    inside: ['inside'],
    outside: 'outside',
    interfaces: {
      inside: [{ address: ip('10.0.0.1'), length: 8 }],
      outside: [{ address: ip('203.0.113.1'), length: 24 }],
    },
    pool: [ip('203.0.113.1')],
    routes: [{ address: 0, length: 0, port: 'outside', via: ip('203.0.113.254') }],
    capacity: 64,
    ports: { first: 1024, last: 1055 },
    ...more,
  });
}

/** One mapping of each kind, for frames from outside to meet: the first external endpoints. */
const openers = [
  '10.0.0.5:4242 > 198.51.100.7:53 udp "x"',
  '10.0.0.5:4243 > 198.51.100.7:80 tcp S seq=1',
  '10.0.0.5 > 198.51.100.7 icmp echo id=7 seq=1 "x"',
].map((text) => parseText(text));

const texts: readonly (readonly [port: number, text: string])[] = [
  [inside, '10.0.0.5:4242 > 198.51.100.7:53 udp "x"'],
  [inside, '10.0.0.5:4242 > 198.51.100.7:53 udp checksum=0 len=1200'],
  [inside, '10.0.0.6:4000 > 198.51.100.7:80 df tcp A seq=1 ack=1 len=1200'],
  [inside, '10.0.0.5:4243 > 198.51.100.7:80 tcp FA seq=1 ack=1 mss=1460 ts=1/2'],
  [inside, '10.0.0.5:4242 > 203.0.113.1:1024 udp "round"'],
  [inside, '10.0.0.5 > 10.0.0.1 icmp echo id=1 seq=1 "x"'],
  [
    inside,
    '10.0.0.5 > 198.51.100.7 icmp unreachable code=3 (198.51.100.7:53 > 10.0.0.5:4242 udp "x")',
  ],
  [
    inside,
    '10.0.0.5 > 198.51.100.7 proto=udp id=9 mf frag=0 hex="1092003500180000aabbccddeeff0011"',
  ],
  [inside, '10.0.0.5 > 198.51.100.7 proto=udp id=9 frag=16 "the end."'],
  [inside, '10.0.0.5:4242 > 198.51.100.7:53 ttl=1 options=0703040000000000 udp "x"'],
  [inside, 'arp who-has 10.0.0.1 tell 10.0.0.5'],
  [outside, '198.51.100.7:53 > 203.0.113.1:1024 udp "y"'],
  [outside, '198.51.100.7:80 > 203.0.113.1:1024 tcp SA seq=1 ack=2'],
  [outside, '198.51.100.7 > 203.0.113.1 icmp echo-reply id=1024 seq=1 "x"'],
  [
    outside,
    '198.51.100.7 > 203.0.113.1 icmp time-exceeded code=0 (203.0.113.1:1024 > 198.51.100.7:53 udp "x")',
  ],
  [
    outside,
    '198.51.100.7 > 203.0.113.1 icmp unreachable code=1 (203.0.113.1 > 198.51.100.7 icmp echo id=1024 seq=1)',
  ],
  [outside, '198.51.100.7 > 203.0.113.1 proto=udp id=8 frag=16 "the end."'],
  [
    outside,
    '198.51.100.7 > 203.0.113.1 proto=udp id=8 mf frag=0 hex="0035040000180000aabbccddeeff0011"',
  ],
  [outside, 'arp 203.0.113.254 is-at 02:01:cb:00:71:fe target=203.0.113.1'],
];

const texts6: typeof texts = [
  [inside, '[2001:db8:1::5]:4242 > [2001:db8:9::7]:53 udp "x"'],
  [inside, '[2001:db8:1::5]:4242 > [2001:db8:9::7]:53 udp len=1200'],
  [inside, '[2001:db8:1::5]:4242 > [2001:db8:9::7]:80 ttl=1 tcp S seq=1'],
  [inside, '2001:db8:1::5 > 2001:db8:1::1 icmp6 echo echo-id=1 seq=1 "x"'],
  [inside, '2001:db8:1::5 > 2001:db8:9::7 proto=udp id=9 mf frag=0 len=64'],
  [inside, 'fe80::5 > ff02::1:ff00:1 ttl=255 icmp6 ns target=2001:db8:1::1 mac=02:00:00:00:00:05'],
  [inside, ':: > ff02::1:ff00:1 ttl=255 icmp6 ns target=2001:db8:1::1'],
  [outside, '[2001:db8:9::7]:53 > [2001:db8:1::5]:4242 ext=60:0000010400000000 udp "y"'],
  [
    outside,
    'fe80::fe > 2001:db8:2::1 ttl=255 icmp6 na target=fe80::fe flags=RSO mac=02:00:00:00:00:fe',
  ],
];

const scripted6 = texts6.map(([port, text]) => record(port, parseText(text)));
const scripted = texts.map(([port, text]) => record(port, parseText(text)));

export const targets: readonly FuzzTarget[] = [
  {
    name: 'nat-frames',
    corpus: [
      ...scripted,
      concatenate(scripted),
      ...corpusFrames().map((frame, i) => record(i % 2, frame)),
    ],
    run: (bytes) => play({}, bytes),
  },
  {
    name: 'nat-frames-filtered',
    corpus: [...scripted, concatenate(scripted)],
    run: (bytes) => play({ filtering: 'address-and-port-dependent' }, bytes),
  },
  {
    name: 'nat-frames-ipv6',
    corpus: [
      ...scripted6,
      concatenate(scripted6),
      ...corpusFrames().map((frame, i) => record(i % 2, frame)),
    ],
    run: (bytes) => play(routed, bytes),
  },
];

/** A frame as a record of an input: what to do (bit 0 the port, bits 1 and 2 a pause), its length, its bytes. */
function record(flags: number, frame: Uint8Array): Uint8Array {
  return concatenate([Uint8Array.of(flags, frame.length >> 8, frame.length & 0xff), frame]);
}

const pauses = [0, 1, 700, 20_000]; // ms
/** Frames of one input, at the most: a run takes well under a second. */
const maximumFrames = 64;

function play(options: Partial<NatOptions>, bytes: Uint8Array): void {
  using harness = new Harness(network(options), { ports, buffers: 512, burst: 16, batches: 4 });
  for (const frame of openers) harness.send('inside', frame);
  harness.run();
  let damaged = 0;
  let at = 0;
  for (let frames = 0; frames < maximumFrames && at + 3 <= bytes.length; frames++) {
    const flags = bytes[at] as number;
    const length = Math.min(((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number), 2048);
    const frame = bytes.subarray(at + 3, at + 3 + length);
    at += 3 + length;
    if (frame.length === 0) continue;
    damaged += isSound(frame) ? 0 : 1;
    harness.send((flags & 1) === inside ? 'inside' : 'outside', frame);
    const pause = pauses[(flags >> 1) & 3] as number;
    if (pause > 0) harness.advance(pause);
  }
  harness.finish();
  const unsound = harness.outputs().filter(({ frame }) => !isSound(frame));
  // A damaged packet stays damaged, and none becomes so; cut into pieces it shows no checksum at all.
  assert(unsound.length <= damaged, `${unsound.length} damaged frames came out of ${damaged}`);
}

/** Whether each checksum is right; a frame that is not well-formed must not come out at all. */
function isSound(bytes: Uint8Array): boolean {
  return !isMalformed(dissect(bytes, { verify: true }));
}
