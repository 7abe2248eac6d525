/**
 * Packets of scripts: filling in captures and addresses, and comparing what came with what was
 * expected, field by field, of those that the script writes down.
 */
import { contains, formatIpv4, parseIpv4, parseMac } from '../wire/address.ts';
import { equalBytes, toHex } from '../wire/bytes.ts';
import * as ethernet from '../wire/ethernet.ts';
import { type Description, dissect, type Frame } from '../wire/frame.ts';
import { isMalformed } from '../wire/malformed.ts';
import { parseDescription, parseText } from '../wire/text.ts';
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

function fillStations(text: string, harness: Harness): string {
  return text.replace(station, (_, before, name: string) => {
    const address = parseIpv4(name);
    const mac = address === undefined ? macNumber(harness.macOf(name)) : hostMac(address);
    return `${before}${(mac.toString(16).padStart(12, '0').match(/../g) as string[]).join(':')}`;
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

/** One field that differs, as texts. */
export interface Difference {
  readonly field: string;
  readonly expected: string;
  readonly got: string;
}

/** Compares a frame with a packet's text, binding its captures where all else is equal. */
export function matchLine(
  text: string,
  frame: Uint8Array,
  bindings: Bindings,
  harness: Harness,
): Difference[] {
  if (/^\s*raw=/.test(text)) {
    const raw = parseText(text);
    return equalBytes(raw, frame) ? [] : [{ field: 'frame', expected: text, got: toHex(frame) }];
  }
  const actual = dissect(frame);
  if (isMalformed(actual))
    return [{ field: 'frame', expected: 'a well-formed packet', got: actual }];
  const { filled, captures } = placeholders(fillStations(text, harness), bindings);
  const unsaid = -1;
  const expected = parseDescription(filled, { source: unsaid, destination: unsaid });
  const matcher = new Matcher(filled, captures);
  matcher.frame(expected, actual);
  if (matcher.differences.length === 0)
    for (const [name, value] of matcher.found) bindings.set(name, value);
  return matcher.differences;
}

/** Replaces what is not bound yet by values that stand nowhere else in the text. */
function placeholders(text: string, bindings: Bindings) {
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

type Layer = Readonly<Record<string, unknown>>;

class Matcher {
  readonly differences: Difference[] = [];
  readonly found = new Map<string, number | string>();
  private readonly captures: ReadonlyMap<number, string>;
  private readonly saysCode: boolean;
  private readonly text: string;

  constructor(text: string, captures: ReadonlyMap<number, string>) {
    this.text = text.replace(/"(?:\\.|[^"\\])*"/g, '""');
    this.captures = captures;
    this.saysCode = /\bcode=/.test(this.text);
  }

  frame(expected: Description, actual: Frame): void {
    const link: Record<string, unknown> = {};
    if (/\bfrom=/.test(this.text)) link['source'] = expected.ethernet?.source;
    if (/\bto=/.test(this.text)) link['destination'] = expected.ethernet?.destination;
    if (expected.ethernet?.type !== undefined) link['type'] = expected.ethernet.type;
    this.layer('ethernet', link, actual.ethernet);
    this.layers('vlan', expected.vlan ?? [], actual.vlan ?? []);
    if (expected.arp) this.layer('arp', expected.arp, actual.arp);
    this.packet('', expected, actual, false);
  }

  private packet(
    at: string,
    expected: Description,
    actual: Omit<Frame, 'ethernet'>,
    isQuoted: boolean,
  ): void {
    for (const name of ['ipv4', 'ipv6', 'tcp', 'udp', 'icmp', 'icmpv6'] as const) {
      const wanted = expected[name] as Layer | undefined;
      if (!wanted) continue;
      const got = actual[name] as Layer | undefined;
      if (!got) {
        this.differ(`${at}${name}`, name, describe(actual));
        continue;
      }
      const { quoted, quotedLength, ...written } = wanted;
      const fields: Record<string, unknown> = written;
      if ((name === 'icmp' || name === 'icmpv6') && fields['code'] === 0 && !this.saysCode)
        delete fields['code'];
      this.layer(`${at}${name}`, fields, got);
      if (quotedLength !== undefined)
        this.value(`${at}${name}.quotedLength`, quotedLength, got['quotedLength'] ?? quotedLength);
      if (quoted && got['quoted'])
        this.packet(`${at}quoted.`, quoted as Description, got['quoted'] as Frame, true);
      else if (quoted) this.differ(`${at}quoted`, 'a packet', 'none');
    }
    this.checksums(at, expected, actual, isQuoted);
    if (expected.payload !== undefined)
      this.value(`${at}payload`, expected.payload, actual.payload);
    if (expected.trailer !== undefined)
      this.value(`${at}trailer`, expected.trailer, actual.trailer);
  }

  /** Right, unless the text says otherwise; a transport that a quote cuts short cannot be told. */
  private checksums(
    at: string,
    expected: Description,
    actual: Omit<Frame, 'ethernet'>,
    isQuoted: boolean,
  ): void {
    const isCut =
      isQuoted && (actual.ipv4?.totalLength ?? actual.ipv6?.payloadLength) !== undefined;
    for (const name of ['ipv4', 'tcp', 'udp', 'icmp', 'icmpv6'] as const) {
      const got = actual[name]?.checksum;
      const wanted = expected[name]?.checksum;
      const isNone = name === 'udp' && got === 0 && actual.ipv4 !== undefined;
      if (wanted !== undefined && got !== wanted)
        this.differ(`${at}${name}.checksum`, String(wanted), String(got ?? 'right'));
      if (wanted !== undefined || got === undefined || isNone || (isCut && name !== 'ipv4'))
        continue;
      this.differ(`${at}${name}.checksum`, 'right', String(got));
    }
  }

  /** Fields that were not written are absent, false, or -1. */
  private layer(at: string, expected: Layer, actual: object | undefined): void {
    if (!actual) {
      this.differ(at, at, 'none');
      return;
    }
    for (const [field, wanted] of Object.entries(expected)) {
      const isWritten =
        wanted !== undefined && wanted !== false && wanted !== -1 && field !== 'checksum';
      if (!isWritten || (field === 'fragmentOffset' && wanted === 0)) continue;
      this.value(`${at}.${field}`, wanted, (actual as Layer)[field]);
    }
  }

  private layers(at: string, expected: readonly object[], actual: readonly object[]): void {
    if (expected.length !== actual.length)
      this.differ(at, `${expected.length} tags`, `${actual.length}`);
    else {
      expected.forEach((layer, index) => {
        this.layer(`${at}[${index}]`, layer as Layer, actual[index]);
      });
    }
  }

  private value(field: string, wanted: unknown, got: unknown): void {
    const name = typeof wanted === 'number' ? this.captures.get(wanted) : undefined;
    if (name !== undefined && typeof got === 'number') {
      const isAddress = (wanted as number) > 0xffff;
      const value = isAddress ? formatIpv4(got) : got;
      const before = this.found.get(name);
      if (name === '_') return;
      if (before === undefined) this.found.set(name, value);
      else if (before !== value) this.differ(field, `${before} ($${name})`, String(value));
    } else if (wanted instanceof Uint8Array && got instanceof Uint8Array) {
      if (!equalBytes(wanted, got)) this.differ(field, show(field, wanted), show(field, got));
    } else if (wanted !== got) {
      this.differ(field, show(field, wanted), show(field, got));
    }
  }

  private differ(field: string, expected: string, got: string): void {
    this.differences.push({ field, expected, got });
  }
}

function describe(packet: Omit<Frame, 'ethernet'>): string {
  return (
    ['arp', 'ipv4', 'ipv6', 'tcp', 'udp', 'icmp', 'icmpv6']
      .filter((name) => name in packet)
      .join('/') || 'no IP'
  );
}

const shownBytes = 24;

function show(field: string, value: unknown): string {
  if (value instanceof Uint8Array) {
    const head = toHex(value.subarray(0, shownBytes));
    return value.length > shownBytes ? `${head}... (${value.length} bytes)` : head || 'none';
  }
  if (typeof value !== 'number') return String(value ?? 'none');
  if (/(^ethernet|Mac$)/.test(field) && !field.endsWith('type')) {
    return (value.toString(16).padStart(12, '0').match(/../g) as string[]).join(':');
  }
  return /^(quoted\.)*ipv4\.(source|destination)$|Address$/.test(field)
    ? formatIpv4(value)
    : String(value);
}
