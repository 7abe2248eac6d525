/**
 * One packet on one line, as packet scripts write it and failures show it.
 *
 * ```
 * 10.0.0.5:4242 > 198.51.100.7:53 udp "x"
 * 10.0.0.5:4242 > 198.51.100.7:80 tcp S seq=1 ack=0 win=100 mss=1460 "payload"
 * 10.0.0.5 > 198.51.100.7 icmp echo id=7 seq=1 "x"
 * 192.0.2.1 > 10.0.0.5 icmp unreachable code=3 (10.0.0.5:4242 > 198.51.100.7:53 udp "x")
 * 192.0.2.1 > 10.0.0.5 icmp fragmentation-needed mtu=1400 (10.0.0.5:1 > 198.51.100.7:2 udp len=1500)
 * [2001:db8::5]:4242 > [2001:db8::7]:53 udp "x"
 * fe80::1 > ff02::1:ff00:5 icmp6 ns target=fe80::5 mac=02:00:00:00:00:01
 * 10.0.0.5 > 198.51.100.7 proto=udp id=77 mf frag=0 hex="0102"
 * arp who-has 10.0.0.1 tell 10.0.0.5
 * arp 10.0.0.1 is-at 02:00:00:00:00:01
 * ether type=0x88cc hex="0203"
 * raw="02000000000102000000000288b5"
 * ```
 *
 * Behind the addresses everything may stand in any order, save that what names a protocol comes
 * before what narrows it. Numbers are decimal or 0x.
 *
 * - link: `from=MAC to=MAC`, `vlan=ID[:PRIORITY[:dei]]` once or twice, outermost first,
 *   `trailer=HEX` behind the packet.
 * - IP: `ttl=64 tos=0 id=77 df mf frag=BYTES` (the fragment's offset in bytes, a multiple of 8),
 *   `proto=udp|tcp|icmp|icmp6|NUMBER` for a payload without transport header, `options=HEX`,
 *   `header-checksum=bad|NUMBER`, `total=BYTES` for a wrong length field. IPv6 has `flow=LABEL`,
 *   `ext=PROTOCOL:HEX` for an extension header, and takes any of `id`, `mf`, `frag` for a fragment
 *   header.
 * - tcp: flags from `SFRPAUEC` (`-`: none), `seq ack win urg mss wscale ts=VALUE/ECHO sack-ok`, or
 *   `tcp-options=HEX` for others.
 * - udp: `length=BYTES` for a wrong length field.
 * - icmp: `echo`, `echo-reply` (`id seq`), `unreachable`, `time-exceeded`, `source-quench`, `redirect`
 *   (`code`), `fragmentation-needed mtu=`, `parameter-problem pointer=`, or `type= code=`; `rest=`
 *   sets the second word. Errors quote a packet in parentheses, `quote=BYTES` of it.
 * - icmp6: as icmp, with `packet-too-big mtu=`, `ns` and `na` (`target mac flags=RSO`).
 * - all transports: `checksum=bad|NUMBER`; `bad` is wrong by a constant that survives incremental
 *   updates, 0 is UDP's "none".
 * - payload: `"text"` with `\xNN`, `hex=HEX`, or `len=BYTES` of filler (byte i is i mod 251).
 * - arp: `target=ADDRESS` of a reply; `mac=MAC` of a request's sender and `target-mac=MAC` where they
 *   are not Ethernet's own.
 */
import { equalBytes, toHex } from './bytes.ts';
import { compose } from './compose.ts';
import { dissect } from './dissect.ts';
import { isMalformed } from './malformed.ts';
import { formatFrame } from './text-format.ts';
import { parseDescription, parseRaw } from './text-parse.ts';
import type { TextDefaults } from './text-words.ts';

export { TextError } from './text-error.ts';
export { formatFrame } from './text-format.ts';
export { parseDescription } from './text-parse.ts';
export type { TextDefaults } from './text-words.ts';
export { filler } from './text-words.ts';

/** The frame that a line describes. Throws TextError, which says where the line is wrong. */
export function parseText(text: string, defaults: TextDefaults = {}): Uint8Array {
  return parseRaw(text) ?? compose(parseDescription(text, defaults));
}

/** The line that describes a frame: `parseText` gives the same bytes back, whatever they are. */
export function formatText(bytes: Uint8Array, defaults: TextDefaults = {}): string {
  const frame = dissect(bytes);
  if (!isMalformed(frame)) {
    const text = formatFrame(frame, defaults);
    if (equalBytes(compose(parseDescription(text, defaults)), bytes)) return text;
  }
  return `raw="${toHex(bytes)}"`;
}
