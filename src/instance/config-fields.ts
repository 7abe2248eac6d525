/** Fields of a configuration that are more than numbers and words: text in, values out. */
import { z } from 'zod';
import {
  formatPrefix,
  maskIpv4,
  type Prefix,
  parseIpv4,
  parseIpv6,
  parseMac,
  parsePrefix,
} from '../wire/address.ts';
import { parseStore, type StoreChoice, storeForms } from './config-store.ts';

/** An IPv4 address with the length of its network. */
export interface Ipv4Prefix {
  readonly address: number;
  /** Bits. */
  readonly length: number;
}

/** External addresses that one configuration may name: each costs the NAT a set of 64,512 ports. */
export const mostPoolAddresses = 1024;

/** What a field's parser says about text that it does not take. */
class Refusal {
  readonly why: string;
  constructor(why: string) {
    this.why = why;
  }
}
const refuse = (why: string) => new Refusal(why);

/**
 * A field of text. Where `parse` gives undefined the text is not `what`; a refusal says better what
 * is wrong with it. Either way the issue carries `mend`, how to write it.
 */
function textField<T>(
  what: string,
  mend: string,
  parse: (text: string) => T | Refusal | undefined,
): z.ZodType<T> {
  return z.unknown().transform((input, context): T => {
    const value = typeof input === 'string' ? parse(input.trim()) : undefined;
    if (value !== undefined && !(value instanceof Refusal)) return value;
    const message = value instanceof Refusal ? value.why : `not ${what}`;
    context.issues.push({ code: 'custom', message, params: { mend }, input });
    return z.NEVER;
  });
}

/** Which devices there are, and their options, the ports themselves tell. */
export const deviceName = textField(
  'a device',
  'write one that `rxnf ports` lists, as in af_packet:eth0',
  (text) => (text === '' ? undefined : text),
);

export const portName = textField('a port', 'write the name of one of the ports above', (text) =>
  text === '' ? undefined : text,
);

/** Where state lives. */
export const storeChoice = textField<StoreChoice>(
  'a store',
  `write it as in ${storeForms.join(', ')}`,
  (text) => {
    const choice = parseStore(text);
    return choice !== undefined && 'why' in choice ? refuse(choice.why) : choice;
  },
);

/** IPv4 as a number, IPv6 as 16 bytes. */
export const routerAddress = textField<number | Uint8Array>(
  'an IPv4 or IPv6 address',
  'write it as in 198.18.0.10 or fe80::1',
  (text) => parseIpv4(text) ?? parseIpv6(text),
);

export const interfaceAddress = textField<Prefix>(
  'an IPv4 or IPv6 address with the length of its network',
  'write it as in 10.99.0.1/24 or 2001:db8::1/64',
  (text) => (text.includes('/') ? parsePrefix(text) : undefined),
);

export const network = textField<Prefix>(
  'an IPv4 or IPv6 network',
  'write it as in 10.0.0.0/8 or 2001:db8::/32, or 0.0.0.0/0 and ::/0 for all there is',
  (text) => {
    const prefix = text.includes('/') ? parsePrefix(text) : undefined;
    const first = prefix && firstOf(prefix);
    if (first === undefined || formatPrefix(first) === formatPrefix(prefix as Prefix)) return first;
    return refuse(`not the first address of its network, which is ${formatPrefix(first)}`);
  },
);

/** One address, a range or a network of them; all are used. */
export const addressRange = textField<readonly number[]>(
  'an address, a range or a network of them',
  'write it as in 198.18.0.1, 198.18.0.1-198.18.0.16 or 198.18.0.0/28',
  (text) => {
    const [first, last] = text.includes('-') ? rangeOf(text) : networkOf(text);
    if (first === undefined || last === undefined) return undefined;
    if (last < first) return refuse('a range that ends before it begins');
    const count = last - first + 1;
    if (count > mostPoolAddresses) {
      return refuse(`${count} addresses, and a NAT takes ${mostPoolAddresses} at the most`);
    }
    return Array.from({ length: count }, (_, i) => first + i);
  },
);

/** Six bytes. */
export const macAddress = textField(
  'an Ethernet address',
  'write it as in 02:00:00:00:00:01',
  (text) => {
    const mac = parseMac(text);
    if (mac === undefined) return undefined;
    if (Math.floor(mac / 2 ** 40) % 2 === 1)
      return refuse('a group address, which no port can have');
    return Uint8Array.from({ length: 6 }, (_, i) => Math.floor(mac / 2 ** (40 - 8 * i)) % 256);
  },
);

/** The NAT's external ports, first to last. */
export const portRange = textField(
  'a range of ports',
  'write it as in 1024-65535, the first even and the last odd',
  (text) => {
    const [first = '', last = '', ...rest] = text.split('-');
    if (rest.length > 0 || !/^\d{1,5}$/.test(first) || !/^\d{1,5}$/.test(last)) return undefined;
    const range = { first: Number(first), last: Number(last) };
    if (range.first < 1 || range.last > 65_535 || range.last <= range.first) return undefined;
    // UDP keeps a port's parity (RFC 4787 REQ-4): both need as many.
    if (range.first % 2 !== 0 || range.last % 2 !== 1)
      return refuse('a range that cuts a pair of ports');
    return range;
  },
);

/** The network of an address: its host bits are zero. */
function firstOf(prefix: Prefix): Prefix {
  const { length } = prefix;
  if (prefix.version === 4) {
    return { ...prefix, address: (prefix.address & maskIpv4(length)) >>> 0 };
  }
  const bits = (i: number) => Math.min(8, Math.max(0, length - 8 * i));
  return { ...prefix, address: prefix.address.map((byte, i) => byte & (0xff00 >> bits(i))) };
}

function rangeOf(text: string): [first: number | undefined, last: number | undefined] {
  const [first = '', last = '', ...rest] = text.split('-').map((part) => part.trim());
  return rest.length > 0 ? [undefined, undefined] : [parseIpv4(first), parseIpv4(last)];
}

function networkOf(text: string): [first: number | undefined, last: number | undefined] {
  const prefix = parsePrefix(text);
  if (prefix?.version !== 4) return [undefined, undefined];
  const first = (prefix.address & maskIpv4(prefix.length)) >>> 0;
  if (first !== prefix.address) return [undefined, undefined];
  return [first, first + 2 ** (32 - prefix.length) - 1];
}
