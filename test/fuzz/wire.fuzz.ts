/** The wire formats on arbitrary bytes: nothing throws but what says so, and text gives bytes back. */
import assert from 'node:assert/strict';
import { concatenate, equalBytes, fromHex, viewOf } from '../../src/wire/bytes.ts';
import {
  CaptureError,
  frameAt,
  packetAt,
  readCapture,
  writeCapture,
} from '../../src/wire/capture.ts';
import { compose, dissect } from '../../src/wire/frame.ts';
import * as icmp from '../../src/wire/icmp.ts';
import * as icmpv6 from '../../src/wire/icmpv6.ts';
import * as ipv4 from '../../src/wire/ipv4.ts';
import * as ipv6 from '../../src/wire/ipv6.ts';
import { isMalformed, MALFORMED } from '../../src/wire/malformed.ts';
import * as quoted from '../../src/wire/quoted.ts';
import * as tcp from '../../src/wire/tcp.ts';
import * as tcpOptions from '../../src/wire/tcp-options.ts';
import { formatText, parseText, TextError } from '../../src/wire/text.ts';
import type { FuzzTarget } from './target.ts';
import { corpusFrames, TEXTS } from './wire-corpus.ts';

const frames = corpusFrames();

/** A pcapng section with one interface and one packet, in little-endian. */
const PCAPNG = fromHex(
  [
    '0a0d0d0a 1c000000 4d3c2b1a 01000000 ffffffffffffffff 1c000000',
    '01000000 20000000 01000000 00000000 09000100 09000000 00000000 20000000',
    '06000000 28000000 00000000 00000000 05000000 05000000 09000000 0102030405 000000 28000000',
    '03000000 14000000 02000000 01020000 14000000',
  ].join(''),
) as Uint8Array;

export const targets: readonly FuzzTarget[] = [
  {
    name: 'wire-dissect',
    corpus: frames,
    run(bytes) {
      const frame = dissect(bytes);
      if (isMalformed(frame)) assert(MALFORMED.includes(frame));
      else compose(frame);
      const verified = dissect(bytes, { verify: true });
      assert(isMalformed(verified) || !isMalformed(frame));
    },
  },
  {
    name: 'wire-text-of-frame',
    corpus: frames,
    run(bytes) {
      assert(equalBytes(parseText(formatText(bytes)), bytes));
    },
  },
  {
    name: 'wire-text',
    corpus: TEXTS.map((text) => new TextEncoder().encode(text)),
    run(bytes) {
      const text = new TextDecoder().decode(bytes);
      const frame = orThrown(() => parseText(text), TextError);
      if (frame) assert(equalBytes(parseText(formatText(frame)), frame));
    },
  },
  {
    name: 'wire-capture',
    corpus: [writeCapture(frames.slice(0, 20)), PCAPNG, concatenate([PCAPNG, PCAPNG])],
    run(bytes) {
      const capture = orThrown(() => readCapture(bytes), CaptureError);
      for (let index = 0; index < (capture?.count ?? 0); index++) {
        if (!capture) return;
        assert.equal(packetAt(capture, index).length, capture.lengths[index]);
        frameAt(capture, index);
      }
    },
  },
  {
    // The checks alone guard the accessors, at the exact end of memory: a read beyond it throws.
    name: 'wire-codecs',
    corpus: frames.map((frame) => frame.subarray(14)),
    run(bytes) {
      const view = viewOf(bytes);
      const end = bytes.length;
      if (ipv4.check(view, 0, end) === undefined) {
        ipv4.isChecksumValid(view, 0);
        assert(ipv4.headerLength(view, 0) <= ipv4.totalLength(view, 0));
      }
      if (ipv6.check(view, 0, end) === undefined) {
        const into = ipv6.newWalk();
        if (ipv6.walk(view, 0, end, into) === undefined) assert(into.offset <= end);
      }
      if (tcp.check(view, 0, end) === undefined) tcpOptions.findOption(view, 0, bytes[0] ?? 0);
      if (icmp.check(view, 0, end) === undefined) assert(icmp.quoteEnd(view, 0, end) <= end);
      if (icmpv6.check(view, 0, end) === undefined) icmpv6.linkLayerAddress(view, 0, end);
      if (quoted.check(view, 0, end) === undefined) {
        assert(quoted.transportOffset(view, 0, end) + 8 <= end);
      }
    },
  },
];

/** The value, or undefined where it threw an error of the one kind that is allowed. */
function orThrown<T>(make: () => T, allowed: new (...args: never[]) => Error): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof allowed) return undefined;
    throw error;
  }
}
