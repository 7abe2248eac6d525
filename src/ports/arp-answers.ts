/** ARP on a link where nobody lives: every address exists (RFC 826). */
import * as arp from '../wire/arp.ts';
import { viewOf } from '../wire/bytes.ts';

/** Where ARP begins in a frame without a tag, and with one. */
const untaggedHeader = 14;
export const taggedHeader = 18;
/** The hosts' link addresses: 02:01, then the four bytes of the IPv4 address. */
const hostBase = 0x0201_0000_0000;

/** Whether a frame asks for an address that is not the asker's own (RFC 5227). */
export function isArpRequest(frame: Uint8Array, length: number, header = untaggedHeader): boolean {
  if (frame[header - 2] !== 0x08 || frame[header - 1] !== 0x06) return false;
  const view = viewOf(frame);
  return (
    arp.check(view, header, length) === undefined &&
    arp.operation(view, header) === arp.OPERATION.request &&
    arp.targetAddress(view, header) !== arp.senderAddress(view, header)
  );
}

/** The answer to a request, tagged alike: 60 bytes and a tag, the least that Ethernet carries. */
export function answerAnyArp(request: Uint8Array, header = untaggedHeader): Uint8Array {
  const asked = viewOf(request);
  const reply = new Uint8Array(46 + header);
  const view = viewOf(reply);
  const address = arp.targetAddress(asked, header);
  reply.set(request.subarray(6, 12), 0);
  view.setUint16(6, Math.floor((hostBase + address) / 0x1_0000_0000));
  view.setUint32(8, address);
  reply.set(request.subarray(12, header), 12);
  arp.write(view, header, {
    operation: arp.OPERATION.reply,
    senderMac: hostBase + address,
    senderAddress: address,
    targetMac: arp.senderMac(asked, header),
    targetAddress: arp.senderAddress(asked, header),
  });
  return reply;
}
