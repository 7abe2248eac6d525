/** The transport part of a packet's text. */
import { parseIpv6, parseMac } from './address.ts';
import type { Checksum, Description } from './layers.ts';
import { encodeOptions } from './tcp-options.ts';
import { TextError } from './text-error.ts';
import type { Endpoint, Fields } from './text-fields.ts';
import { given, parseChecksum, parseNumber } from './text-fields.ts';
import { ICMP_WORDS, ICMP6_WORDS, parseFlags } from './text-words.ts';

type ParseQuote = (group: { readonly text: string; readonly column: number }) => Description;

export function parseTransport(
  fields: Fields,
  source: Endpoint,
  destination: Endpoint,
  parseQuote: ParseQuote,
): Description {
  const name = fields.oneOf(['tcp', 'udp', 'icmp', 'icmp6']);
  const checksum = given('checksum', parseChecksum(fields, 'checksum'));
  switch (name) {
    case 'udp': {
      const length = fields.number('length', 0xffff);
      return {
        udp: { ...ports(source, destination, fields), ...given('length', length), ...checksum },
      };
    }
    case 'tcp':
      return { tcp: parseTcp(fields, source, destination, checksum) };
    case 'icmp':
      return { icmp: parseIcmp(fields, parseQuote, checksum) };
    case 'icmp6':
      return { icmpv6: parseIcmp6(fields, parseQuote, checksum) };
    default:
      if (!fields.has('proto') && source.port !== undefined) fields.missing('"tcp" or "udp"');
      if (checksum.checksum !== undefined) fields.missing('a transport for checksum=');
      return {};
  }
}

function ports(source: Endpoint, destination: Endpoint, fields: Fields) {
  return {
    source: source.port ?? fields.missing("the source's port"),
    destination: destination.port ?? fields.missing("the destination's port"),
  };
}

function parseTcp(
  fields: Fields,
  source: Endpoint,
  destination: Endpoint,
  checksum: { checksum?: Checksum },
): NonNullable<Description['tcp']> {
  const letters = fields.peekWord();
  const flags = letters === undefined ? undefined : parseFlags(letters);
  if (flags !== undefined) fields.nextWord('flags');
  const options = fields.hex('tcp-options') ?? parseTcpOptions(fields);
  return {
    ...ports(source, destination, fields),
    ...given('flags', flags),
    ...given('sequence', fields.number('seq', 0xffff_ffff)),
    ...given('acknowledgement', fields.number('ack', 0xffff_ffff)),
    ...given('window', fields.number('win', 0xffff)),
    ...given('urgentPointer', fields.number('urg', 0xffff)),
    ...(options.length > 0 && { options: within40(options, fields) }),
    ...checksum,
  };
}

function parseTcpOptions(fields: Fields): Uint8Array {
  const stamps = fields.value('ts');
  const [stamp = '', echo = '0'] = stamps?.text.split('/') ?? [];
  return encodeOptions({
    ...given('maximumSegmentSize', fields.number('mss', 0xffff)),
    ...given('windowScale', fields.number('wscale', 0xff)),
    selectiveAcknowledgementPermitted: fields.flag('sack-ok'),
    ...(stamps && {
      timestamp: parseNumber(stamp, stamps.column, 0xffff_ffff, 'ts='),
      timestampEcho: parseNumber(echo, stamps.column, 0xffff_ffff, 'ts='),
    }),
  });
}

function within40(options: Uint8Array, fields: Fields): Uint8Array {
  return options.length <= 40
    ? options
    : fields.missing('room: tcp-options= beyond 40 bytes, which');
}

function parseIcmp(
  fields: Fields,
  parseQuote: ParseQuote,
  checksum: { checksum?: Checksum },
): NonNullable<Description['icmp']> {
  const { type, code } = parseKind(fields, ICMP_WORDS);
  return {
    type,
    code,
    ...parseWord(fields, 0xffff, 0xff),
    ...parseQuoting(fields, parseQuote),
    ...checksum,
  };
}

function parseIcmp6(
  fields: Fields,
  parseQuote: ParseQuote,
  checksum: { checksum?: Checksum },
): NonNullable<Description['icmpv6']> {
  const { type, code } = parseKind(fields, ICMP6_WORDS);
  const flags = fields.value('flags');
  if (flags && !/^[RSO]*$/.test(flags.text)) {
    throw new TextError(flags.column, 'flags= needs letters from RSO');
  }
  return {
    type,
    code,
    ...parseWord(fields, 0xffff_ffff, 0xffff_ffff),
    ...parseQuoting(fields, parseQuote),
    ...given('target', fields.parsed('target', parseIpv6, 'an IPv6 address')),
    ...given('linkLayer', fields.parsed('mac', parseMac, 'a MAC address')),
    ...(flags && {
      router: flags.text.includes('R'),
      solicited: flags.text.includes('S'),
      override: flags.text.includes('O'),
    }),
    ...checksum,
  };
}

function parseKind(fields: Fields, words: typeof ICMP_WORDS): { type: number; code: number } {
  const word = fields.oneOf(Object.keys(words));
  const kind = word === undefined ? undefined : words[word];
  const type = kind?.type ?? fields.number('type', 0xff) ?? fields.missing('a kind of message');
  return { type, code: kind?.code ?? fields.number('code', 0xff) ?? 0 };
}

function parseWord(fields: Fields, maximumMtu: number, maximumPointer: number) {
  return {
    ...given('rest', fields.number('rest', 0xffff_ffff)),
    ...given('identifier', fields.number('echo-id', 0xffff)),
    ...given('sequence', fields.number('seq', 0xffff)),
    ...given('mtu', fields.number('mtu', maximumMtu)),
    ...given('pointer', fields.number('pointer', maximumPointer)),
  };
}

function parseQuoting(fields: Fields, parseQuote: ParseQuote) {
  const group = fields.group();
  const quotedLength = fields.number('quote', 0xffff);
  return {
    ...(group && { quoted: parseQuote(group) }),
    ...given('quotedLength', quotedLength),
  };
}
