/**
 * A NAT between real clients and real servers, on one machine.
 *
 *   client namespace            nat namespace               server namespace
 *   10.99.0.2, .3          vin                 vout         198.18.0.10, .11
 *   fd00:99::2             |   rxnf, 10.99.0.1 and   |      fd00:18::10
 *   vclient -------------- |   198.18.0.1,           | ---- vserver
 *                              fd00:99::1, fd00:18::1       nginx dnsmasq iperf3 sshd turnserver
 *
 * In the nat namespace the kernel has no address, answers no ARP and forwards nothing, so whatever
 * comes through came through rxnf. Offloads are off on every link unless asked for.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BackgroundProcess } from '../../src/lab/background.ts';
import { InstanceProcess } from '../../src/lab/instance-process.ts';
import {
  type CommandResult,
  clearLeftovers,
  Namespaces,
  type RunOptions,
} from '../../src/lab/namespaces.ts';
import { startIperf, startNames, startShell, startStun, startWeb } from './services.ts';

export const client = '10.99.0.2';
export const inside = '10.99.0.1';
export const outside = '198.18.0.1';
export const server = '198.18.0.10';
export const otherServer = '198.18.0.11';

/** Of IPv6, which has no translation: the server knows its way back to the client. */
export const client6 = 'fd00:99::2';
export const inside6 = 'fd00:99::1';
export const outside6 = 'fd00:18::1';
export const server6 = 'fd00:18::10';

const ethernetMtu = 1500;

export type Device = 'af_packet' | 'af_xdp';

/** What a NAT is started with; the rest of its configuration follows from the lab. */
export interface NatOptions {
  readonly device: Device;
  readonly filtering?: 'endpoint-independent' | 'address-and-port-dependent';
  /** `drop` by default. */
  readonly ipv6?: 'route' | 'drop';
}

export interface LabOptions {
  /** `on` leaves the client's link as a kernel makes it, checksums unfilled. */
  readonly clientOffloads?: 'on' | 'off';
  /** Of the link to the server and of the NAT's port there, in bytes; 1500 by default. */
  readonly outsideMtu?: number;
}

/** The commands that the lab and its tests run, each with the Debian package that has it. */
const tools: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  ethtool: 'ethtool',
  sysctl: 'procps',
  nginx: 'nginx-light',
  curl: 'curl',
  dnsmasq: 'dnsmasq-base',
  dig: 'bind9-dnsutils',
  iperf3: 'iperf3',
  '/usr/sbin/sshd': 'openssh-server',
  ssh: 'openssh-client',
  ping: 'iputils-ping',
  traceroute: 'traceroute',
  turnserver: 'coturn',
  stun: 'stun-client',
};

/** What this machine lacks for a lab, in words that name it; empty where nothing is missing. */
export function lacking(): string[] {
  const missing = Object.entries(tools)
    .filter(([tool]) => !exists(tool))
    .map(([tool, debianPackage]) => `${tool} (apt install ${debianPackage})`);
  return process.getuid?.() === 0 ? missing : ['root', ...missing];
}

export class Lab {
  readonly directory: string;
  /** SHA-256 of a web file by its name: `large` (50 MB), `small` (100 KB). */
  readonly digests: ReadonlyMap<string, string>;
  /** The words of an ssh that may log in to the server. */
  readonly shell: readonly string[];
  readonly #namespaces: Namespaces;
  readonly #outsideMtu: number;
  #instance: InstanceProcess | undefined;

