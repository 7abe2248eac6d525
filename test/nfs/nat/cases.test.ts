/**
 * Captures that nobody here made, in the folder that RXNF_CASES names, through the NAT: skipped, by
 * name, without it. Each frame is sent in on both sides, whatever station it was for.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { nat } from 'rxnf';
import { Harness } from 'rxnf/testing';
import { describe, expect, it } from 'vitest';
import { type Capture, CaptureError, frameAt, readCapture } from '../../../src/wire/capture.ts';
import { dissect } from '../../../src/wire/frame.ts';
import { isMalformed } from '../../../src/wire/malformed.ts';
import { network } from './network.ts';

const folder = join(process.env['RXNF_CASES'] ?? '/nonexistent', 'pcaps');
const isAbsent = !existsSync(folder);
const title = isAbsent ? ' (skipped: RXNF_CASES names no folder with pcaps)' : '';

/** Ports without a MAC address take frames for every station. */
const ports = ['inside', 'outside'].map((name) => ({ name, mac: '00:00:00:00:00:00' }));
/** What a memory port's buffer holds. */
const longestFrame = 2048;

interface Outcome {
  readonly sent: number;
  readonly forwarded: number;
  readonly dropped: number;
  readonly damagedIn: number;
  readonly damagedOut: number;
}

function through(capture: Capture, side: string): Outcome {
  using harness = new Harness(nat(network), { ports });
  let sent = 0;
  let damagedIn = 0;
  let damagedOut = 0;
  const drain = () => {
    harness.run();
    damagedOut += harness.outputs().filter(({ frame }) => isDamaged(frame)).length;
  };
  for (let index = 0; index < capture.count; index++) {
    const frame = frameAt(capture, index);
    if (!frame || frame.length === 0 || frame.length > longestFrame) continue;
    harness.send(side, frame);
    if (isDamaged(frame)) damagedIn++;
    if (++sent % 64 === 0) drain();
  }
  drain();
  const { forwarded, dropped, received } = harness.finish();
  damagedOut += harness.outputs().filter(({ frame }) => isDamaged(frame)).length;
  expect(received[side === 'inside' ? 0 : 1]).toBeGreaterThanOrEqual(sent);
  const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);
  return {
    sent,
    forwarded: total(forwarded),
    dropped: total(Object.values(dropped)),
    damagedIn,
    damagedOut,
  };
}

function isDamaged(frame: Uint8Array): boolean {
  return isMalformed(dissect(frame, { verify: true }));
}

/** What can be read of a file that may be damaged on purpose. */
function readWhole(file: string): Capture | undefined {
  const bytes = readFileSync(join(folder, file));
  try {
    return readCapture(file.endsWith('.gz') ? gunzipSync(bytes) : bytes);
  } catch (error) {
    if (error instanceof CaptureError) return error.capture;
    throw error;
  }
}

describe.skipIf(isAbsent)(`mixed-shared.pcap through the NAT${title}`, () => {
  const read = () => readWhole('mixed-shared.pcap') as Capture;

  it('from inside: every packet is accounted for, and most leave translated', () => {
    const outcome = through(read(), 'inside');
    expect(outcome.sent).toBeGreaterThan(9000);
    expect(outcome.forwarded).toBeGreaterThan(outcome.sent / 2);
    expect(outcome.damagedOut).toBeLessThanOrEqual(outcome.damagedIn);
  });

  it('from outside: every packet is accounted for, and none gets in', () => {
    const outcome = through(read(), 'outside');
    expect(outcome.dropped).toBeGreaterThanOrEqual(outcome.sent);
  });
});

describe.skipIf(isAbsent)(`oddities through the NAT${title}`, () => {
  const files = isAbsent
    ? []
    : readdirSync(join(folder, 'oddities')).filter((file) => /\.pcap/.test(file));

  it.each(files)('%s: no crash, every packet accounted for', (file) => {
    const capture = readWhole(join('oddities', file));
    if (!capture) return;
    for (const side of ['inside', 'outside']) {
      const outcome = through(capture, side);
      expect(outcome.damagedOut).toBeLessThanOrEqual(outcome.damagedIn);
    }
  });
});
