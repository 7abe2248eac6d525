/** From a dissected frame to its text; text.ts has the grammar. */
import { formatIpv4, formatIpv6, formatMac } from './address.ts';
import * as arp from './arp.ts';
import { equalBytes, toHex } from './bytes.ts';
import { DEFAULT_DESTINATION, DEFAULT_SOURCE } from './compose.ts';
import * as ethernet from './ethernet.ts';
import * as icmpv6 from './icmpv6.ts';
import type { Frame, IcmpLayer, Icmpv6Layer, Packet, TcpLayer } from './layers.ts';
import { decodeOptions, encodeOptions } from './tcp-options.ts';
import { escapeBytes } from './text-lexer.ts';
import type { TextDefaults } from './text-words.ts';
import {
  formatFlags,
  ICMP_WORDS,
  ICMP6_WORDS,
  isFiller,
  PROTOCOL_WORDS,
  wordOf,
} from './text-words.ts';

/** From this length on, filler is worth recognising: shorter payloads are shown. */
const MINIMUM_FILLER = 16;

/** Leaves out whatever `parseText` assumes, and what no text can say: `formatText` finds that. */
export function formatFrame(frame: Frame, defaults: TextDefaults = {}): string {
  const link = formatLink(frame, defaults);
  if (frame.arp)
    return join(formatArp(frame.arp, frame.ethernet), link, hexField('trailer', frame.trailer));
  if (frame.ipv4 || frame.ipv6) return formatPacket(frame, link);
  const { type } = frame.ethernet;
  return join('ether', `type=0x${type.toString(16)}`, link, formatPayload(frame.payload));
}

function formatPacket(packet: Packet, link = ''): string {
  return join(
    formatAddresses(packet),
    link,
    formatIp(packet),
    formatTransport(packet),
    formatPayload(packet.payload),
    hexField('trailer', packet.trailer),
  );
}

function formatLink(frame: Frame, defaults: TextDefaults): string {
  const { source, destination } = frame.ethernet;
  const isReply = frame.arp?.operation === arp.OPERATION.reply;
  const usualSource = isReply ? frame.arp?.senderMac : (defaults.source ?? DEFAULT_SOURCE);
  const usual =
    frame.arp && !isReply ? ethernet.BROADCAST : (defaults.destination ?? DEFAULT_DESTINATION);
  return join(
    source === usualSource ? '' : `from=${formatMac(source)}`,
    destination === usual ? '' : `to=${formatMac(destination)}`,
    ...(frame.vlan ?? []).map(({ identifier, priority, dropEligible }) => {
      if (dropEligible) return `vlan=${identifier}:${priority ?? 0}:dei`;
      return priority ? `vlan=${identifier}:${priority}` : `vlan=${identifier}`;
    }),
  );
}

function formatAddresses(packet: Packet): string {
  const transport = packet.tcp ?? packet.udp;
  const end = (address: string, port: number | undefined) => {
    if (port === undefined) return address;
    return packet.ipv4 ? `${address}:${port}` : `[${address}]:${port}`;
  };
  const [source, destination] = packet.ipv4
    ? [formatIpv4(packet.ipv4.source), formatIpv4(packet.ipv4.destination)]
    : [
        formatIpv6(packet.ipv6?.source ?? new Uint8Array(16)),
        formatIpv6(packet.ipv6?.destination ?? new Uint8Array(16)),
      ];
  return `${end(source, transport?.source)} > ${end(destination, transport?.destination)}`;
}

function formatIp(packet: Packet): string {
  const hasTransport = packet.tcp ?? packet.udp ?? packet.icmp ?? packet.icmpv6;
  if (packet.ipv4) {
    const layer = packet.ipv4;
    return join(
      hasTransport ? '' : formatProtocol(layer.protocol),
      field('ttl', layer.timeToLive, 64),
      field('tos', layer.typeOfService, 0),
      field('id', layer.identification, 0),
      layer.dontFragment ? 'df' : '',
      layer.moreFragments ? 'mf' : '',
      // The first fragment's zero is said, to be seen.
      field('frag', layer.fragmentOffset, layer.moreFragments ? undefined : 0),
      hexField('options', layer.options),
      field('total', layer.totalLength),
      checksumField('header-checksum', layer.checksum),
    );
  }
  const layer = packet.ipv6 as NonNullable<Packet['ipv6']>;
  return join(
    hasTransport ? '' : formatProtocol(layer.protocol),
    field('ttl', layer.hopLimit, 64),
    field('tos', layer.trafficClass, 0),
    field('flow', layer.flowLabel, 0),
    ...(layer.extensions ?? []).map(({ protocol, bytes }) => `ext=${protocol}:${toHex(bytes)}`),
    field('id', layer.fragment?.identification),
    layer.fragment?.moreFragments ? 'mf' : '',
    field('frag', layer.fragment?.fragmentOffset),
    field('total', layer.payloadLength),
  );
}

function formatProtocol(protocol: number | undefined): string {
  const word = Object.keys(PROTOCOL_WORDS).find((key) => PROTOCOL_WORDS[key] === protocol);
  return `proto=${word ?? protocol}`;
}