  /** Makes the namespaces and starts the servers. Whatever fails here is cleared away. */
  static async open(options: LabOptions = {}): Promise<Lab> {
    clearLeftovers();
    const directory = mkdtempSync(join(tmpdir(), 'rxnf-lab-'));
    const namespaces = new Namespaces(['client', 'nat', 'server']);
    try {
      connect(namespaces, options);
      const place = { namespaces, role: 'server', directory };
      const [digests, shell] = await Promise.all([
        startWeb(place, [
          { name: 'large', sizeBytes: 50 * 1024 * 1024 },
          { name: 'small', sizeBytes: 100 * 1024 },
        ]),
        startShell(place),
        startNames(place),
        startIperf(place),
        startStun(place, [server, otherServer]),
      ]);
      return new Lab(namespaces, directory, digests, shell, options.outsideMtu ?? ethernetMtu);
    } catch (error) {
      await namespaces.close();
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  private constructor(
    namespaces: Namespaces,
    directory: string,
    digests: ReadonlyMap<string, string>,
    shell: readonly string[],
    outsideMtu: number,
  ) {
    this.#outsideMtu = outsideMtu;
    this.#namespaces = namespaces;
    this.directory = directory;
    this.digests = digests;
    this.shell = shell;
  }

  /** Starts the NAT; it is stopped by `stop`, or by `close` at the latest. */
  async startNat(options: NatOptions): Promise<InstanceProcess> {
    const configuration = natConfiguration(options, this.#outsideMtu);
    this.#instance = await InstanceProcess.start(
      this.#namespaces,
      'nat',
      this.directory,
      configuration,
    );
    return this.#instance;
  }

  /** Runs a command as the client. */
  run(argv: readonly string[], options?: RunOptions): Promise<CommandResult> {
    return this.#namespaces.run('client', argv, options);
  }

  /** Runs a command as the client and returns its stdout; a failure throws with its output. */
  must(argv: readonly string[], options?: RunOptions): Promise<string> {
    return this.#namespaces.must('client', argv, options);
  }

  /** Starts a command as the client, beside the test. */
  start(argv: readonly string[]): BackgroundProcess {
    return this.#namespaces.start('client', argv);
  }

  /** Takes the NAT's interface away, as a pulled card or a deleted container would. */
  removeInterface(device: 'vin' | 'vout'): void {
    this.#namespaces.configure('nat', 'link', 'delete', device);
  }

  async close(): Promise<void> {
    await this.#instance?.stop();
    await this.#namespaces.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function connect(namespaces: Namespaces, options: LabOptions): void {
  const offloads = options.clientOffloads ?? 'off';
  namespaces.sysctl('nat', 'net.ipv4.ip_forward', 0);
  namespaces.link(
    {
      role: 'client',
      device: 'vclient',
      mac: '02:00:00:99:00:02',
      addresses: [`${client}/24`, '10.99.0.3/24', `${client6}/64`],
      offloads,
    },
    { role: 'nat', device: 'vin', mac: '02:00:00:99:00:01', offloads },
  );
  namespaces.link(
    { role: 'nat', device: 'vout', mac: '02:00:00:18:00:01' },
    {
      role: 'server',
      device: 'vserver',
      mac: '02:00:00:18:00:10',
      addresses: [`${server}/24`, `${otherServer}/24`, `${server6}/64`],
    },
  );
  const mtu = String(options.outsideMtu ?? ethernetMtu);
  namespaces.configure('nat', 'link', 'set', 'vout', 'mtu', mtu);
  namespaces.configure('server', 'link', 'set', 'vserver', 'mtu', mtu);
  // The default spaces ICMP errors to one peer by a second: a second traceroute would miss its end.
  namespaces.sysctl('server', 'net.ipv4.icmp_ratelimit', 0);
  // The server has no route to the client: only translated packets can be answered.
  namespaces.configure('client', 'route', 'add', 'default', 'via', inside);
  namespaces.sysctl('server', 'net.ipv6.icmp.ratelimit', 0);
  namespaces.configure('client', '-6', 'route', 'add', 'default', 'via', inside6);
  namespaces.configure('server', '-6', 'route', 'add', 'default', 'via', outside6);
}

function natConfiguration(
  { device, filtering = 'endpoint-independent', ipv6 = 'drop' }: NatOptions,
  outsideMtu: number,
): object {
  const addresses = (address: string, address6: string): string[] =>
    ipv6 === 'route' ? [`${address}/24`, `${address6}/64`] : [`${address}/24`];
  return {
    lanes: 1,
    ports: {
      inside: { device: `${device}:vin`, addresses: addresses(inside, inside6), mtu: ethernetMtu },
      outside: {
        device: `${device}:vout`,
        addresses: addresses(outside, outside6),
        mtu: outsideMtu,
      },
    },
    nat: { inside: ['inside'], outside: 'outside', pool: [outside], filtering, ipv6 },
    routes: [{ prefix: '0.0.0.0/0', via: server, port: 'outside' }],
  };
}

function exists(tool: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
