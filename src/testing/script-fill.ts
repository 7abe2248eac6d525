/** Packets' texts in scripts: filling in captures, and the link addresses that follow from the rest. */
import { contains, formatIpv4, formatMac, parseIpv4, parseMac } from '../wire/address.ts';
import * as ethernet from '../wire/ethernet.ts';
import { parseText } from '../wire/text.ts';
import type { Harness } from './harness.ts';
import { hostMac } from './links.ts';

/** Captures by name: a port, identifier or other number, or an IPv4 address as text. */
export type Bindings = Map<string, number | string>;

const variable = /"(?:\\.|[^"\\])*"|\$(\w+)/g;
const station = /(=|\bis-at\s+)@([\w.-]+)/g;

/** Names in a packet's text that nothing is bound to yet; `$_` stands for anything, each time anew. */
export function unbound(text: string, bindings: Bindings): string[] {
  return [...text.matchAll(variable)].flatMap(([, name]) =>
    name !== undefined && !bindings.has(name) ? [name] : [],
  );
}

/** The frame that a script sends: link addresses of the host and the port, unless it writes others. */
export function composeLine(
  text: string,
  port: string,
  bindings: Bindings,
  harness: Harness,
): Uint8Array {
  const missing = unbound(text, bindings);
  if (missing.length > 0)
    throw new RangeError(`nothing is bound to ${missing.map((name) => `$${name}`).join(', ')} yet`);
  const filled = fillStations(text, harness).replace(variable, (whole, name) =>
    name === undefined ? whole : String(bindings.get(name)),
  );
  return parseText(filled, {
    source: sourceMac(filled),
    destination: destinationMac(filled) ?? macNumber(harness.macOf(port)),
  });
}

/** Writes the MAC addresses of `@NAME` and `@ADDRESS` out. */
export function fillStations(text: string, harness: Harness): string {
  return text.replace(station, (_, before, name: string) => {
    const address = parseIpv4(name);
    const mac = address === undefined ? macNumber(harness.macOf(name)) : hostMac(address);
    return `${before}${formatMac(mac)}`;
  });
}

function sourceMac(text: string): number {
  const host = /^\s*([\d.]+)|\btell\s+([\d.]+)/.exec(text);
  const address = parseIpv4(host?.[1] ?? host?.[2] ?? '');
  return hostMac(address ?? 0);
}

const broadcast = 0xffff_ffff;
const multicast = { version: 4, address: 0xe000_0000, length: 4 } as const;

/** The group address of a multicast destination (RFC 1112 6.4), or broadcast; undefined for unicast. */
function destinationMac(text: string): number | undefined {
  const address = parseIpv4(/^\s*[\d.:]+\s+>\s+([\d.]+)/.exec(text)?.[1] ?? '');
  if (address === undefined) return undefined;
  if (address === broadcast) return ethernet.BROADCAST;
  return contains(multicast, address) ? 0x0100_5e00_0000 + (address & 0x7f_ffff) : undefined;
}

function macNumber(text: string): number {
  return parseMac(text) as number;
}

/** Replaces what is not bound yet by values that stand nowhere else in the text. */
export function placeholders(text: string, bindings: Bindings) {
  const captures = new Map<number, string>();
  let next = 0;
  const names = new Map<string, number>();
  const filled = text.replace(variable, (whole, name: string | undefined, at: number) => {
    if (name === undefined) return whole;
    const bound = name === '_' ? undefined : bindings.get(name);
    if (bound !== undefined) return String(bound);
    const isNumber = text[at - 1] === ':' || text[at - 1] === '=';
    let value = name === '_' ? undefined : names.get(name);
    while (
      value === undefined ||
      (isNumber && !captures.has(value) && text.includes(String(value)))
    ) {
      value = (isNumber ? 59_999 : 0xf000_4d00) + ++next;
    }
    captures.set(value, name);
    names.set(name, value);
    return isNumber ? String(value) : formatIpv4(value);
  });
  return { filled, captures };
}
