/**
 * Captures that nobody here made, in the folder that RXNF_CASES names: skipped, by name, without it.
 * Their conversations and packet counts were counted by tshark and by the tools of their sources.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { formatIpv4, formatIpv6 } from '../../src/wire/address.ts';
import { toHex } from '../../src/wire/bytes.ts';
import type { Capture } from '../../src/wire/capture.ts';
import { CaptureError, frameAt, packetAt, readCapture } from '../../src/wire/capture.ts';
import type { Frame } from '../../src/wire/frame.ts';
import { dissect } from '../../src/wire/frame.ts';
import { isMalformed } from '../../src/wire/malformed.ts';
import { formatText, parseText } from '../../src/wire/text.ts';

const folder = join(process.env['RXNF_CASES'] ?? '/nonexistent', 'pcaps');
const isAbsent = !existsSync(folder);
const title = isAbsent ? ' (skipped: RXNF_CASES names no folder with pcaps)' : '';

describe.skipIf(isAbsent)(`mixed-shared.pcap${title}`, () => {
  const read = () => readCapture(readFileSync(join(folder, 'mixed-shared.pcap')));

  it('has 9,792 Ethernet frames, of which one is malformed', () => {
    const capture = read();
    expect([capture.count, capture.linkType]).toEqual([9792, 1]);
    const malformed = framesOf(capture)
      .map((frame) => dissect(frame))
      .filter(isMalformed);
    // Its total length is 0: segmentation offload, left to the NIC that the capture never reached.
    expect(malformed).toEqual(['bad-total-length']);
  });

  it('has the conversations that tshark counts', () => {
    const ours = conversationsOf(read());
    const theirs = tsharkConversations(join(folder, 'mixed-shared.tshark-conv.txt'));
    expect(ours.size).toBe(656);
    const differing = [...ours].filter(([key, frames]) => theirs.get(key) !== frames);
    // tshark counts a reassembled datagram's last fragment (7) and the malformed segment (1) too.
    expect(differing).toHaveLength(8);
    for (const [key, frames] of differing) expect(theirs.get(key)).toBe(frames + 1);
    // And it looks into GTP tunnels.
    expect([...theirs.keys()].filter((key) => !ours.has(key)).sort()).toEqual([
      'tcp 10.140.206.74:34536 18.135.206.102:80',
      'udp 10.140.117.35:45634 193.122.35.237:8801',
    ]);
  });

  it('is the same after text and back', () => {
    for (const frame of framesOf(read())) {
      expect(toHex(parseText(formatText(frame)))).toBe(toHex(frame));
    }
  });
});

describe.skipIf(isAbsent)(`oddities${title}`, () => {
  const oddities = join(folder, 'oddities');
  const names = isAbsent ? [] : readdirSync(oddities).filter((name) => /\.pcap/.test(name));

  it.each(names)('%s is read, dissected and written as text without harm', (name) => {
    const file = readFileSync(join(oddities, name));
    const capture = readOrCut(name.endsWith('.gz') ? gunzipSync(file) : file);
    for (const [index, frame] of framesOf(capture).entries()) {
      dissect(frame);
      // Some hold ten thousand packets of one kind: the first thousand tell.
      if (index >= 1000) continue;
      expect(toHex(parseText(formatText(frame)))).toBe(toHex(frame));
    }
    expect(capture.count).toBe(packetsOf(oddities, name));
  });
});

/** What a capture holds up to where it is damaged; anything but a CaptureError fails. */
function readOrCut(bytes: Uint8Array): Capture {
  try {
    return readCapture(bytes);
  } catch (error) {
    if (error instanceof CaptureError && error.capture) return error.capture;
    throw error;
  }
}

function framesOf(capture: Capture): Uint8Array[] {
  return Array.from(
    { length: capture.count },
    (_, index) => frameAt(capture, index) ?? packetAt(capture, index),
  );
}

function packetsOf(directory: string, name: string): number {
  const manifest = JSON.parse(readFileSync(join(directory, 'MANIFEST.json'), 'utf8')) as {
    file: string;
    packets: number;
  }[];
  return manifest.find(({ file }) => file === name)?.packets ?? Number.NaN;
}

/** Frames by protocol and both endpoints, in either direction. */
function conversationsOf(capture: Capture): Map<string, number> {
  const counts = new Map<string, number>();
  for (const bytes of framesOf(capture)) {
    const frame = dissect(bytes);
    const key = isMalformed(frame) ? undefined : conversationOf(frame);
    if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

function conversationOf(frame: Frame): string | undefined {
  const transport = frame.tcp ?? frame.udp;
  if (!transport) return undefined;
  const [source, destination] = frame.ipv4
    ? [formatIpv4(frame.ipv4.source), formatIpv4(frame.ipv4.destination)]
    : [
        formatIpv6(frame.ipv6?.source as Uint8Array),
        formatIpv6(frame.ipv6?.destination as Uint8Array),
      ];
  return keyOf(
    frame.tcp ? 'tcp' : 'udp',
    `${source}:${transport.source}`,
    `${destination}:${transport.destination}`,
  );
}

function tsharkConversations(file: string): Map<string, number> {
  const counts = new Map<string, number>();
  let protocol = '';
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    protocol = /^(UDP|TCP) Conversations/.exec(line)?.[1]?.toLowerCase() ?? protocol;
    const row = /^(\S+)\s+<->\s+(\S+)\s+\d+ \d+ \S+\s+\d+ \d+ \S+\s+(\d+) /.exec(line);
    if (!row) continue;
    const key = keyOf(protocol, row[1] as string, row[2] as string);
    counts.set(key, (counts.get(key) ?? 0) + Number(row[3]));
  }
  return counts;
}

function keyOf(protocol: string, a: string, b: string): string {
  return [protocol, ...[a, b].sort()].join(' ');
}
