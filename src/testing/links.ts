/**
 * The links that ports are on, and their hosts as far as ARP goes: every address has a MAC address
 * that follows from it, and requests for it are answered (RFC 826).
 */

import {
  contains,
  type Prefix,
  parseIpv4,
  parseMac,
  parsePrefix,
  writeMac,
} from '../wire/address.ts';
import * as wireArp from '../wire/arp.ts';
import { viewOf } from '../wire/bytes.ts';
import { compose, dissect } from '../wire/frame.ts';
import { isMalformed } from '../wire/malformed.ts';
import type { PortDescription } from './harness-options.ts';

/** The MAC address of the host with an IPv4 address: `02:01:` and the address. */
export function hostMac(address: number): number {
  return 0x0201_0000_0000 + address;
}

/** The MAC address of the port with a number, where its description gives none. */
export function portMac(number: number): number {
  return 0x0200_0000_0100 + number;
}

export interface LinkPort {
  readonly name: string;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly vlan: number | undefined;
  /** Undefined: every address is a host of the link. */
  readonly networks: readonly Prefix[] | undefined;
}

export class Links {
  readonly ports: readonly LinkPort[];
  private readonly absent: Set<number>;

  /** @throws {RangeError} a name used twice, or text that is no address */
  constructor(ports: readonly (string | PortDescription)[], absent: readonly string[]) {
    this.ports = ports.map((port, number) =>
      linkPort(typeof port === 'string' ? { name: port } : port, number),
    );
    const names = this.ports.map((port) => port.name);
    if (new Set(names).size < names.length) {
      throw new RangeError(`ports: a name is used twice: ${names.join(', ')}`);
    }
    this.absent = new Set(absent.map((text) => known(parseIpv4(text), 'absent', text)));
  }

  setAbsent(address: string, isAbsent: boolean): void {
    const number = known(parseIpv4(address), 'address', address);
    if (isAbsent) this.absent.add(number);
    else this.absent.delete(number);
  }

  /** The reply of a port's hosts to a frame, or undefined where it is no request, or no one has the address. */
  answer(port: number, bytes: Uint8Array): Uint8Array | undefined {
    const frame = dissect(bytes);
    if (isMalformed(frame) || frame.arp?.operation !== wireArp.OPERATION.request) return undefined;
    const { targetAddress, senderAddress, senderMac } = frame.arp;
    if (!this.hasHost(port, targetAddress, senderAddress)) return undefined;
    return compose({
      ethernet: { source: hostMac(targetAddress), destination: senderMac },
      ...(frame.vlan && { vlan: frame.vlan }),
      arp: {
        operation: wireArp.OPERATION.reply,
        senderMac: hostMac(targetAddress),
        senderAddress: targetAddress,
        targetMac: senderMac,
        targetAddress: senderAddress,
      },
    });
  }

  /** Not for an address that the asker announces or probes as its own (RFC 5227). */
  private hasHost(port: number, address: number, asker: number): boolean {
    const networks = this.ports[port]?.networks;
    if (address === asker || this.absent.has(address)) return false;
    return networks === undefined || networks.some((network) => contains(network, address));
  }
}

/** By the EtherType alone, behind a tag if there is one. */
export function isArp(frame: Uint8Array): boolean {
  const at = typeAt(frame);
  return frame.length >= at + 2 && frame[at] === 0x08 && frame[at + 1] === 0x06;
}

/** Of an ARP frame: shows that a network function answered for an address of its own. */
export function isArpReply(frame: Uint8Array): boolean {
  return frame[typeAt(frame) + 9] === wireArp.OPERATION.reply;
}

const typeAt = (frame: Uint8Array) => (frame[12] === 0x81 && frame[13] === 0 ? 16 : 12);

function linkPort(port: PortDescription, number: number): LinkPort {
  const { name, mac, mtu = 1500, vlan, networks } = port;
  const bytes = new Uint8Array(6);
  const address = mac === undefined ? portMac(number) : known(parseMac(mac), `mac of ${name}`, mac);
  writeMac(viewOf(bytes), 0, address);
  return {
    name,
    mac: bytes,
    mtu,
    vlan,
    networks: networks?.map((text) => known(parsePrefix(text), `networks of ${name}`, text)),
  };
}

function known<T>(value: T | undefined, field: string, text: string): T {
  if (value === undefined) throw new RangeError(`${field}: "${text}" is not an address`);
  return value;
}
