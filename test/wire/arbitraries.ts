/** Generators of fields and whole frames for the property tests. */
import fc from 'fast-check';
import type { Description } from '../../src/wire/layers.ts';

export const u8 = fc.integer({ min: 0, max: 0xff });
export const u16 = fc.integer({ min: 0, max: 0xffff });
export const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
export const mac = fc.integer({ min: 0, max: 0xffff_ffff_ffff });
export const ipv6Address = fc.uint8Array({ minLength: 16, maxLength: 16 });
export const payload = fc.uint8Array({ maxLength: 64 });

/** Option bytes are a multiple of 4, as they come off the wire. */
export const options = fc
  .integer({ min: 1, max: 10 })
  .chain((words) => fc.uint8Array({ minLength: words * 4, maxLength: words * 4 }));

const checksum = fc.option(fc.constantFrom('bad' as const, 0x1234), {
  nil: undefined,
  freq: 4,
});

const udp = fc
  .record({ source: u16, destination: u16 })
  .chain((ports) =>
    checksum.map((value) => ({ udp: value === undefined ? ports : { ...ports, checksum: value } })),
  );

const tcp = fc
  .record(
    {
      source: u16,
      destination: u16,
      sequence: u32,
      acknowledgement: u32,
      flags: u8,
      window: u16,
      urgentPointer: u16,
      options,
    },
    { requiredKeys: ['source', 'destination'] },
  )
  .map((layer) => ({ tcp: layer }));

const echo = fc
  .record({ type: fc.constantFrom(0, 8), identifier: u16, sequence: u16 })
  .map((layer) => ({ icmp: layer }));
const echo6 = fc
  .record({ type: fc.constantFrom(128, 129), identifier: u16, sequence: u16 })
  .map((layer) => ({ icmpv6: layer }));
const neighbor = fc
  .record(
    {
      type: fc.constantFrom(135, 136),
      target: ipv6Address,
      linkLayer: mac,
    },
    { requiredKeys: ['type', 'target'] },
  )
  .map((layer) => ({ icmpv6: layer, payload: new Uint8Array() }));

const ipv4 = fc.record(
  {
    source: u32,
    destination: u32,
    timeToLive: u8,
    typeOfService: u8,
    identification: u16,
    dontFragment: fc.boolean(),
    options,
  },
  { requiredKeys: ['source', 'destination'] },
);

const ipv6 = fc.record(
  {
    source: ipv6Address,
    destination: ipv6Address,
    hopLimit: u8,
    trafficClass: u8,
    flowLabel: fc.integer({ min: 0, max: 0xfffff }),
    extensions: fc.constantFrom(
      [{ protocol: 60, bytes: new Uint8Array(8) }],
      [
        { protocol: 0, bytes: Uint8Array.of(0, 0, 1, 4, 0, 0, 0, 0) },
        { protocol: 43, bytes: new Uint8Array(8) },
      ],
    ),
  },
  { requiredKeys: ['source', 'destination'] },
);

const fragmentOf = fc.record({
  fragmentOffset: fc.integer({ min: 1, max: 0x1fff }).map((units) => units * 8),
  moreFragments: fc.boolean(),
});

/** IPv4 packets with a transport, long enough to be quoted. */
const packet4 = fc
  .tuple(ipv4, fc.oneof(udp, tcp, echo), payload)
  .map(([layer, transport, bytes]): Description => ({ ipv4: layer, payload: bytes, ...transport }));

const packet6 = fc
  .tuple(ipv6, fc.oneof(udp, tcp, echo6), payload)
  .map(([layer, transport, bytes]): Description => ({ ipv6: layer, payload: bytes, ...transport }));

const error4 = fc
  .tuple(
    ipv4,
    packet4,
    fc.constantFrom(
      { type: 3, code: 1 },
      { type: 3, code: 4, mtu: 1400 },
      { type: 11, code: 0 },
      { type: 12, code: 0, pointer: 9 },
    ),
    fc.boolean(),
  )
  .map(([layer, quoted, kind, short]): Description => {
    const header = 20 + (quoted.ipv4?.options?.length ?? 0);
    const cut = short ? { quotedLength: header + 8 } : {};
    return { ipv4: layer, icmp: { ...kind, quoted, ...cut } };
  });

const error6 = fc
  .tuple(
    ipv6,
    packet6,
    fc.constantFrom(
      { type: 1, code: 4 },
      { type: 2, mtu: 1280 },
      { type: 3, code: 0 },
      { type: 4, code: 1, pointer: 40 },
    ),
  )
  .map(([layer, quoted, kind]): Description => ({ ipv6: layer, icmpv6: { ...kind, quoted } }));

const fragment4 = fc.tuple(ipv4, fragmentOf, payload).map(
  ([layer, piece, bytes]): Description => ({
    ipv4: { ...layer, ...piece, protocol: 17 },
    payload: bytes,
  }),
);

const fragment6 = fc.tuple(ipv6, fragmentOf, u32, payload).map(
  ([layer, piece, identification, bytes]): Description => ({
    ipv6: { ...layer, protocol: 6, fragment: { ...piece, identification } },
    payload: bytes,
  }),
);

const arp = fc
  .record({
    operation: fc.constantFrom(1, 2),
    senderMac: mac,
    senderAddress: u32,
    targetMac: mac,
    targetAddress: u32,
  })
  .map((layer): Description => ({ arp: layer }));

const opaque = fc
  .tuple(fc.integer({ min: 0x9000, max: 0xffff }), payload)
  .map(([type, bytes]): Description => ({ ethernet: { type }, payload: bytes }));

const link = fc.record({
  source: mac,
  destination: mac,
});

const tags = fc.array(
  fc.record(
    {
      identifier: fc.integer({ min: 0, max: 0xfff }),
      priority: fc.integer({ min: 0, max: 7 }),
      dropEligible: fc.boolean(),
    },
    { requiredKeys: ['identifier'] },
  ),
  { maxLength: 2 },
);

/** Frames of every kind that the codecs know. */
export const description: fc.Arbitrary<Description> = fc
  .tuple(
    fc.oneof(
      packet4,
      packet6,
      error4,
      error6,
      fragment4,
      fragment6,
      arp,
      opaque,
      fc.tuple(ipv6, neighbor).map(([layer, rest]): Description => ({ ipv6: layer, ...rest })),
    ),
    link,
    tags,
    fc.uint8Array({ maxLength: 6 }),
  )
  .map(([packet, ethernet, vlan, trailer]) => ({
    ...packet,
    ethernet: { ...ethernet, ...packet.ethernet },
    ...(vlan.length > 0 && { vlan }),
    // Behind a payload that has no length of its own a trailer is payload.
    ...(trailer.length > 0 && (packet.ipv4 ?? packet.ipv6 ?? packet.arp) && { trailer }),
  }));
