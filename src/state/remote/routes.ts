/** Which interface packets to an address leave by, from the kernel's routing tables as text. */

/**
 * /proc/net/route: interface, destination, gateway, flags, ..., metric (6), mask (7); addresses as
 * hex words in memory order, little-endian. `address` is dotted decimal.
 */
export function interfaceOfRoute(address: string, table: string): string | undefined {
  const wanted = address.split('.').reduce((word, part) => word * 256 + Number(part), 0);
  let best: { name: string; mask: number; metric: number } | undefined;
  for (const line of table.split('\n').slice(1)) {
    const [name, destination, , flags, , , metricText, maskText] = line.trim().split(/\s+/);
    if (name === undefined || destination === undefined || maskText === undefined) continue;
    if ((Number.parseInt(flags ?? '0', 16) & up) === 0) continue;
    const mask = littleEndian(maskText);
    if ((wanted & mask) >>> 0 !== littleEndian(destination)) continue;
    const metric = Number(metricText);
    if (best === undefined || mask > best.mask || (mask === best.mask && metric < best.metric)) {
      best = { name, mask, metric };
    }
  }
  return best?.name;
}

/**
 * /proc/net/ipv6_route: destination, its prefix length in hex, source, its length, gateway, metric,
 * two counts, flags, interface; addresses as 32 hex digits.
 */
export function interfaceOfRoute6(address: string, table: string): string | undefined {
  const wanted = bitsOf(hexOfAddress6(address));
  let best: { name: string; length: number; metric: number } | undefined;
  for (const line of table.split('\n')) {
    const [destination, lengthText, , , , metricText, , , flags, name] = line.trim().split(/\s+/);
    if (destination === undefined || name === undefined) continue;
    const number = Number.parseInt(flags ?? '0', 16);
    if ((number & up) === 0 || (number & reject) !== 0) continue;
    const length = Number.parseInt(lengthText ?? '0', 16);
    if (wanted.slice(0, length) !== bitsOf(destination).slice(0, length)) continue;
    const metric = Number.parseInt(metricText ?? '0', 16);
    if (
      best === undefined ||
      length > best.length ||
      (length === best.length && metric < best.metric)
    ) {
      best = { name, length, metric };
    }
  }
  return best?.name;
}

/** The 32 hex digits of an IPv6 address; an IPv4 address gives its mapped one, ::ffff:a.b.c.d. */
export function hexOfAddress6(address: string): string {
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  if (dotted !== null) {
    const four = dotted.slice(1).map((part) => Number(part).toString(16).padStart(2, '0'));
    return `${'0'.repeat(20)}ffff${four.join('')}`;
  }
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const groups = (text: string) => text.split(':').filter((group) => group !== '');
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const middle = Array<string>(8 - before.length - after.length).fill('0');
  return [...before, ...middle, ...after].map((group) => group.padStart(4, '0')).join('');
}

const up = 0x0001; // RTF_UP
const reject = 0x0200; // RTF_REJECT: an unreachable route

function littleEndian(hex: string): number {
  const bytes = hex.match(/../g) ?? [];
  return bytes.reduceRight((word, byte) => word * 256 + Number.parseInt(byte, 16), 0);
}

function bitsOf(hex: string): string {
  return [...hex].map((digit) => Number.parseInt(digit, 16).toString(2).padStart(4, '0')).join('');
}
