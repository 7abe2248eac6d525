/** Fragmentation of composed frames (RFC 791 section 3.2, RFC 8200 section 4.5), for tests and examples. */
import { concatenate, viewOf } from './bytes.ts';
import { compose, composePacket } from './compose.ts';
import { dissect } from './dissect.ts';
import * as ipv4 from './ipv4.ts';
import type { Frame, Ipv4Layer, Ipv6Layer } from './layers.ts';
import { isMalformed } from './malformed.ts';

/**
 * The frames that carry an IP frame's packet in pieces of at most `mtu` bytes each (Ethernet's
 * header not counted), in order. One that fits, or that is no IP, comes back alone and unchanged.
 * IPv6 takes the pieces' `identification` from the caller; IPv4 keeps the packet's own.
 *
 * Throws RangeError for a malformed frame, or where the MTU has no room for 8 bytes of payload.
 */
export function fragment(bytes: Uint8Array, mtu: number, identification = 1): Uint8Array[] {
  const frame = dissect(bytes);
  if (isMalformed(frame)) throw new RangeError(`cannot fragment a malformed frame: ${frame}`);
  if (!frame.ipv4 && !frame.ipv6) return [bytes];
  const packet = composePacket(frame);
  if (packet.length <= mtu) return [bytes];
  return frame.ipv4
    ? fragment4(frame, frame.ipv4, packet, mtu)
    : fragment6(frame, frame.ipv6 as Ipv6Layer, packet, mtu, identification);
}

function fragment4(frame: Frame, layer: Ipv4Layer, packet: Uint8Array, mtu: number): Uint8Array[] {
  const body = packet.subarray(ipv4.headerLength(viewOf(packet), 0));
  const first = layer.options;
  const later = copiedOptions(first ?? new Uint8Array());
  const base = layer.fragmentOffset ?? 0;
  const { options: _options, checksum: _checksum, ...plain } = layer;
  return cut(body.length, mtu - (packet.length - body.length)).map(([from, to]) => {
    const options = base + from === 0 ? first : later;
    return compose({
      ethernet: frame.ethernet,
      ...(frame.vlan && { vlan: frame.vlan }),
      ipv4: {
        ...plain,
        fragmentOffset: base + from,
        moreFragments: to < body.length || layer.moreFragments === true,
        ...(options && options.length > 0 && { options }),
      },
      payload: body.subarray(from, to),
    });
  });
}

function fragment6(
  frame: Frame,
  layer: Ipv6Layer,
  packet: Uint8Array,
  mtu: number,
  identification: number,
): Uint8Array[] {
  if (layer.fragment) throw new RangeError('only its source fragments an IPv6 packet');
  // Every extension header is repeated in each piece: right for those that routers read.
  const extensions = concatenate((layer.extensions ?? []).map((extension) => extension.bytes));
  const headerLength = 40 + extensions.length;
  const body = packet.subarray(headerLength);
  return cut(body.length, mtu - headerLength - 8).map(([from, to]) =>
    compose({
      ethernet: frame.ethernet,
      ...(frame.vlan && { vlan: frame.vlan }),
      ipv6: {
        ...layer,
        fragment: { identification, fragmentOffset: from, moreFragments: to < body.length },
      },
      payload: body.subarray(from, to),
    }),
  );
}

/** Ranges of `length` bytes in pieces of at most `room`, all but the last a multiple of 8. */
function cut(length: number, room: number): [from: number, to: number][] {
  const step = room & ~7;
  if (step < 8) throw new RangeError('the MTU leaves no room for 8 bytes of payload');
  const ranges: [number, number][] = [];
  for (let from = 0; from < length; from += step) {
    ranges.push([from, Math.min(length, from + step)]);
  }
  return ranges;
}

/** The options that later fragments repeat: those with the copied flag (RFC 791 section 3.1). */
function copiedOptions(options: Uint8Array): Uint8Array {
  const copied: Uint8Array[] = [];
  let at = 0;
  while (at < options.length) {
    const kind = options[at];
    if (kind === 0) break;
    const length = kind === 1 ? 1 : (options[at + 1] ?? 0);
    if (length === 0 || (length === 1 && kind !== 1)) break;
    if (kind & 0x80) copied.push(options.subarray(at, at + length));
    at += length;
  }
  return concatenate(copied);
}
