/**
 * Why bytes are not the protocol they claim to be. The names are shared with the native parser,
 * so that a packet dropped in either place counts under the same reason.
 *
 * - `truncated`: the bytes end before a fixed header does, or before the end that a header promises.
 * - `bad-*`: the bytes are there, but a field contradicts its protocol or another field.
 */
export const MALFORMED = [
  'truncated',
  'bad-version',
  'bad-header-length',
  'bad-total-length',
  'bad-checksum',
  'bad-tcp-offset',
  'bad-udp-length',
  'bad-extension-header',
  'bad-icmp-quote',
  'bad-arp',
] as const;

export type Malformed = (typeof MALFORMED)[number];

/** Tells a dissected value from the reason why there is none. */
export function isMalformed(value: unknown): value is Malformed {
  return typeof value === 'string';
}
