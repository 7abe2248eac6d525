import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { forward, Lane, memoryPool, transform } from 'rxnf';
import { afterAll, describe, expect, it } from 'vitest';
import { answerAnyArp, isArpRequest, taggedHeader } from '../../src/ports/arp-answers.ts';
import { feedOf, laneOf } from '../../src/ports/capture-feed.ts';
import { CapturePort, type CapturePortOptions } from '../../src/ports/capture-port.ts';
import { formatMac } from '../../src/wire/address.ts';
import { LINK_TYPE, packetAt, readCapture, writeCapture } from '../../src/wire/capture.ts';
import { CaptureWriter } from '../../src/wire/capture-writer.ts';
import { dissect } from '../../src/wire/frame.ts';
import { isMalformed } from '../../src/wire/malformed.ts';
import { parseText } from '../../src/wire/text.ts';

const directory = mkdtempSync(join(tmpdir(), 'rxnf-capture-port-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const millisecond = 1_000_000;

/** A capture of `count` packets, 10 ms apart. */
function recorded(name: string, count: number, linkType: number = LINK_TYPE.ethernet): string {
  const file = join(directory, name);
  const chunks: Uint8Array[] = [];
  const writer = new CaptureWriter((chunk) => chunks.push(chunk), { linkType });
  for (let i = 0; i < count; i++) {
    const frame = parseText(`10.0.0.${i + 1}:1000 > 198.18.0.1:53 udp "x"`);
    const skipped = linkType === LINK_TYPE.ethernet ? 0 : 14;
    writer.append(frame, skipped, frame.length - skipped, 1000, i * 10 * millisecond);
  }
  writer.flush();
  writeFileSync(file, Buffer.concat(chunks));
  return file;
}

/** A lane on a virtual clock that sends everything out of its second port. */
function laneOver(options: Partial<CapturePortOptions>, output?: string) {
  const pool = memoryPool(2048);
  const inside = new CapturePort({ name: 'inside', pool, ...options });
  const outside = new CapturePort({
    name: 'outside',
    pool,
    startMilliseconds: 5000,
    ...(output !== undefined && { output }),
  });
  const lane = new Lane({ pool, ports: [inside, outside], virtualClock: true });
  lane.run((packets) => packets.pipe(transform(() => forward(1))));
  lane.advance(millisecond);
  const breathe = (milliseconds: number, step = 1) => {
    let received = 0;
    for (let i = 0; i < milliseconds; i += step) {
      received += lane.breathe();
      lane.advance(step * millisecond);
    }
    return received;
  };
  return { lane, inside, outside, breathe };
}

describe('a capture port', () => {
  it('gives every frame at once where it is not paced, then is exhausted', () => {
    const { lane, inside, breathe } = laneOver({ input: recorded('a.pcap', 5) });
    expect(inside.counters().exhausted).toBe(false);
    expect(breathe(1)).toBe(5);
    expect(breathe(5)).toBe(0);
    expect(inside.counters()).toMatchObject({ receivedPackets: 5, exhausted: true });
    lane.close();
  });

  it('spaces frames as they were recorded', () => {
    const { lane, breathe } = laneOver({
      input: recorded('b.pcap', 5),
      pacing: { kind: 'recorded' },
    });
    expect(breathe(10), '0 to 9 ms').toBe(1);
    expect(breathe(10), '10 to 19 ms').toBe(1);
    expect(breathe(25)).toBe(3);
    lane.close();
  });

  it('keeps a rate, and catches up after a pause', () => {
    const { lane, breathe } = laneOver({
      input: recorded('c.pcap', 100),
      pacing: { kind: 'rate', packetsPerSecond: 1000 },
    });
    expect(breathe(10)).toBe(10);
    lane.advance(30 * millisecond);
    expect(breathe(1)).toBe(31);
    lane.close();
  });

  it('begins again where it is looped, one gap after the last frame', () => {
    const { lane, inside, breathe } = laneOver({
      input: recorded('d.pcap', 4),
      loop: true,
      pacing: { kind: 'recorded' },
    });
    expect(breathe(80), 'two passes of 40 ms').toBe(8);
    expect(inside.counters().exhausted).toBe(false);
    lane.close();
  });

  it('does not fall behind from pass to pass, however coarse the clock', () => {
    const { lane, breathe } = laneOver({
      input: recorded('d.pcap', 4),
      loop: true,
      pacing: { kind: 'recorded' },
    });
    expect(breathe(4000, 7), '100 passes of 40 ms').toBeGreaterThanOrEqual(400);
    lane.close();
  });

  it('gives frames of another link layer Ethernet headers', () => {
    const { lane, breathe } = laneOver({ input: recorded('e.pcap', 3, LINK_TYPE.raw) });
    expect(breathe(1)).toBe(3);
    lane.close();
  });

  it('gives what lies before the damage of a file cut short', () => {
    const whole = readFileSync(recorded('f.pcap', 3));
    const file = join(directory, 'short.pcap');
    writeFileSync(file, whole.subarray(0, whole.length - 5));
    const { lane, breathe } = laneOver({ input: file });
    expect(breathe(1)).toBe(2);
    lane.close();
  });

  it('writes what is transmitted, with wall-clock times', () => {
    const output = join(directory, 'out.pcap');
    const { lane, outside, breathe } = laneOver({ input: recorded('g.pcap', 3) }, output);
    breathe(3);
    expect(outside.counters()).toMatchObject({ transmittedPackets: 3, exhausted: true });
    lane.close();
    const written = readCapture(readFileSync(output));
    expect(written.count).toBe(3);
    expect(Number(written.timestampsNanoseconds[0]) / 1e9).toBeCloseTo(5, 1);
    expect(Buffer.from(packetAt(written, 0))).toEqual(
      Buffer.from(packetAt(readCapture(readFileSync(join(directory, 'g.pcap'))), 0)),
    );
  });

  it('answers ARP for every address, and not announcements', () => {
    const ask = parseText('arp who-has 198.18.0.10 tell 198.18.0.1');
    expect(isArpRequest(ask, ask.length)).toBe(true);
    const reply = dissect(answerAnyArp(ask));
    if (isMalformed(reply)) throw new Error(reply);
    expect(reply.arp).toMatchObject({ operation: 2, senderAddress: 0xc612000a });
    expect(formatMac(reply.arp?.senderMac ?? 0)).toBe('02:01:c6:12:00:0a');
    expect(reply.arp?.targetAddress).toBe(0xc6120001);
    const announced = parseText('arp who-has 198.18.0.1 tell 198.18.0.1');
    expect(isArpRequest(announced, announced.length)).toBe(false);
    const data = parseText('10.0.0.1:1 > 10.0.0.2:2 udp "x"');
    expect(isArpRequest(data, data.length)).toBe(false);
  });
});

describe('a capture port in a VLAN', () => {
  it('answers ARP with the tag that it was asked with', () => {
    const ask = parseText('arp who-has 198.18.0.10 tell 198.18.0.1 vlan=100');
    expect(isArpRequest(ask, ask.length)).toBe(false);
    expect(isArpRequest(ask, ask.length, taggedHeader)).toBe(true);
    const reply = dissect(answerAnyArp(ask, taggedHeader));
    if (isMalformed(reply)) throw new Error(reply);
    expect(reply.vlan).toMatchObject([{ identifier: 100 }]);
    expect(reply.arp).toMatchObject({ operation: 2, senderAddress: 0xc612000a });
  });
});

describe('the share of a lane', () => {
  const frames = Array.from({ length: 200 }, (_, i) =>
    parseText(`10.0.${i}.1:1000 > 198.18.0.1:53 udp "x"`),
  );

  it('covers every frame once, and roughly evenly', () => {
    const capture = readCapture(writeCapture(frames));
    const shares = [0, 1, 2].map((lane) => feedOf(capture, { kind: 'unpaced' }, lane, 3));
    const counts = shares.map((share) => share.offsets.length);
    expect(counts.reduce((sum, count) => sum + count)).toBe(200);
    expect(Math.min(...counts)).toBeGreaterThan(40);
    expect(new Set(shares.flatMap((share) => [...share.offsets])).size).toBe(200);
  });

  it('is the same for both directions, whatever the ports and tags', () => {
    for (const frame of frames) {
      const there = laneOf(frame, 0, frame.length, 4);
      const back = parseText(`198.18.0.1:53 > 10.0.${frame[28]}.1:7 udp "y"`);
      expect(laneOf(back, 0, back.length, 4)).toBe(there);
      const tagged = new Uint8Array([...frame.subarray(0, 12), 0x81, 0, 0, 5, ...frame.slice(12)]);
      expect(laneOf(tagged, 0, tagged.length, 4)).toBe(there);
    }
  });

  it('is the first lane for what is not IP, or is cut short', () => {
    const arp = parseText('arp who-has 10.0.0.1 tell 10.0.0.2');
    expect(laneOf(arp, 0, arp.length, 4)).toBe(0);
    expect(laneOf(frames[5], 0, 20, 4)).toBe(0);
  });
});
