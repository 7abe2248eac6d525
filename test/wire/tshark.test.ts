/** Another reader's opinion: tshark on a capture of everything that compose and the text can say. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatIpv4, formatIpv6 } from '../../src/wire/address.ts';
import { writeCapture } from '../../src/wire/capture.ts';
import type { Description, Frame } from '../../src/wire/frame.ts';
import { compose, dissect, fragment } from '../../src/wire/frame.ts';
import { parseText } from '../../src/wire/text.ts';
import { description } from './arbitraries.ts';

const isAbsent = spawnSync('tshark', ['--version']).status !== 0;
const title = isAbsent ? ' (skipped: tshark is not installed)' : '';

const QUOTED = '10.0.0.5:4242 > 198.51.100.7:5353 udp "quoted"';
const QUOTED6 = '[2001:db8::5]:4242 > [2001:db8::7]:80 tcp S seq=1 ack=0 win=100 mss=1440';

/** One of every kind, all of them right. */
const TEXTS = [
  '10.0.0.5:4242 > 198.51.100.7:9999 udp "x"',
  '10.0.0.5:4242 > 198.51.100.7:9999 udp len=1473',
  '10.0.0.5:4242 > 198.51.100.7:9999 ttl=3 tos=0xb8 id=77 df options=94040000 udp "options"',
  '10.0.0.5:4242 > 198.51.100.7:9999 vlan=100:5:dei vlan=7 udp "tagged"',
  '10.0.0.5:4242 > 198.51.100.7:80 tcp S seq=1 ack=0 win=100 mss=1460 sack-ok ts=1/0 wscale=7',
  '10.0.0.5:4242 > 198.51.100.7:80 tcp PA seq=2 ack=9 win=100 "odd"',
  '10.0.0.5 > 198.51.100.7 icmp echo id=7 seq=1 "x"',
  '198.51.100.7 > 10.0.0.5 icmp echo-reply id=7 seq=1 "xyz"',
  `192.0.2.1 > 10.0.0.5 icmp unreachable code=3 (${QUOTED})`,
  `192.0.2.1 > 10.0.0.5 icmp fragmentation-needed mtu=1400 (${QUOTED})`,
  `192.0.2.1 > 10.0.0.5 icmp time-exceeded code=0 (${QUOTED})`,
  `192.0.2.1 > 10.0.0.5 icmp parameter-problem code=0 pointer=20 (${QUOTED})`,
  '[2001:db8::5]:4242 > [2001:db8::7]:9999 tos=2 flow=0x12345 udp "x"',
  '[2001:db8::5]:4242 > [2001:db8::7]:80 tcp S seq=1 ack=0 win=100 mss=1440',
  '[2001:db8::5]:4242 > [2001:db8::7]:9999 ext=60:0000010400000000 udp "behind options"',
  '2001:db8::5 > 2001:db8::7 icmp6 echo id=7 seq=1 "x"',
  `2001:db8::1 > 2001:db8::5 icmp6 unreachable code=4 (${QUOTED6})`,
  `2001:db8::1 > 2001:db8::5 icmp6 packet-too-big mtu=1280 (${QUOTED6})`,
  `2001:db8::1 > 2001:db8::5 icmp6 time-exceeded code=0 (${QUOTED6})`,
  'fe80::1 > ff02::1:ff00:5 ttl=255 icmp6 ns target=fe80::5 mac=02:00:00:00:00:01',
  'fe80::5 > fe80::1 ttl=255 icmp6 na target=fe80::5 flags=SO mac=02:00:00:00:00:02',
  'arp who-has 10.0.0.1 tell 10.0.0.5',
  'arp 10.0.0.1 is-at 02:00:00:00:00:02 target=10.0.0.5 to=02:00:00:00:00:01',
];

const CHECKED = ['ip.check_checksum', 'tcp.check_checksum', 'udp.check_checksum'];
const GOOD = '1';
const BAD = '0';

