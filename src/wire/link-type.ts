/** Link types of capture files (the LINKTYPE_ registry of tcpdump.org), and their way to Ethernet. */

import { readMac } from './address.ts';
import { bytesOf, concatenate, viewOf } from './bytes.ts';
import * as ethernet from './ethernet.ts';

export const LINK_TYPE = {
  null: 0,
  ethernet: 1,
  raw: 101,
  loop: 108,
  linuxSll: 113,
  ipv4: 228,
  ipv6: 229,
  linuxSll2: 276,
} as const;

const NAMES: Readonly<Record<number, string>> = {
  0: 'BSD loopback',
  1: 'Ethernet',
  6: 'IEEE 802.5',
  9: 'PPP',
  12: 'raw IP',
  14: 'raw IP',
  50: 'PPP over serial',
  51: 'PPPoE',
  101: 'raw IP',
  104: 'Cisco HDLC',
  105: 'IEEE 802.11',
  107: 'Frame Relay',
  108: 'OpenBSD loopback',
  113: 'Linux cooked v1',
  117: 'OpenBSD pflog',
  119: 'IEEE 802.11 with Prism header',
  127: 'IEEE 802.11 with radiotap header',
  147: 'private use 0',
  187: 'Bluetooth HCI H4',
  192: 'PPI',
  195: 'IEEE 802.15.4',
  228: 'raw IPv4',
  229: 'raw IPv6',
  230: 'IEEE 802.15.4 without FCS',
  239: 'nflog',
  249: 'USBPcap',
  276: 'Linux cooked v2',
};

/** `linkTypeName(113) === 'Linux cooked v1'`; others by number. */
export function linkTypeName(linkType: number): string {
  return NAMES[linkType] ?? `link type ${linkType}`;
}

/**
 * The packet as an Ethernet frame: itself, or a copy behind an Ethernet header whose unknown
 * addresses are zero. Undefined for a link type that has no such reading, or a packet too short
 * for its link header or of an unknown network protocol.
 */
export function toEthernet(linkType: number, packet: Uint8Array): Uint8Array | undefined {
  const view = viewOf(packet);
  switch (linkType) {
    case LINK_TYPE.ethernet:
      return packet;
    case LINK_TYPE.raw:
    case 12: // raw IP by the number it has in memory on most systems (DLT_RAW)
    case 14: // and on OpenBSD
      return packet.length < 1 ? undefined : wrap(view, 0, typeOfVersion(view.getUint8(0) >>> 4));
    case LINK_TYPE.ipv4:
      return wrap(view, 0, ethernet.TYPE.ipv4);
    case LINK_TYPE.ipv6:
      return wrap(view, 0, ethernet.TYPE.ipv6);
    case LINK_TYPE.null:
    case LINK_TYPE.loop:
      return packet.length < 4 ? undefined : wrap(view, 4, typeOfFamily(view));
    case LINK_TYPE.linuxSll:
      return packet.length < 16 ? undefined : wrapCooked(view, 16, 4, 14);
    case LINK_TYPE.linuxSll2:
      return packet.length < 20 ? undefined : wrapCooked(view, 20, 10, 0);
    default:
      return undefined;
  }
}

/** Cooked headers tell the sender's address: its length in the low byte at `lengthAt`, then, both times, itself. */
function wrapCooked(
  view: DataView,
  headerLength: number,
  lengthAt: number,
  typeAt: number,
): Uint8Array | undefined {
  const isMac = view.getUint8(lengthAt + 1) === 6;
  const source = isMac ? readMac(view, lengthAt + 2) : 0;
  return wrap(view, headerLength, view.getUint16(typeAt), source);
}

function wrap(
  view: DataView,
  offset: number,
  type: number | undefined,
  source = 0,
): Uint8Array | undefined {
  if (type === undefined) return undefined;
  const header = new Uint8Array(ethernet.HEADER_LENGTH);
  ethernet.write(viewOf(header), 0, { source, destination: 0, type });
  return concatenate([header, bytesOf(view, offset, view.byteLength)]);
}

function typeOfVersion(version: number): number | undefined {
  if (version === 4) return ethernet.TYPE.ipv4;
  return version === 6 ? ethernet.TYPE.ipv6 : undefined;
}

/** The address family is in the recording host's byte order (null) or the network's (loop): both fit 8 bits. */
function typeOfFamily(view: DataView): number | undefined {
  const big = view.getUint32(0);
  const family = big > 0xff ? view.getUint32(0, true) : big;
  if (family === 2) return ethernet.TYPE.ipv4;
  // AF_INET6 is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on Darwin.
  return [10, 24, 28, 30].includes(family) ? ethernet.TYPE.ipv6 : undefined;
}
