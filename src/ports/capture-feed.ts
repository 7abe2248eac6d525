/**
 * The frames of a capture as one lane's input: which are its own, and when each is due.
 *
 * With several lanes each gets whole conversations: the pair of addresses decides, in either order,
 * so that fragments and both directions stay together, as symmetric receive-side scaling would do.
 */
import { type Capture, frameAt, LINK_TYPE, linkTypeAt } from '../wire/capture.ts';
import type { Pacing } from './spec.ts';

export interface CaptureFeed {
  readonly bytes: Uint8Array;
  readonly offsets: Uint32Array;
  readonly lengths: Uint32Array;
  /** Nanoseconds after the first frame of the capture; absent where frames are not paced. */
  readonly due: Float64Array | undefined;
  /** Nanoseconds from one pass to the next where the capture is looped. */
  readonly period: number;
  /** Frames whose link layer cannot be made Ethernet. */
  readonly skipped: number;
}

/** Selects the frames of lane `lane` of `lanes`. */
export function feedOf(capture: Capture, pacing: Pacing, lane = 0, lanes = 1): CaptureFeed {
  const frames = ethernetFrames(capture);
  const times = dueTimes(capture, pacing);
  const own: number[] = [];
  for (let i = 0; i < capture.count; i++) {
    if (frames.lengths[i] === 0) continue;
    if (lanes === 1 || laneOf(frames.bytes, frames.offsets[i], frames.lengths[i], lanes) === lane) {
      own.push(i);
    }
  }
  return {
    bytes: frames.bytes,
    offsets: Uint32Array.from(own, (i) => frames.offsets[i]),
    lengths: Uint32Array.from(own, (i) => frames.lengths[i]),
    due: times && Float64Array.from(own, (i) => times[i]),
    period: periodOf(times),
    skipped: frames.skipped,
  };
}

/** Offsets into the file where it holds Ethernet; otherwise into a copy with the headers replaced. */
function ethernetFrames(capture: Capture) {
  const { bytes, offsets, lengths } = capture;
  if (capture.linkType === LINK_TYPE.ethernet) return { bytes, offsets, lengths, skipped: 0 };
  const frames = Array.from({ length: capture.count }, (_, i) =>
    linkTypeAt(capture, i) === LINK_TYPE.ethernet
      ? bytes.subarray(offsets[i], offsets[i] + lengths[i])
      : frameAt(capture, i),
  );
  const copy = new Uint8Array(frames.reduce((sum, frame) => sum + (frame?.length ?? 0), 0));
  const newOffsets = new Uint32Array(capture.count);
  let at = 0;
  frames.forEach((frame, i) => {
    newOffsets[i] = at;
    if (frame) copy.set(frame, at);
    at += frame?.length ?? 0;
  });
  return {
    bytes: copy,
    offsets: newOffsets,
    lengths: Uint32Array.from(frames, (frame) => frame?.length ?? 0),
    skipped: frames.filter((frame) => frame === undefined).length,
  };
}

/** Nanoseconds after the first frame, by frame; undefined where frames are not paced. */
export function dueTimes(capture: Capture, pacing: Pacing): Float64Array | undefined {
  if (pacing.kind === 'unpaced') return undefined;
  if (pacing.kind === 'rate') {
    const gap = 1e9 / pacing.packetsPerSecond;
    return Float64Array.from({ length: capture.count }, (_, i) => i * gap);
  }
  const first = capture.timestampsNanoseconds[0] ?? 0n;
  let latest = 0;
  return Float64Array.from({ length: capture.count }, (_, i) => {
    latest = Math.max(latest, Number((capture.timestampsNanoseconds[i] as bigint) - first));
    return latest;
  });
}

/** One mean gap after the last frame the next pass begins. */
export function periodOf(times: Float64Array | undefined): number {
  if (times === undefined || times.length === 0) return 0;
  const last = times[times.length - 1] as number;
  return times.length === 1 ? 1e9 : last + last / (times.length - 1);
}

/** IPv4 and IPv6 by their addresses; whatever else goes to the first lane. */
export function laneOf(bytes: Uint8Array, offset: number, length: number, lanes: number): number {
  let type = offset + 12;
  // At most two tags (IEEE 802.1ad).
  for (let tags = 0; tags < 2 && isTag(bytes, type); tags++) type += 4;
  const [start, size] = addressesAt(bytes, type);
  if (size === 0 || start + 2 * size > offset + length) return 0;
  let hash = 0;
  for (let i = 0; i < size; i++) {
    hash =
      Math.imul(hash, 31) + ((bytes[start + i] as number) ^ (bytes[start + size + i] as number));
  }
  // The low bits of a product are weak: the finalizer of MurmurHash3 mixes them.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % lanes;
}

function isTag(bytes: Uint8Array, at: number): boolean {
  const type = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  return type === 0x8100 || type === 0x88a8;
}

/** Where the source address begins, and its length, which is 0 for what is not IP. */
function addressesAt(bytes: Uint8Array, type: number): [start: number, size: number] {
  const etherType = ((bytes[type] as number) << 8) | (bytes[type + 1] as number);
  if (etherType === 0x0800) return [type + 2 + 12, 4];
  if (etherType === 0x86dd) return [type + 2 + 8, 16];
  return [0, 0];
}