describe.skipIf(isAbsent)(`tshark${title}`, () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rxnf-wire-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Values of some fields, for each frame; the first layer's where several have one. */
  function ask(frames: readonly Uint8Array[], fields: readonly string[]): string[][] {
    const file = join(folder, 'composed.pcap');
    writeFileSync(file, writeCapture(frames));
    const output = execFileSync(
      'tshark',
      [
        ...['-n', '-r', file, '-T', 'fields', '-E', 'separator=|', '-E', 'occurrence=f'],
        ...CHECKED.flatMap((preference) => ['-o', `${preference}:TRUE`]),
        ...fields.flatMap((field) => ['-e', field]),
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 64 << 20 },
    );
    const rows = output.trimEnd().split('\n');
    expect(rows).toHaveLength(frames.length);
    return rows.map((row) => row.split('|'));
  }

  const STATUS = ['ip', 'tcp', 'udp', 'icmp', 'icmpv6'].map((name) => `${name}.checksum.status`);

  it('finds every checksum right and nothing malformed in frames written as text', () => {
    const frames = TEXTS.map((text) => parseText(text));
    const rows = ask(frames, ['_ws.malformed', '_ws.expert.severity', ...STATUS]);
    rows.forEach(([malformed, severity, ...statuses], index) => {
      const text = TEXTS[index];
      const isArp = text?.startsWith('arp');
      expect([text, malformed]).toEqual([text, '']);
      // 0x600000 is a warning, 0x800000 an error.
      expect([text, Number(severity || 0) < 0x600000]).toEqual([text, true]);
      const found = statuses.filter((status) => status !== '');
      expect([text, found.every((status) => status === GOOD)]).toEqual([text, true]);
      expect([text, found.length > 0]).toEqual([text, !isArp]);
    });
  });

  it('agrees on addresses, ports and checksums, right and wrong, of any composed frame', () => {
    const wanted = fc.sample(description, { numRuns: 400, seed: 20260101 });
    const frames = wanted.map((what) => compose(what));
    const fields = ['ip.src', 'ipv6.src', 'tcp.srcport', 'udp.dstport', ...STATUS];
    const rows = ask(frames, fields);
    frames.forEach((bytes, index) => {
      const [source4, source6, tcpPort, udpPort, ...statuses] = rows[index] as string[];
      const frame = dissect(bytes) as Frame;
      expect(source4).toBe(frame.ipv4 ? formatIpv4(frame.ipv4.source) : '');
      expect(source6).toBe(frame.ipv6 ? formatIpv6(frame.ipv6.source) : '');
      if (frame.tcp) expect(tcpPort).toBe(String(frame.tcp.source));
      if (frame.udp) expect(udpPort).toBe(String(frame.udp.destination));
      const [ip, tcp, udp, icmp, icmpv6] = statuses;
      if (frame.ipv4) expect(ip).toBe(GOOD);
      expectStatus(tcp, frame.tcp);
      expectStatus(udp, frame.udp);
      expectStatus(icmp, frame.icmp);
      expectStatus(icmpv6, frame.icmpv6);
    });
  });

  it('joins the fragments of a datagram', () => {
    const what: Description = {
      ipv4: { source: '10.0.0.5', destination: '10.0.0.6', identification: 77 },
      udp: { source: 1, destination: 9999 },
      payload: new Uint8Array(4000),
    };
    const pieces = fragment(compose(what), 1500);
    const rows = ask(pieces, ['ip.flags.mf', 'ip.reassembled.length', 'ip.checksum.status']);
    expect(rows).toEqual([
      ['1', '', GOOD],
      ['1', '', GOOD],
      ['0', '4008', GOOD],
    ]);
  });
});

function expectStatus(status: string | undefined, layer: { checksum?: unknown } | undefined): void {
  if (layer) expect(status).toBe(layer.checksum === undefined ? GOOD : BAD);
}
