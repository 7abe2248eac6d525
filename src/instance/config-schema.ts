/** The shape of a configuration: fields, bounds and defaults. */
import { z } from 'zod';
import {
  addressRange,
  deviceName,
  interfaceAddress,
  macAddress,
  network,
  portName,
  portRange,
  routerAddress,
  storeChoice,
} from './config-fields.ts';

/** A lane's batch has 512 rows, 32 of them for packets made here. */
const mostBurst = 480;
const mostLanes = 32;

const seconds = z.number().positive().max(1_000_000);

export const port = z.strictObject({
  /** What `rxnf ports` lists: `af_packet:eth0`, `pci:0000:03:10.1`, `capture:in.pcap`. */
  device: deviceName,
  addresses: z.array(interfaceAddress).max(64).default([]),
  /** Largest IP packet in bytes. */
  mtu: z.int().min(576).max(9216).default(1500),
  /** The VLAN that the port's frames are tagged for on the wire (IEEE 802.1Q). */
  vlan: z.int().min(1).max(4094).optional(),
  /** Ask the device for frames to any address; those to its own are enough for the NAT. */
  promiscuous: z.boolean().default(true),
  /** Link address, where the device has none of its own (captures, memif, vhost-user). */
  mac: macAddress.optional(),
});

export const nat = z.strictObject({
  inside: z.array(portName).min(1),
  outside: portName,
  pool: z.array(addressRange).min(1),
  filtering: z
    .enum(['endpoint-independent', 'address-and-port-dependent'])
    .default('endpoint-independent'),
  /** `route`: passed on by routes, neither translated nor filtered. */
  ipv6: z.enum(['drop', 'route']).default('drop'),
  /** Mappings at the most. */
  capacity: z.int().min(1).max(16_777_216).default(65_536),
  /** When what a packet depends on counts: once the store's primary has it, or so many replicas too. */
  commit: z
    .union([z.literal('primary'), z.strictObject({ replicas: z.int().min(1).max(8) })])
    .default('primary'),
  /** External ports. */
  ports: portRange.optional(),
  timeouts: z
    .strictObject({
      udp: seconds.default(300),
      tcpEstablished: seconds.default(7440),
      tcpTransitory: seconds.default(240),
      icmp: seconds.default(60),
    })
    .prefault({}),
});

export const route = z.strictObject({
  prefix: network,
  /** Next router; absent: the destinations are on the port's link. */
  via: routerAddress.optional(),
  port: portName,
});

export const schema = z.strictObject({
  lanes: z.int().min(1).max(mostLanes).default(1),
  burst: z.int().min(1).max(mostBurst).default(128),
  /** Keep polling at full speed when there is nothing to do, for the last microseconds of latency. */
  busyPoll: z.boolean().default(false),
  ports: z
    .record(z.string().regex(/^[A-Za-z][\w-]{0,31}$/), port)
    .refine((ports) => Object.keys(ports).length > 0, {
      error: 'no port',
      params: { mend: 'name at least one inside and one outside' },
    }),
  nat,
  routes: z.array(route).max(4096).default([]),
  /** Where state lives. Instances that name the same store are one NAT, and must be configured alike. */
  store: storeChoice.default({ kind: 'memory' }),
  /** Which instance this is, for the store and for `rxnf state`. Default: `nat-` and the process's number. */
  name: z
    .string()
    .regex(/^[\w.-]{1,64}$/, { error: 'not a name' })
    .optional(),
});

export type InstanceConfig = z.infer<typeof schema>;
export type PortConfig = z.infer<typeof port>;
