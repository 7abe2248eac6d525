/**
 * The network that every contender of the datapath benchmark stands in. ../native/world.h says the
 * same to the C++ contenders; one that stood elsewhere would drop the capture, which measure.ts refuses.
 *
 *   4096 servers         routers           NAT under test          gateway       N inside endpoints
 *   198.18.0.0/15  ---  203.0.113.253  ---  outside | inside  ---  192.168.0.2  ---  10.0.0.0/8
 *                       203.0.113.254       (null)    (pcap)
 */

/** An inside port that loops the capture, and an outside port that takes packets and gives none. */
export const devices = {
  /** `captures`: paths without commas, one for each receive queue. */
  inside: (...captures: string[]) =>
    `net_pcap0,${captures.map((path) => `rx_pcap=${path},`).join('')}infinite_rx=1`,
  outside: 'net_null0,no-rx=1',
} as const;

export const inside = {
  /** What DPDK's first pcap device calls itself. */
  mac: [0x02, 0x70, 0x63, 0x61, 0x70, 0x00],
  address: ip('192.168.0.1'),
  prefixLength: 24,
} as const;

export const outside = { address: ip('203.0.113.1'), prefixLength: 24 } as const;

export interface Neighbour {
  readonly port: 'inside' | 'outside';
  readonly address: number;
  readonly mac: readonly number[];
}

export const neighbours: readonly Neighbour[] = [
  { port: 'inside', address: ip('192.168.0.2'), mac: [2, 0, 0, 0, 1, 2] },
  { port: 'outside', address: ip('203.0.113.253'), mac: [2, 0, 0, 0, 2, 253] },
  { port: 'outside', address: ip('203.0.113.254'), mac: [2, 0, 0, 0, 2, 254] },
];

export interface Route {
  readonly address: number;
  readonly length: number;
  readonly port: 'inside' | 'outside';
  readonly via: number;
}

export const routes: readonly Route[] = [
  { address: ip('10.0.0.0'), length: 8, port: 'inside', via: ip('192.168.0.2') },
  { address: ip('0.0.0.0'), length: 0, port: 'outside', via: ip('203.0.113.254') },
  { address: ip('198.18.0.0'), length: 15, port: 'outside', via: ip('203.0.113.253') },
  { address: ip('198.19.128.0'), length: 17, port: 'outside', via: ip('203.0.113.254') },
];

export const mtu = 1500;

/** External addresses: 32 give 2 million ports a protocol, half of them even. */
export function pool(): number[] {
  return Array.from({ length: 32 }, (_, i) => ip('203.0.113.16') + i);
}

export const servers = { base: ip('198.18.0.0'), prefixLength: 15, count: 4096 } as const;

/** `ip('10.0.0.1')` gives 0x0a000001. */
function ip(text: string): number {
  return text.split('.').reduce((value, part) => value * 256 + Number(part), 0);
}
