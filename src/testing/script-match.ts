/** Compares a frame with a packet's text, field by field, of those that the text writes down. */
import { formatIpv4, formatMac } from '../wire/address.ts';
import { equalBytes, toHex } from '../wire/bytes.ts';
import { type Description, dissect, type Frame } from '../wire/frame.ts';
import { isMalformed } from '../wire/malformed.ts';
import { parseDescription, parseText } from '../wire/text.ts';
import type { Harness } from './harness.ts';
import { type Bindings, fillStations, placeholders } from './script-fill.ts';

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
    return formatMac(value);
  }
  return /^(quoted\.)*ipv4\.(source|destination)$|Address$/.test(field)
    ? formatIpv4(value)
    : String(value);
}
