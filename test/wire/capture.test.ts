import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatenate, fromHex, toHex } from '../../src/wire/bytes.ts';
import {
  CaptureError,
  CaptureWriter,
  frameAt,
  linkTypeAt,
  linkTypeName,
  packetAt,
  readCapture,
  toEthernet,
  writeCapture,
} from '../../src/wire/capture.ts';

/** Writes integers in one byte order: `words(little, [4, 0xa1b2c3d4], [2, 2])`. */
function words(little: boolean, ...list: readonly (readonly [size: 1 | 2 | 4, value: number])[]) {
  const bytes = list.flatMap(([size, value]) => {
    const big = [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
    const own = big.slice(4 - size);
    return little ? own.reverse() : own;
  });
  return Uint8Array.from(bytes);
}

function pcap(little: boolean, magic: number, linkType: number, packets: readonly Uint8Array[]) {
  const header = words(
    little,
    [4, magic],
    [2, 2],
    [2, 4],
    [4, 0],
    [4, 0],
    [4, 65_535],
    [4, linkType],
  );
  const records = packets.flatMap((packet, index) => [
    words(little, [4, 100 + index], [4, 7], [4, packet.length], [4, packet.length + 1]),
    packet,
  ]);
  return concatenate([header, ...records]);
}

function block(little: boolean, type: number, body: Uint8Array): Uint8Array {
  const padding = new Uint8Array((4 - (body.length % 4)) % 4);
  const length = 12 + body.length + padding.length;
  const ends = words(little, [4, type], [4, length]);
  return concatenate([ends, body, padding, words(little, [4, length])]);
}

const section = (little: boolean) =>
  block(little, 0x0a0d0d0a, words(little, [4, 0x1a2b3c4d], [2, 1], [2, 0], [4, ~0], [4, ~0]));

const description = (
  little: boolean,
  linkType: number,
  snap: number,
  options: Uint8Array = new Uint8Array(),
) => block(little, 1, concatenate([words(little, [2, linkType], [2, 0], [4, snap]), options]));

const enhanced = (little: boolean, index: number, units: bigint, packet: Uint8Array) =>
  block(
    little,
    6,
    concatenate([
      words(
        little,
        [4, index],
        [4, Number(units >> 32n)],
        [4, Number(units & 0xffff_ffffn)],
        [4, packet.length],
        [4, packet.length + 5],
      ),
      packet,
    ]),
  );

const A = Uint8Array.of(1, 2, 3, 4, 5);
const B = Uint8Array.of(6, 7);

function errorOf(bytes: Uint8Array): CaptureError {
  try {
    readCapture(bytes);
  } catch (error) {
    if (error instanceof CaptureError) return error;
    throw error;
  }
  throw new Error('the capture was read');
}

describe.each([true, false])('pcap, little-endian %s', (little) => {
  it('has microseconds or nanoseconds by its magic', () => {
    const micro = readCapture(pcap(little, 0xa1b2c3d4, 1, [A, B]));
    expect([...micro.timestampsNanoseconds]).toEqual([100_000_007_000n, 101_000_007_000n]);
    const nano = readCapture(pcap(little, 0xa1b23c4d, 1, [A]));
    expect([...nano.timestampsNanoseconds]).toEqual([100_000_000_007n]);
  });

  it('is an index over the bytes of the file', () => {
    const bytes = pcap(little, 0xa1b2c3d4, 113, [A, B]);
    const capture = readCapture(bytes);
    expect(capture.linkType).toBe(113);
    expect([...capture.offsets]).toEqual([40, 61]);
    expect([...capture.lengths]).toEqual([5, 2]);
    expect([...capture.originalLengths]).toEqual([6, 3]);
    expect(packetAt(capture, 1)).toEqual(B);
    expect(packetAt(capture, 1).buffer).toBe(bytes.buffer);
  });

  it('keeps what came before the place where the file ends early', () => {
    const bytes = pcap(little, 0xa1b2c3d4, 1, [A, B]);
    for (let length = 4; length < bytes.length; length++) {
      if (length === 24 || length === 45) {
        expect(readCapture(bytes.slice(0, length)).count).toBe(length === 24 ? 0 : 1);
        continue;
      }
      const error = errorOf(bytes.slice(0, length));
      expect(error.code).toBe('cut-short');
      expect(error.byteOffset).toBe(length < 24 ? 0 : length < 45 ? 24 : 45);
      expect(error.capture?.count).toBe(length < 45 ? 0 : 1);
    }
  });
});

describe.each([true, false])('pcapng, little-endian %s', (little) => {
  const resolution = (value: number) =>
    concatenate([words(little, [2, 9], [2, 1], [1, value]), new Uint8Array(3), new Uint8Array(4)]);

  it('reads enhanced, simple and obsolete packets of several interfaces', () => {
    const offset = concatenate([
      words(little, [2, 14], [2, 8]),
      ...(little ? [words(little, [4, 10], [4, 0])] : [words(little, [4, 0], [4, 10])]),
    ]);
    const capture = readCapture(
      concatenate([
        section(little),
        description(little, 1, 3),
        description(little, 101, 0, resolution(9)),
        description(little, 1, 0, concatenate([offset, resolution(0x80 | 10)])),
        enhanced(little, 0, 5_000_000n, A),
        enhanced(little, 1, (1n << 40n) + 1n, B),
        enhanced(little, 2, 512n, B),
        block(little, 4, new Uint8Array(8)),
        block(little, 3, concatenate([words(little, [4, 5]), A.subarray(0, 3)])),
        block(
          little,
          2,
          concatenate([words(little, [2, 1], [2, 0], [4, 0], [4, 9], [4, 2], [4, 2]), B]),
        ),
      ]),
    );
    expect(capture.linkTypes).toEqual([1, 101, 1]);
    expect(capture.linkType).toBeUndefined();
    expect([...capture.interfaces]).toEqual([0, 1, 2, 0, 1]);
    expect(linkTypeAt(capture, 1)).toBe(101);
    expect([...capture.timestampsNanoseconds]).toEqual([
      5_000_000_000n,
      (1n << 40n) + 1n,
      10_500_000_000n,
      0n,
      9n,
    ]);
    expect([...capture.lengths]).toEqual([5, 2, 2, 3, 2]);
    expect([...capture.originalLengths]).toEqual([10, 7, 7, 5, 2]);
    expect(packetAt(capture, 0)).toEqual(A);
    expect(packetAt(capture, 3)).toEqual(A.subarray(0, 3));
  });

  it('starts over at every section, of either byte order', () => {
    const bytes = concatenate([
      section(little),
      description(little, 1, 0),
      enhanced(little, 0, 1n, A),
      section(!little),
      description(!little, 101, 0),
      enhanced(!little, 0, 2n, B),
    ]);
    const capture = readCapture(bytes);
    expect(capture.linkTypes).toEqual([1, 101]);
    expect([...capture.interfaces]).toEqual([0, 1]);
    expect([...capture.timestampsNanoseconds]).toEqual([1000n, 2000n]);
  });

  it('names the byte of whatever contradicts itself', () => {
    const head = concatenate([section(little), description(little, 1, 0)]);
    const at = head.length;
    const broken = (change: (packet: Uint8Array) => void) => {
      const packet = enhanced(little, 0, 1n, A);
      change(packet);
      const { code, byteOffset } = errorOf(concatenate([head, packet]));
      return [code, byteOffset - at];
    };
    const set = (index: number, value: number) => (packet: Uint8Array) => {
      new DataView(packet.buffer).setUint32(index, value, little);
    };
    expect(broken(set(4, 8))).toEqual(['bad-record', 4]);
    expect(broken(set(4, 42))).toEqual(['bad-record', 4]);
    expect(broken(set(4, 4000))).toEqual(['cut-short', 0]);
    expect(broken(set(36, 44))).toEqual(['bad-record', 36]);
    expect(broken(set(8, 1))).toEqual(['unknown-interface', 0]);
    expect(broken(set(20, 9))).toEqual(['bad-record', 0]);
    const noMagic = section(little);
    noMagic[8] = 0;
    expect(errorOf(noMagic)).toMatchObject({ code: 'bad-record', byteOffset: 8 });
    expect(errorOf(concatenate([section(little), block(little, 1, B)])).code).toBe('bad-record');
  });
});

describe('a capture', () => {
  it.each(['', '00', '00000000', '89504e470d0a1a0a'])('is not %j', (hex) => {
    expect(errorOf(fromHex(hex) as Uint8Array).code).toBe('not-a-capture');
  });

  it('is read or refused with a CaptureError, whatever the bytes', () => {
    const good = concatenate([
      section(true),
      description(true, 1, 0),
      enhanced(true, 0, 1n, A),
      section(false),
      description(false, 1, 0),
      enhanced(false, 0, 1n, B),
    ]);
    const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 4 }), fc.nat(), (changes, length) => {
        const bytes = good.slice(0, good.length - (length % 8));
        for (const [where, value] of changes) bytes[where % bytes.length] = value;
        try {
          const capture = readCapture(bytes);
          for (let i = 0; i < capture.count; i++) {
            expect(packetAt(capture, i).length).toBe(capture.lengths[i]);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(CaptureError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the writer', () => {
  it('writes what the reader reads', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 })), (frames) => {
        const capture = readCapture(writeCapture(frames));
        expect(capture.count).toBe(frames.length);
        frames.forEach((frame, index) => {
          expect(toHex(packetAt(capture, index))).toBe(toHex(frame));
          expect(capture.timestampsNanoseconds[index]).toBe(BigInt(index) * 1000n);
        });
      }),
    );
  });

  it('cuts rows of an arena, and long packets to the snap length', () => {
    const chunks: Uint8Array[] = [];
    const writer = new CaptureWriter((chunk) => chunks.push(chunk), {
      snapLength: 4,
      linkType: 101,
    });
    writer.append(A, 1, 3, 1_700_000_000, 123_456_789);
    writer.append(A, 0, 5, 0xffff_ffff, 0);
    writer.flush();
    writer.flush();
    expect(chunks).toHaveLength(1);
    const capture = readCapture(concatenate(chunks));
    expect(capture.linkType).toBe(101);
    expect(toHex(packetAt(capture, 0))).toBe('020304');
    expect(capture.timestampsNanoseconds[0]).toBe(1_700_000_000_123_456_789n);
    expect([capture.lengths[1], capture.originalLengths[1]]).toEqual([4, 5]);
    expect(capture.timestampsNanoseconds[1]).toBe(0xffff_ffffn * 1_000_000_000n);
  });

  it('hands over a chunk of at most 1 MiB when the next packet does not fit', () => {
    const chunks: Uint8Array[] = [];
    const writer = new CaptureWriter((chunk) => chunks.push(chunk));
    const packet = new Uint8Array(9000);
    for (let i = 0; i < 300; i++) writer.append(packet, 0, packet.length, i, 0);
    writer.flush();
    expect(chunks.length).toBe(3);
    for (const chunk of chunks) expect(chunk.length).toBeLessThanOrEqual(1_048_576);
    expect(readCapture(concatenate(chunks)).count).toBe(300);
  });
});

