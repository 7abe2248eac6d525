/** Frames that the router makes: Ethernet, IPv6 and one ICMPv6 message. */
import { bytesOf, ethernet, icmpv6, ipv6, PROTOCOL } from '../../../wire/index.ts';

/** Of the ICMPv6 message in a frame that `message` made. */
export const MESSAGE_AT = ethernet.HEADER_LENGTH + ipv6.HEADER_LENGTH;

export interface MessageAddresses {
  /** 48 bits. */
  readonly sourceMac: number;
  readonly destinationMac: number;
  /** 16 bytes. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly hopLimit: number;
}

/** @param write fills in the message of `length` bytes, its checksum aside, from {@link MESSAGE_AT} on */
export function message(
  addresses: MessageAddresses,
  length: number,
  write: (view: DataView) => void,
): Uint8Array {
  const view = new DataView(new ArrayBuffer(MESSAGE_AT + length));
  ethernet.write(view, 0, {
    destination: addresses.destinationMac,
    source: addresses.sourceMac,
    type: ethernet.TYPE.ipv6,
  });
  ipv6.write(view, ethernet.HEADER_LENGTH, {
    source: addresses.source,
    destination: addresses.destination,
    nextHeader: PROTOCOL.icmpv6,
    payloadLength: length,
    hopLimit: addresses.hopLimit,
  });
  write(view);
  const pseudoHeader = ipv6.pseudoHeader(view, ethernet.HEADER_LENGTH, PROTOCOL.icmpv6, length);
  icmpv6.fillChecksum(view, MESSAGE_AT, view.byteLength, pseudoHeader);
  return bytesOf(view, 0, view.byteLength);
}
