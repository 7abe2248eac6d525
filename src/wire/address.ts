/**
 * Addresses as values and as text.
 *
 * IPv4 addresses are unsigned 32-bit numbers, MAC addresses unsigned 48-bit numbers, IPv6
 * addresses 16 bytes. A parser gives undefined for text that is not exactly one address: the
 * caller knows which option or column to name in its error.
 */

/** An address with the count of leading bits that are its network's. Host bits are kept. */
export type Prefix =
  | { readonly version: 4; readonly address: number; readonly length: number }
  | { readonly version: 6; readonly address: Uint8Array; readonly length: number };

/** `parseIpv4('10.0.0.5') === 0x0a000005`. Four decimal parts, no leading zeros. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let address = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    address = address * 256 + Number(part);
  }
  return address;
}

/**
 * An address written in code: `ip('10.0.0.5')`.
 *
 * @throws {RangeError} for text that is not an IPv4 address
 */
export function ip(text: string): number {
  const address = parseIpv4(text);
  if (address === undefined) throw new RangeError(`${text} is not an IPv4 address`);
  return address;
}

export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** The text forms of RFC 4291 section 2.2, without a zone: `::1`, `2001:db8::5`, `::ffff:10.0.0.5`. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const halves = withoutDottedTail(text)?.split('::');
  if (halves === undefined || halves.length > 2) return undefined;
  const head = parseGroups(halves[0]);
  const tail = halves.length === 2 ? parseGroups(halves[1]) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  // "::" stands for at least one group of zeros (RFC 4291; RFC 5952 section 4.2.2 only discourages one).
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const address = new Uint8Array(16);
  [...head, ...new Array<number>(missing).fill(0), ...tail].forEach((group, index) => {
    address[2 * index] = group >>> 8;
    address[2 * index + 1] = group & 255;
  });
  return address;
}

/** The one canonical text of RFC 5952; IPv4-mapped addresses end in dotted decimals (its section 5). */
export function formatIpv6(address: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, index) => groupAt(address, index));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${address.slice(12, 16).join('.')}`;
  }
  const [start, length] = longestZeroRun(groups);
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return length < 2 ? hex(0, 8) : `${hex(0, start)}::${hex(start + length, 8)}`;
}

/** `parseMac('02:00:00:00:00:01') === 0x020000000001`. Six pairs of digits, colons between. */
export function parseMac(text: string): number | undefined {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)) return undefined;
  return Number.parseInt(text.replaceAll(':', ''), 16);
}

export function formatMac(address: number): string {
  const digits = address.toString(16).padStart(12, '0');
  return (digits.match(/../g) as string[]).join(':');
}

/** `10.0.0.0/8`, `2001:db8::/32`; an address alone is a prefix of its full length. */
export function parsePrefix(text: string): Prefix | undefined {
  const [addressText = '', lengthText, ...rest] = text.split('/');
  if (rest.length > 0) return undefined;
  if (lengthText !== undefined && !/^(0|[1-9]\d{0,2})$/.test(lengthText)) return undefined;
  const ipv4 = parseIpv4(addressText);
  if (ipv4 !== undefined) {
    const length = Number(lengthText ?? 32);
    return length <= 32 ? { version: 4, address: ipv4, length } : undefined;
  }
  const ipv6 = parseIpv6(addressText);
  const length = Number(lengthText ?? 128);
  return ipv6 && length <= 128 ? { version: 6, address: ipv6, length } : undefined;
}

export function formatPrefix(prefix: Prefix): string {
  const address = prefix.version === 4 ? formatIpv4(prefix.address) : formatIpv6(prefix.address);
  return `${address}/${prefix.length}`;
}

/** The bits of an IPv4 address that a prefix of `length` bits fixes: `maskIpv4(24) === 0xffffff00`. */
export function maskIpv4(length: number): number {
  return length === 0 ? 0 : (-1 << (32 - length)) >>> 0;
}

/** Whether an address (a number is IPv4, bytes are IPv6) lies within the prefix's network. */
export function contains(prefix: Prefix, address: number | Uint8Array): boolean {
  if (prefix.version === 4) {
    if (typeof address !== 'number') return false;
    return ((address ^ prefix.address) & maskIpv4(prefix.length)) === 0;
  }
  if (typeof address === 'number') return false;
  const whole = prefix.length >>> 3;
  for (let i = 0; i < whole; i++) if (address[i] !== prefix.address[i]) return false;
  const rest = prefix.length & 7;
  const difference = (address[whole] ?? 0) ^ (prefix.address[whole] ?? 0);
  return rest === 0 || difference >>> (8 - rest) === 0;
}

/** The MAC address at `offset`. */
export function readMac(view: DataView, offset: number): number {
  return view.getUint16(offset) * 0x1_0000_0000 + view.getUint32(offset + 2);
}

export function writeMac(view: DataView, offset: number, address: number): void {
  view.setUint16(offset, Math.floor(address / 0x1_0000_0000));
  view.setUint32(offset + 2, address >>> 0);
}

/** `::ffff:10.0.0.5` with its dotted part rewritten as two groups. */
function withoutDottedTail(text: string): string | undefined {
  if (!text.includes('.')) return text;
  const cut = text.lastIndexOf(':') + 1;
  const address = parseIpv4(text.slice(cut));
  if (address === undefined || cut === 0) return undefined;
  return `${text.slice(0, cut)}${(address >>> 16).toString(16)}:${(address & 0xffff).toString(16)}`;
}

function parseGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const groups = text.split(':');
  if (groups.length > 8 || !groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) {
    return undefined;
  }
  return groups.map((group) => Number.parseInt(group, 16));
}

function groupAt(address: Uint8Array, index: number): number {
  return (address[2 * index] << 8) | address[2 * index + 1];
}

/** Start and length of the longest run of zero groups, the first of equals. */
function longestZeroRun(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  let run = 0;
  groups.forEach((group, index) => {
    run = group === 0 ? run + 1 : 0;
    if (run > best[1]) best = [index - run + 1, run];
  });
  return best;
}
