/**
 * The hosts of a link, as far as ARP goes: every address has a MAC address that follows from it, and
 * requests for it are answered (RFC 826).
 */
import { contains, type Prefix } from '../wire/address.ts';
import { compose, dissect, isMalformed, arp as wireArp } from '../wire/index.ts';

/** The MAC address of the host with an IPv4 address: `02:01:` and the address. */
export function hostMac(address: number): number {
  return 0x0201_0000_0000 + address;
}

/** The MAC address of the port with a number, where its description gives none. */
export function portMac(number: number): number {
  return 0x0200_0000_0100 + number;
}

export function macBytes(mac: number): Uint8Array {
  const bytes = new Uint8Array(6);
  new DataView(bytes.buffer).setUint16(0, Math.floor(mac / 0x1_0000_0000));
  new DataView(bytes.buffer).setUint32(2, mac >>> 0);
  return bytes;
}

export interface LinkHosts {
  /** Networks of the link; absent: every address is a host of it. */
  readonly networks?: readonly Prefix[];
  /** Addresses with no host. */
  readonly absent: ReadonlySet<number>;
}

/** The reply of a link's hosts to a frame, or undefined where it is no request, or no one has the address. */
export function answerArp(frame: Uint8Array, hosts: LinkHosts): Uint8Array | undefined {
  const { arp } = frameOf(frame) ?? {};
  if (arp?.operation !== wireArp.OPERATION.request) return undefined;
  const wanted = arp.targetAddress;
  // Gratuitous: the sender announces or probes its own address (RFC 5227).
  if (wanted === arp.senderAddress || hosts.absent.has(wanted)) return undefined;
  if (hosts.networks && !hosts.networks.some((network) => contains(network, wanted)))
    return undefined;
  return compose({
    ethernet: { source: hostMac(wanted), destination: arp.senderMac },
    arp: {
      operation: wireArp.OPERATION.reply,
      senderMac: hostMac(wanted),
      senderAddress: wanted,
      targetMac: arp.senderMac,
      targetAddress: arp.senderAddress,
    },
  });
}

/** Tells ARP from the rest by its EtherType, tags not counted. */
export function isArp(frame: Uint8Array): boolean {
  return frame.length >= 14 && frame[12] === 0x08 && frame[13] === 0x06;
}

function frameOf(bytes: Uint8Array) {
  if (!isArp(bytes)) return undefined;
  const frame = dissect(bytes);
  return isMalformed(frame) ? undefined : frame;
}
