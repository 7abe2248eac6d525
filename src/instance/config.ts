/**
 * The configuration of an instance: a YAML file, validated before anything is opened.
 *
 * Shape first (zod), then what only the whole tells (config-checks.ts). Every problem is reported at
 * once, with its field, its line, what was found and the mend.
 */
import { LineCounter, parseDocument, type Document as YamlDocument } from 'yaml';
import { z } from 'zod';
import { checkConfig } from './config-checks.ts';
import { ConfigError, type ConfigProblem, fieldPath, quoteFound } from './config-error.ts';
import {
  addressRange,
  deviceName,
  interfaceAddress,
  ipv4Address,
  macAddress,
  network,
  portName,
  portRange,
} from './config-fields.ts';

/** A lane's batch has 512 rows, 32 of them for packets made here. */
const mostBurst = 480;
const mostLanes = 32;

const seconds = z.number().positive().max(1_000_000);

const port = z.strictObject({
  /** What `rxnf ports` lists: `af_packet:eth0`, `pci:0000:03:10.1`, `capture:in.pcap`. */
  device: deviceName,
  addresses: z.array(interfaceAddress).max(64).default([]),
  /** Largest IP packet in bytes. */
  mtu: z.int().min(576).max(9216).default(1500),
  /** Link address, where the device has none of its own (captures). */
  mac: macAddress.optional(),
});

const nat = z.strictObject({
  inside: z.array(portName).min(1),
  outside: portName,
  pool: z.array(addressRange).min(1),
  filtering: z
    .enum(['endpoint-independent', 'address-and-port-dependent'])
    .default('endpoint-independent'),
  ipv6: z.enum(['drop', 'route']).default('drop'),
  /** Mappings at the most. */
  capacity: z.int().min(1).max(16_777_216).default(65_536),
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

const route = z.strictObject({
  prefix: network,
  /** Next router; absent: the destinations are on the port's link. */
  via: ipv4Address.optional(),
  port: portName,
});

const schema = z.strictObject({
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
  /** Where state lives: `memory` is this process, shared by its lanes. */
  store: z.enum(['memory']).default('memory'),
});

export type InstanceConfig = z.infer<typeof schema>;
export type PortConfig = z.infer<typeof port>;

export interface ReadConfig {
  readonly config: InstanceConfig;
  /** What is allowed, and likely a mistake. */
  readonly warnings: readonly string[];
  /** The line of a field, from 1, for problems that are found later. */
  lineOf(field: string): number | undefined;
}

/**
 * @example
 * const { config, warnings } = readConfig(readFileSync('nat.yaml', 'utf8'), 'nat.yaml');
 *
 * @param source the file's name, for messages
 * @throws {ConfigError} naming every problem
 */
export function readConfig(text: string, source: string): ReadConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const fail = (problems: readonly ConfigProblem[]): never => {
    throw new ConfigError(source, problems);
  };
  if (document.errors.length > 0) {
    fail(
      document.errors.map((error) => ({
        field: '',
        problem: error.message,
        mend: 'mend the YAML: two spaces a level, and quotes around text with ": " or "#" in it',
        line: lines.linePos(error.pos[0]).line,
      })),
    );
  }
  const found: unknown = document.toJS();
  const parsed = schema.safeParse(found);
  const at = (path: readonly PropertyKey[]) => lineOf(document, lines, path);
  if (!parsed.success) return fail(parsed.error.issues.flatMap((it) => explain(it, found, at)));
  const { problems, warnings } = checkConfig(parsed.data);
  if (problems.length > 0) {
    fail(problems.map(({ path, ...rest }) => place({ field: fieldPath(path), ...rest }, at(path))));
  }
  // The fields that are looked up later are of ports, whose names have no dots.
  return { config: parsed.data, warnings, lineOf: (field) => at(field.split('.')) };
}

function place(problem: ConfigProblem, line: number | undefined): ConfigProblem {
  return line === undefined ? problem : { ...problem, line };
}

/** The line of a field, or of the innermost one around it that is there. */
function lineOf(
  document: YamlDocument.Parsed,
  lines: LineCounter,
  path: readonly PropertyKey[],
): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true) as { range?: [number] } | undefined;
    if (node?.range) return lines.linePos(node.range[0]).line;
  }
  return undefined;
}

/** A zod issue in words: what was found there, and what to write. */
function explain(
  issue: z.core.$ZodIssue,
  document: unknown,
  lineAt: (path: readonly PropertyKey[]) => number | undefined,
): ConfigProblem[] {
  const { path } = issue;
  const found = valueAt(document, path);
  const report = (problem: string, mend: string, at: readonly PropertyKey[] = path) => [
    place({ field: fieldPath(at), problem, mend }, lineAt(at)),
  ];
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(path);
    return issue.keys.flatMap((key) =>
      report('no such field', `remove it, or write one of: ${known.join(', ')}`, [...path, key]),
    );
  }
  if (issue.code === 'invalid_key') {
    return report('not a name', 'write a letter, then letters, digits, "-" or "_", at most 32');
  }
  const mend = issue.code === 'custom' ? String(issue.params?.['mend']) : `write ${wanted(issue)}`;
  if (found === undefined) return report('missing', mend);
  const problem = issue.code === 'custom' ? `: ${issue.message}` : '';
  return report(`found ${quoteFound(found)}${problem}`, mend);
}

/** What a built-in check wants. */
function wanted(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type': {
      const names: Record<string, string> = {
        array: 'a list',
        object: 'a block of fields',
        record: 'a block of fields, one a port',
        int: 'a whole number',
        boolean: 'true or false',
      };
      return names[issue.expected] ?? `a ${issue.expected}`;
    }
    case 'invalid_value':
      return `one of: ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      if (issue.origin === 'array') return `at least ${issue.minimum} of them`;
      return issue.inclusive ? `at least ${issue.minimum}` : `more than ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'array'
        ? `at most ${issue.maximum} of them`
        : `at most ${issue.maximum}`;
    default:
      return issue.message;
  }
}

function valueAt(document: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Record<PropertyKey, unknown>)?.[key],
    document,
  );
}

/** The fields that a block may have, by where it is. */
function knownKeys(path: readonly PropertyKey[]): string[] {
  switch (path[0]) {
    case 'ports':
      return Object.keys(port.shape);
    case 'nat':
      return path[1] === 'timeouts'
        ? ['udp', 'tcpEstablished', 'tcpTransitory', 'icmp']
        : Object.keys(nat.shape);
    case 'routes':
      return Object.keys(route.shape);
    default:
      return Object.keys(schema.shape);
  }
}
