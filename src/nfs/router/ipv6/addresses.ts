/** IPv6 addresses as 16 bytes: their scopes, and those that follow from others (RFC 4291). */

export interface Prefix6 {
  /** 16 bytes. */
  readonly address: Uint8Array;
  /** Bits. */
  readonly length: number;
}

/** RFC 4861 7.2.4: where an advertisement goes that nobody in particular asked for. */
export const ALL_NODES = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

export function isMulticast(address: Uint8Array): boolean {
  return address[0] === 0xff;
}

/** fe80::/10 */
export function isLinkLocal(address: Uint8Array): boolean {
  return address[0] === 0xfe && ((address[1] as number) & 0xc0) === 0x80;
}

export function isUnspecified(address: Uint8Array): boolean {
  return address.every((byte) => byte === 0);
}

/** ::1 */
export function isLoopback(address: Uint8Array): boolean {
  return address[15] === 1 && address.subarray(0, 15).every((byte) => byte === 0);
}

/** fe80::/64 with the modified EUI-64 of a 6-byte MAC address (RFC 4291 appendix A, RFC 2464 4). */
export function linkLocalOf(mac: Uint8Array): Uint8Array {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac;
  return Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f);
}

/** ff02::1:ff00:0/104 with the address's last 24 bits (RFC 4291 2.7.1). */
export function solicitedNodeOf(address: Uint8Array): Uint8Array {
  const group = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0);
  group.set(address.subarray(13, 16), 13);
  return group;
}

/** The Ethernet address of a multicast group, 48 bits: 33:33 and its last 32 bits (RFC 2464 7). */
export function multicastMac(group: Uint8Array): number {
  return 0x3333_0000_0000 + new DataView(group.buffer, group.byteOffset).getUint32(12);
}

/** An address as a key of a map. */
export function keyOf(address: Uint8Array): string {
  return String.fromCharCode(...address);
}
