/** ARP on a link where nobody lives: every address exists (RFC 826). */
import * as arp from '../wire/arp.ts';
import { viewOf } from '../wire/bytes.ts';

const ethernetHeader = 14;
/** The hosts' link addresses: 02:01, then the four bytes of the IPv4 address. */
const hostBase = 0x0201_0000_0000;

/** Whether a frame, untagged, asks for an address that is not the asker's own (RFC 5227). */
export function isArpRequest(frame: Uint8Array, length: number): boolean {
  if (frame[12] !== 0x08 || frame[13] !== 0x06) return false;
  const view = viewOf(frame);
  return (
    arp.check(view, ethernetHeader, length) === undefined &&
    arp.operation(view, ethernetHeader) === arp.OPERATION.request &&
    arp.targetAddress(view, ethernetHeader) !== arp.senderAddress(view, ethernetHeader)
  );
}

/** The answer to a request, 60 bytes, the least that Ethernet carries. */
export function answerAnyArp(request: Uint8Array): Uint8Array {
  const asked = viewOf(request);
  const reply = new Uint8Array(60);
  const view = viewOf(reply);
  const address = arp.targetAddress(asked, ethernetHeader);
  reply.set(request.subarray(6, 12), 0);
  view.setUint16(6, Math.floor((hostBase + address) / 0x1_0000_0000));
  view.setUint32(8, address);
  view.setUint16(12, 0x0806);
  arp.write(view, ethernetHeader, {
    operation: arp.OPERATION.reply,
    senderMac: hostBase + address,
    senderAddress: address,
    targetMac: arp.senderMac(asked, ethernetHeader),
    targetAddress: arp.senderAddress(asked, ethernetHeader),
  });
  return reply;
}