function formatTransport(packet: Packet): string {
  const { tcp, udp, icmp, icmpv6: icmp6 } = packet;
  const checksum = checksumField('checksum', (tcp ?? udp ?? icmp ?? icmp6)?.checksum);
  if (udp) return join('udp', field('length', udp.length), checksum);
  if (tcp) return join('tcp', formatTcp(tcp), checksum);
  if (icmp) return join('icmp', formatIcmp(icmp, ICMP_WORDS), checksum, formatQuote(icmp));
  if (!icmp6) return '';
  return join(
    'icmp6',
    formatIcmp(icmp6, ICMP6_WORDS),
    formatNeighbor(icmp6),
    checksum,
    formatQuote(icmp6),
  );
}

function formatTcp(layer: TcpLayer): string {
  return join(
    layer.flags === undefined ? '' : formatFlags(layer.flags),
    field('seq', layer.sequence),
    field('ack', layer.acknowledgement),
    field('win', layer.window),
    field('urg', layer.urgentPointer, 0),
    layer.options ? formatTcpOptions(layer.options) : '',
  );
}

function formatTcpOptions(bytes: Uint8Array): string {
  const options = decodeOptions(bytes);
  if (!equalBytes(encodeOptions(options), bytes)) return `tcp-options=${toHex(bytes)}`;
  return join(
    field('mss', options.maximumSegmentSize),
    options.selectiveAcknowledgementPermitted ? 'sack-ok' : '',
    options.timestamp === undefined ? '' : `ts=${options.timestamp}/${options.timestampEcho ?? 0}`,
    field('wscale', options.windowScale),
  );
}

function formatIcmp(layer: IcmpLayer | Icmpv6Layer, words: typeof ICMP_WORDS): string {
  const code = layer.code ?? 0;
  const word = wordOf(words, layer.type, code);
  const isSaid = word !== undefined && words[word]?.code !== undefined;
  // Errors say their code even when it is zero: it tells what went wrong.
  return join(
    word ?? `type=${layer.type}`,
    isSaid ? '' : field('code', code, layer.quoted || word === undefined ? undefined : 0),
    field('id', layer.identifier),
    field('seq', layer.sequence),
    field('mtu', layer.mtu),
    field('pointer', layer.pointer),
    layer.rest === undefined ? '' : `rest=0x${layer.rest.toString(16)}`,
  );
}

function formatNeighbor(layer: Icmpv6Layer): string {
  const flags = `${layer.router ? 'R' : ''}${layer.solicited ? 'S' : ''}${layer.override ? 'O' : ''}`;
  const isNeighbor =
    layer.type === icmpv6.TYPE.neighborSolicitation ||
    layer.type === icmpv6.TYPE.neighborAdvertisement;
  return join(
    isNeighbor && layer.target ? `target=${formatIpv6(layer.target)}` : '',
    flags ? `flags=${flags}` : '',
    layer.linkLayer === undefined ? '' : `mac=${formatMac(layer.linkLayer)}`,
  );
}

function formatQuote(layer: IcmpLayer | Icmpv6Layer): string {
  if (!layer.quoted) return '';
  return join(field('quote', layer.quotedLength), `(${formatPacket(layer.quoted)})`);
}

function formatArp(layer: arp.ArpFields, link: Frame['ethernet']): string {
  const sender = formatIpv4(layer.senderAddress);
  const targetMac = formatMac(layer.targetMac ?? 0);
  const target = formatIpv4(layer.targetAddress);
  if (layer.operation === arp.OPERATION.request) {
    return join(
      `arp who-has ${target} tell ${sender}`,
      layer.senderMac === link.source ? '' : `mac=${formatMac(layer.senderMac)}`,
      layer.targetMac === 0 ? '' : `target-mac=${targetMac}`,
    );
  }
  const address = layer.targetAddress === 0 ? '' : `target=${target}`;
  const mac = layer.targetMac === link.destination ? '' : `target-mac=${targetMac}`;
  return join(`arp ${sender} is-at ${formatMac(layer.senderMac)}`, address, mac);
}

/** Text where at least half of it is readable. */
function formatPayload(payload: Uint8Array): string {
  if (payload.length === 0) return '';
  if (payload.length >= MINIMUM_FILLER && isFiller(payload)) return `len=${payload.length}`;
  const readable = payload.filter((byte) => byte >= 0x20 && byte < 0x7f).length;
  return readable * 2 >= payload.length ? `"${escapeBytes(payload)}"` : `hex="${toHex(payload)}"`;
}

function field(name: string, value: number | undefined, usual?: number): string {
  return value === undefined || value === usual ? '' : `${name}=${value}`;
}

function hexField(name: string, bytes: Uint8Array | undefined): string {
  return bytes === undefined || bytes.length === 0 ? '' : `${name}=${toHex(bytes)}`;
}

function checksumField(name: string, checksum: number | 'bad' | undefined): string {
  if (checksum === undefined) return '';
  if (checksum === 'bad' || checksum === 0) return `${name}=${checksum}`;
  return `${name}=0x${checksum.toString(16).padStart(4, '0')}`;
}

function join(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' ');
}
