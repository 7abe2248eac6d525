/**
 * The Internet checksum (RFC 1071): pseudo-headers, incremental updates (RFC 1624), and UDP's
 * rule that a zero on the wire means "no checksum" (RFC 768).
 *
 * Sums are carried unfolded: one IP packet is at most 32,768 words of 0xffff, which with its
 * pseudo-header stays below 2^32.
 *
 * ```ts
 * const total = sum(view, udpAt, end, pseudoHeader4(source, destination, 17, end - udpAt));
 * view.setUint16(udpAt + 6, finishUdp(total)); // the field was zero while it was summed
 * ```
 */

/** Adds the bytes from `offset` to `end` as big-endian words, an odd last byte padded with zero. */
export function sum(view: DataView, offset: number, end: number, initial = 0): number {
  let total = initial;
  let at = offset;
  for (; at + 1 < end; at += 2) total += view.getUint16(at);
  if (at < end) total += view.getUint8(at) << 8;
  return total;
}

/** The sum of TCP's and UDP's pseudo-header over IPv4 (RFC 9293 section 3.1, RFC 768). */
export function pseudoHeader4(
  source: number,
  destination: number,
  protocol: number,
  length: number,
): number {
  return (
    (source >>> 16) +
    (source & 0xffff) +
    (destination >>> 16) +
    (destination & 0xffff) +
    protocol +
    length
  );
}

/** The sum of the pseudo-header over IPv6 (RFC 8200 section 8.1); source and destination lie at `addresses`. */
export function pseudoHeader6(
  view: DataView,
  addresses: number,
  protocol: number,
  length: number,
): number {
  return sum(view, addresses, addresses + 32, (length >>> 16) + (length & 0xffff) + protocol);
}

/** The checksum field's value for a sum taken with that field at zero. */
export function finish(total: number): number {
  return ~fold(total) & 0xffff;
}

/** As `finish`, for UDP: a checksum that comes out as zero is sent as 0xffff. */
export function finishUdp(total: number): number {
  return finish(total) || 0xffff;
}

/** Whether a sum that includes the checksum field is that of intact bytes. */
export function isValid(total: number): boolean {
  return fold(total) === 0xffff;
}

/**
 * The checksum after one 16-bit word under it changed (RFC 1624 equation 3).
 *
 * Equal to a recomputation whenever the summed bytes are not all zero, before and after. All
 * zero is possible for an ICMP echo reply alone (no pseudo-header): there a recomputation gives
 * 0xffff and this gives 0. A NAT that never assigns echo identifier 0 never meets it.
 */
export function update16(checksum: number, before: number, after: number): number {
  return ~fold((~checksum & 0xffff) + (~before & 0xffff) + after) & 0xffff;
}

/** As `update16`, for a 32-bit word such as an IPv4 address, aligned to 16 bits under the sum. */
export function update32(checksum: number, before: number, after: number): number {
  const removed = (~before >>> 16) + (~before & 0xffff);
  return ~fold((~checksum & 0xffff) + removed + (after >>> 16) + (after & 0xffff)) & 0xffff;
}

/** As `update16`, for UDP: "no checksum" stays so, and a zero result is sent as 0xffff. */
export function updateUdp16(checksum: number, before: number, after: number): number {
  return checksum === 0 ? 0 : update16(checksum, before, after) || 0xffff;
}

/** As `update32`, for UDP. */
export function updateUdp32(checksum: number, before: number, after: number): number {
  return checksum === 0 ? 0 : update32(checksum, before, after) || 0xffff;
}

/** Ones' complement addition of two 16-bit values: the end-around carry comes back in. */
export function addOnes(a: number, b: number): number {
  return fold(a + b);
}

/** Twice is enough: a sum below 2^32 folds to at most 0x1fffe, and that to 16 bits. */
function fold(total: number): number {
  const once = (total & 0xffff) + (total >>> 16);
  return (once & 0xffff) + (once >>> 16);
}