describe('other link types', () => {
  const v4 = fromHex('45 01') as Uint8Array;
  const v6 = fromHex('60 01') as Uint8Array;
  const behind = (hex: string, packet: Uint8Array) =>
    concatenate([fromHex(hex) as Uint8Array, packet]);
  const headed = (type: string, packet: Uint8Array, source = '000000000000') =>
    toHex(behind(`000000000000 ${source} ${type}`, packet));

  it.each([
    [101, v4, headed('0800', v4)],
    [101, v6, headed('86dd', v6)],
    [228, v4, headed('0800', v4)],
    [229, v6, headed('86dd', v6)],
    [0, behind('02000000', v4), headed('0800', v4)],
    [0, behind('00000002', v4), headed('0800', v4)],
    [0, behind('1e000000', v6), headed('86dd', v6)],
    [108, behind('00000018', v6), headed('86dd', v6)],
    [113, behind('0000 0001 0006 020000000001 0000 0800', v4), headed('0800', v4, '020000000001')],
    [113, behind('0000 0304 0000 0000000000000000 86dd', v6), headed('86dd', v6)],
    [
      276,
      behind('0800 0000 00000001 0001 00 06 020000000001 0000', v4),
      headed('0800', v4, '020000000001'),
    ],
  ])('%i becomes Ethernet', (linkType, packet, wanted) => {
    const frame = toEthernet(linkType, packet) as Uint8Array;
    expect(toHex(frame)).toBe(wanted);
    expect(frameAt(readCapture(writeCapture([packet], { linkType })), 0)).toEqual(frame);
  });

  it('are refused where the packet is too short or of an unknown network', () => {
    for (const linkType of [0, 101, 108, 113, 276]) {
      expect(toEthernet(linkType, new Uint8Array())).toBeUndefined();
    }
    expect(toEthernet(101, Uint8Array.of(0x50))).toBeUndefined();
    expect(toEthernet(0, Uint8Array.of(99, 0, 0, 0, 0))).toBeUndefined();
    expect(toEthernet(105, A)).toBeUndefined();
  });

  it('have names', () => {
    expect(linkTypeName(105)).toBe('IEEE 802.11');
    expect(linkTypeName(9999)).toBe('link type 9999');
  });
});
