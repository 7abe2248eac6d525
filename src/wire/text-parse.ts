/** From a packet's text to its description; text.ts has the grammar. */
import { parseIpv4, parseIpv6, parseMac } from './address.ts';
import * as arp from './arp.ts';
import { fromHex } from './bytes.ts';
import { DEFAULT_DESTINATION, DEFAULT_SOURCE } from './compose.ts';
import * as ethernet from './ethernet.ts';
import type { Description, VlanLayer } from './layers.ts';
import { TextError } from './text-error.ts';
import type { Endpoint } from './text-fields.ts';
import { Fields, given, parseChecksum, parseNumber } from './text-fields.ts';
import type { Token } from './text-lexer.ts';
import { tokenize } from './text-lexer.ts';
import { parseTransport } from './text-parse-transport.ts';
import type { TextDefaults } from './text-words.ts';
import { filler, PROTOCOL_WORDS } from './text-words.ts';

/** An error quotes a packet, and scripts may quote an error: no deeper. */
const MAXIMUM_DEPTH = 3;

/** The bytes of `raw=HEX`; undefined for any other text. */
export function parseRaw(text: string): Uint8Array | undefined {
  const match = /^\s*raw="?([0-9a-fA-F\s:]*)"?\s*$/.exec(text);
  return match ? fromHex(match[1]) : undefined;
}

/** Throws TextError, for `raw=` too, which describes nothing. */
export function parseDescription(text: string, defaults: TextDefaults = {}): Description {
  const tokens = tokenize(text, 0);
  const first = tokens[0];
  const isWord = first?.kind === 'word';
  if (isWord && first.text === 'arp') return parseArp(tokens, text.length, defaults);
  if (isWord && first.text === 'ether') return parseEther(tokens, text.length, defaults);
  const fields = new Fields(tokens.slice(3), text.length);
  const link = parseLink(fields, defaults, {});
  const packet = parseIp(tokens, fields, 0);
  return { ...link, ...packet };
}

function parseIp(tokens: readonly Token[], fields: Fields, depth: number): Description {
  const source = parseEndpoint(tokens[0], fields);
  const arrow = tokens[1];
  if (arrow?.kind !== 'word' || arrow.text !== '>') {
    throw new TextError(arrow?.column ?? 0, 'expected "SOURCE > DESTINATION", "arp" or "ether"');
  }
  const destination = parseEndpoint(tokens[2], fields);
  if (typeof source.address !== typeof destination.address) {
    throw new TextError(tokens[2]?.column ?? 0, 'addresses of two IP versions');
  }
  const network =
    typeof source.address === 'number'
      ? parseIpv4Layer(source.address, destination.address as number, fields)
      : parseIpv6Layer(source.address, destination.address as Uint8Array, fields);
  const transport = parseTransport(fields, source, destination, (group) => {
    if (depth + 1 > MAXIMUM_DEPTH) throw new TextError(group.column, 'packets quoted too deep');
    const inner = tokenize(group.text, group.column);
    const end = group.column + group.text.length;
    return parseIp(inner, new Fields(inner.slice(3), end), depth + 1);
  });
  const payload = parsePayload(fields);
  const trailer = fields.hex('trailer');
  fields.finish();
  return {
    ...network,
    ...transport,
    ...(payload && { payload }),
    ...(trailer && { trailer }),
  };
}

function parseEndpoint(token: Token | undefined, fields: Fields): Endpoint {
  if (token === undefined) return fields.missing('an address');
  const text = token.kind === 'word' ? token.text : '';
  const match = /^(?:\[([^\]]*)\]|([\d.]+))(?::(\d+))?$/.exec(text);
  const host = match ? (match[1] ?? match[2] ?? '') : text;
  const address = parseIpv4(host) ?? parseIpv6(host);
  if (address === undefined) throw new TextError(token.column, 'expected an address');
  const port = match?.[3];
  return {
    address,
    port: port === undefined ? undefined : parseNumber(port, token.column, 0xffff, 'a port'),
  };
}

function parseIpv4Layer(source: number, destination: number, fields: Fields): Description {
  const options = fields.hex('options');
  if (options && options.length > 40) fields.missing('room: options= beyond 40 bytes, which');
  const checksum = parseChecksum(fields, 'header-checksum');
  return {
    ipv4: {
      source,
      destination,
      ...given('protocol', parseProtocol(fields)),
      ...given('timeToLive', fields.number('ttl', 0xff)),
      ...given('typeOfService', fields.number('tos', 0xff)),
      ...given('identification', fields.number('id', 0xffff)),
      ...given('totalLength', fields.number('total', 0xffff)),
      dontFragment: fields.flag('df'),
      moreFragments: fields.flag('mf'),
      fragmentOffset: parseFragmentOffset(fields) ?? 0,
      ...(options && { options }),
      ...given('checksum', checksum),
    },
  };
}

