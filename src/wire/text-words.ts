/** The words that a packet's text uses for numbers, shared by parser and formatter. */
import * as icmp from './icmp.ts';
import * as icmpv6 from './icmpv6.ts';
import { PROTOCOL } from './ip-protocol.ts';
import { FLAG } from './tcp.ts';

/** What a text leaves unsaid. */
export interface TextDefaults {
  /** MAC addresses for `from` and `to`; absent: `DEFAULT_SOURCE` and `DEFAULT_DESTINATION`. */
  readonly source?: number;
  readonly destination?: number;
}

/** In the order in which they are written. */
const FLAG_BITS: readonly (readonly [letter: string, bit: number])[] = [
  ['S', FLAG.syn],
  ['F', FLAG.fin],
  ['R', FLAG.rst],
  ['P', FLAG.psh],
  ['A', FLAG.ack],
  ['U', FLAG.urg],
  ['E', FLAG.ece],
  ['C', FLAG.cwr],
];

/** `'SA'`; `'-'` for none. */
export function formatFlags(flags: number): string {
  const letters = FLAG_BITS.filter(([, bit]) => (flags & bit) !== 0).map(([letter]) => letter);
  return letters.join('') || '-';
}

/** Letters in any order, each at most once. */
export function parseFlags(text: string): number | undefined {
  if (text === '-') return 0;
  let flags = 0;
  for (const char of text) {
    const bit = FLAG_BITS.find(([letter]) => letter === char)?.[1];
    if (bit === undefined || flags & bit) return undefined;
    flags |= bit;
  }
  return flags;
}

export interface MessageKind {
  readonly type: number;
  /** Part of the word's meaning; undefined where `code=` says it. */
  readonly code?: number;
}

export const ICMP_WORDS: Readonly<Record<string, MessageKind>> = {
  'echo-reply': { type: icmp.TYPE.echoReply },
  echo: { type: icmp.TYPE.echo },
  'fragmentation-needed': {
    type: icmp.TYPE.unreachable,
    code: icmp.UNREACHABLE.fragmentationNeeded,
  },
  unreachable: { type: icmp.TYPE.unreachable },
  'source-quench': { type: icmp.TYPE.sourceQuench },
  redirect: { type: icmp.TYPE.redirect },
  'time-exceeded': { type: icmp.TYPE.timeExceeded },
  'parameter-problem': { type: icmp.TYPE.parameterProblem },
};

export const ICMP6_WORDS: Readonly<Record<string, MessageKind>> = {
  'echo-reply': { type: icmpv6.TYPE.echoReply },
  echo: { type: icmpv6.TYPE.echo },
  unreachable: { type: icmpv6.TYPE.unreachable },
  'packet-too-big': { type: icmpv6.TYPE.packetTooBig },
  'time-exceeded': { type: icmpv6.TYPE.timeExceeded },
  'parameter-problem': { type: icmpv6.TYPE.parameterProblem },
  ns: { type: icmpv6.TYPE.neighborSolicitation },
  na: { type: icmpv6.TYPE.neighborAdvertisement },
};

/** The word for a type and code: the one that says more, where two fit. */
export function wordOf(
  words: Readonly<Record<string, MessageKind>>,
  type: number,
  code: number,
): string | undefined {
  return Object.keys(words).find((word) => {
    const kind = words[word] as MessageKind;
    return kind.type === type && (kind.code === undefined || kind.code === code);
  });
}

export const PROTOCOL_WORDS: Readonly<Record<string, number>> = {
  tcp: PROTOCOL.tcp,
  udp: PROTOCOL.udp,
  icmp: PROTOCOL.icmp,
  icmp6: PROTOCOL.icmpv6,
};

/** A prime period, out of step with every header and fragment, shows bytes that moved. */
const FILLER_PERIOD = 251;

/** What `len=N` stands for. */
export function filler(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index % FILLER_PERIOD);
}

export function isFiller(bytes: Uint8Array): boolean {
  return bytes.every((byte, index) => byte === index % FILLER_PERIOD);
}
