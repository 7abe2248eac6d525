/**
 * The block-structured capture format (draft-ietf-opsawg-pcapng): section headers, interface
 * descriptions, and enhanced, simple and obsolete packet blocks; other blocks are passed over.
 */
import type { CaptureBuilder } from './capture-builder.ts';
import type { Capture } from './capture-index.ts';

const BLOCK = {
  section: 0x0a0d0d0a,
  interface: 1,
  obsoletePacket: 2,
  simplePacket: 3,
  enhancedPacket: 6,
} as const;

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Type and length before the body, length again behind it. */
const BODY = 8;
const OVERHEAD = 12;
const OPTION = { end: 0, timestampResolution: 9, timestampOffset: 14 } as const;

interface Interface {
  readonly index: number;
  /** 0: no limit. */
  readonly snapLength: number;
  /** Timestamp units in a second. */
  readonly unitsPerSecond: bigint;
  readonly offsetSeconds: bigint;
}

/** A block within the file, whose lengths agree. */
interface Block {
  readonly at: number;
  readonly type: number;
  readonly body: number;
  readonly bodyEnd: number;
}

export function isPcapng(view: DataView): boolean {
  return view.byteLength >= 4 && view.getUint32(0) === BLOCK.section;
}

export function readPcapng(view: DataView, builder: CaptureBuilder): Capture {
  let little = false;
  let interfaces: Interface[] = [];
  let at = 0;
  while (at < view.byteLength) {
    // The section's type reads the same in either order; its own magic says which one follows.
    if (view.byteLength - at >= OVERHEAD && view.getUint32(at) === BLOCK.section) {
      little = sectionIsLittle(view, at, builder);
      interfaces = [];
    }
    const block = readBlock(view, at, little, builder);
    if (block.type === BLOCK.interface) {
      interfaces.push(readInterface(view, block, little, builder));
    } else {
      readPacket(view, block, little, interfaces, builder);
    }
    at = block.bodyEnd + 4;
  }
  return builder.build();
}

function sectionIsLittle(view: DataView, at: number, builder: CaptureBuilder): boolean {
  if (view.getUint32(at + BODY, true) === BYTE_ORDER_MAGIC) return true;
  if (view.getUint32(at + BODY, false) === BYTE_ORDER_MAGIC) return false;
  return builder.fail('bad-record', at + BODY, 'a section without a byte-order magic');
}

function readBlock(view: DataView, at: number, little: boolean, builder: CaptureBuilder): Block {
  const left = view.byteLength - at;
  if (left < OVERHEAD) builder.fail('cut-short', at, `a block of ${left} bytes`);
  const length = view.getUint32(at + 4, little);
  if (length < OVERHEAD || length % 4 !== 0) {
    builder.fail('bad-record', at + 4, `a block length of ${length}`);
  }
  if (length > left) builder.fail('cut-short', at, `a block of ${length} bytes with ${left} left`);
  const bodyEnd = at + length - 4;
  const again = view.getUint32(bodyEnd, little);
  if (again !== length) builder.fail('bad-record', bodyEnd, `block lengths ${length} and ${again}`);
  return { at, type: view.getUint32(at, little), body: at + BODY, bodyEnd };
}

function readInterface(
  view: DataView,
  block: Block,
  little: boolean,
  builder: CaptureBuilder,
): Interface {
  requireBody(block, 8, builder);
  const linkType = view.getUint16(block.body, little);
  let unitsPerSecond = 1_000_000n;
  let offsetSeconds = 0n;
  let at = block.body + 8;
  while (at + 4 <= block.bodyEnd) {
    const code = view.getUint16(at, little);
    const length = view.getUint16(at + 2, little);
    const value = at + 4;
    if (code === OPTION.end) break;
    if (value + length > block.bodyEnd) {
      builder.fail('bad-record', at, `an option of ${length} bytes beyond its block`);
    }
    if (code === OPTION.timestampResolution && length === 1) {
      unitsPerSecond = resolution(view.getUint8(value));
    } else if (code === OPTION.timestampOffset && length === 8) {
      offsetSeconds = view.getBigInt64(value, little);
    }
    at = value + ((length + 3) & ~3);
  }
  return {
    index: builder.addInterface(linkType, block.at),
    snapLength: view.getUint32(block.body + 4, little),
    unitsPerSecond,
    offsetSeconds,
  };
}

/** The top bit chooses between powers of 2 and of 10; the exponent has 7 bits. */
function resolution(value: number): bigint {
  return value & 0x80 ? 1n << BigInt(value & 0x7f) : 10n ** BigInt(value);
}

function readPacket(
  view: DataView,
  block: Block,
  little: boolean,
  interfaces: readonly Interface[],
  builder: CaptureBuilder,
): void {
  if (block.type === BLOCK.simplePacket) {
    requireBody(block, 4, builder);
    const from = interfaceAt(interfaces, 0, block, builder);
    const original = view.getUint32(block.body, little);
    const data = block.body + 4;
    const limit = from.snapLength === 0 ? original : Math.min(original, from.snapLength);
    addPacket(block, data, limit, original, from, 0n, builder);
    return;
  }
  const isEnhanced = block.type === BLOCK.enhancedPacket;
  if (!isEnhanced && block.type !== BLOCK.obsoletePacket) return;
  requireBody(block, 20, builder);
  const { body } = block;
  const index = isEnhanced ? view.getUint32(body, little) : view.getUint16(body, little);
  const from = interfaceAt(interfaces, index, block, builder);
  const high = BigInt(view.getUint32(body + 4, little));
  const units = (high << 32n) | BigInt(view.getUint32(body + 8, little));
  const timestamp =
    from.offsetSeconds * 1_000_000_000n + (units * 1_000_000_000n) / from.unitsPerSecond;
  const length = view.getUint32(body + 12, little);
  const original = view.getUint32(body + 16, little);
  addPacket(block, body + 20, length, original, from, timestamp, builder);
}

function addPacket(
  block: Block,
  data: number,
  length: number,
  originalLength: number,
  from: Interface,
  timestampNanoseconds: bigint,
  builder: CaptureBuilder,
): void {
  const room = block.bodyEnd - data;
  if (length > room) {
    builder.fail('bad-record', block.at, `a packet of ${length} bytes in a block with ${room}`);
  }
  builder.addPacket(from.index, data, length, originalLength, timestampNanoseconds);
}

function interfaceAt(
  interfaces: readonly Interface[],
  index: number,
  block: Block,
  builder: CaptureBuilder,
): Interface {
  const count = interfaces.length;
  return (
    interfaces[index] ??
    builder.fail('unknown-interface', block.at, `interface ${index} of ${count} described`)
  );
}

function requireBody(block: Block, length: number, builder: CaptureBuilder): void {
  const found = block.bodyEnd - block.body;
  if (found < length) {
    builder.fail('bad-record', block.at, `a block body of ${found} bytes, not ${length}`);
  }
}