function parseIpv6Layer(source: Uint8Array, destination: Uint8Array, fields: Fields): Description {
  const extensions = fields.all('ext').map(({ text, column }) => {
    const [protocol = '', hex = ''] = text.split(':');
    const bytes = fromHex(hex);
    if (!bytes || bytes.length < 8) {
      throw new TextError(column, 'ext= needs PROTOCOL:HEX of at least 8 bytes');
    }
    return { protocol: parseNumber(protocol, column, 0xff, 'ext='), bytes };
  });
  const identification = fields.number('id', 0xffff_ffff);
  const moreFragments = fields.flag('mf');
  const fragmentOffset = parseFragmentOffset(fields);
  const isFragment = moreFragments || (identification ?? fragmentOffset) !== undefined;
  return {
    ipv6: {
      source,
      destination,
      ...given('protocol', parseProtocol(fields)),
      ...given('hopLimit', fields.number('ttl', 0xff)),
      ...given('trafficClass', fields.number('tos', 0xff)),
      ...given('flowLabel', fields.number('flow', 0xfffff)),
      ...given('payloadLength', fields.number('total', 0xffff)),
      ...(extensions.length > 0 && { extensions }),
      ...(isFragment && {
        fragment: {
          identification: identification ?? 0,
          fragmentOffset: fragmentOffset ?? 0,
          moreFragments,
        },
      }),
    },
  };
}

function parseFragmentOffset(fields: Fields): number | undefined {
  const value = fields.value('frag');
  if (!value) return undefined;
  const offset = parseNumber(value.text, value.column, 0xfff8, 'frag=');
  if (offset % 8 !== 0) throw new TextError(value.column, 'frag= needs a multiple of 8');
  return offset;
}

function parseProtocol(fields: Fields): number | undefined {
  const value = fields.value('proto');
  if (!value) return undefined;
  return PROTOCOL_WORDS[value.text] ?? parseNumber(value.text, value.column, 0xff, 'proto=');
}

function parsePayload(fields: Fields): Uint8Array | undefined {
  const length = fields.number('len', 0xffff);
  return fields.string() ?? fields.hex('hex') ?? (length === undefined ? length : filler(length));
}

function parseLink(
  fields: Fields,
  defaults: TextDefaults,
  own: { source?: number; destination?: number },
): Pick<Description, 'ethernet' | 'vlan'> {
  const from = fields.parsed('from', parseMac, 'a MAC address');
  const to = fields.parsed('to', parseMac, 'a MAC address');
  const vlan = fields.all('vlan').map(({ text, column }): VlanLayer => {
    const [identifier = '', priority = '0', eligible] = text.split(':');
    return {
      identifier: parseNumber(identifier, column, 0xfff, 'vlan='),
      priority: parseNumber(priority, column, 7, "vlan='s priority"),
      dropEligible: eligible === 'dei',
    };
  });
  return {
    ethernet: {
      source: from ?? own.source ?? defaults.source ?? DEFAULT_SOURCE,
      destination: to ?? own.destination ?? defaults.destination ?? DEFAULT_DESTINATION,
    },
    ...(vlan.length > 0 && { vlan }),
  };
}

/** `arp who-has A tell B` or `arp A is-at MAC`. */
function parseArp(tokens: readonly Token[], end: number, defaults: TextDefaults): Description {
  const fields = new Fields(tokens.slice(1), end);
  const trailer = fields.hex('trailer');
  const rest = trailer && { trailer };
  if (fields.flag('who-has')) {
    const targetAddress = addressWord(fields);
    if (!fields.flag('tell')) fields.missing('"tell ADDRESS"');
    const senderAddress = addressWord(fields);
    const targetMac = fields.parsed('target-mac', parseMac, 'a MAC address') ?? 0;
    const senderMac = fields.parsed('mac', parseMac, 'a MAC address');
    const link = parseLink(fields, defaults, { destination: ethernet.BROADCAST });
    fields.finish();
    const mac = senderMac ?? (link.ethernet?.source as number);
    const operation = arp.OPERATION.request;
    return {
      ...link,
      arp: { operation, senderMac: mac, senderAddress, targetMac, targetAddress },
      ...rest,
    };
  }
  const senderAddress = addressWord(fields);
  if (!fields.flag('is-at')) fields.missing('"who-has" or "is-at"');
  const word = fields.nextWord('a MAC address');
  const senderMac = parseMac(word.text);
  if (senderMac === undefined) throw new TextError(word.column, 'expected a MAC address');
  const targetAddress = fields.parsed('target', parseIpv4, 'an IPv4 address') ?? 0;
  const targetMac = fields.parsed('target-mac', parseMac, 'a MAC address');
  const link = parseLink(fields, defaults, { source: senderMac });
  fields.finish();
  const mac = targetMac ?? (link.ethernet?.destination as number);
  const operation = arp.OPERATION.reply;
  return {
    ...link,
    arp: { operation, senderMac, senderAddress, targetMac: mac, targetAddress },
    ...rest,
  };
}

function addressWord(fields: Fields): number {
  const word = fields.nextWord('an IPv4 address');
  return parseIpv4(word.text) ?? failAt(word.column, 'expected an IPv4 address');
}

function parseEther(tokens: readonly Token[], end: number, defaults: TextDefaults): Description {
  const fields = new Fields(tokens.slice(1), end);
  const type = fields.number('type', 0xffff) ?? fields.missing('type=');
  const link = parseLink(fields, defaults, {});
  const payload = parsePayload(fields);
  fields.finish();
  return { ...link, ethernet: { ...link.ethernet, type }, ...(payload && { payload }) };
}

function failAt(column: number, problem: string): never {
  throw new TextError(column, problem);
}
