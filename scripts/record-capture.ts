/**
 * Records captures/clients.pcap: real clients' traffic on the inside link of a router.
 *
 *   client namespace                router namespace              server namespace
 *   10.99.0.2-.21, fd00:99::2-:21   10.99.0.1   198.18.0.1        198.18.0.10, .11
 *   02:00:00:99:00:02 ------------- ..99:00:01  ..18:00:01 ------ 02:00:00:18:00:10
 *                        ^ tcpdump, whole frames, both directions, no NAT
 *
 * As root: `node scripts/record-capture.ts [FILE]`. Offloads are off on every link, and the result
 * is verified by tshark before it replaces FILE: every checksum valid, no frame above 1514 bytes,
 * below 4 MB. What varies from run to run is what clients choose: ports, sequence numbers, timing.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { clearLeftovers, Namespaces } from '../src/lab/namespaces.ts';
import {
  startIperf,
  startNames,
  startShell,
  startWeb,
  type WebFile,
} from '../test/real/services.ts';

const sizeLimitBytes = 4_000_000;
const clients = Array.from({ length: 20 }, (_, index) => index + 2);
const server = '198.18.0.10';
const otherServer = '198.18.0.11';
const server6 = 'fd00:18::10';

const files: readonly WebFile[] = [
  { name: 'empty', sizeBytes: 0 },
  { name: 'small', sizeBytes: 100 },
  { name: 'page', sizeBytes: 1_400 },
  { name: 'script', sizeBytes: 6_000 },
  { name: 'picture', sizeBytes: 20_000 },
  { name: 'download', sizeBytes: 250_000 },
  { name: 'form', sizeBytes: 9_000 },
];

/** One client's deed: the words of a command, and its end where that is not success. */
interface Deed {
  readonly argv: readonly string[];
  readonly mayFail?: boolean;
}

/** Deeds in flight at once: enough to interleave flows, few enough for a small machine. */
const deedsAtOnce = 6;

await record(resolve(process.argv[2] ?? 'captures/clients.pcap'));

async function record(file: string): Promise<void> {
  clearLeftovers();
  const directory = mkdtempSync(join(tmpdir(), 'rxnf-record-'));
  const namespaces = new Namespaces(['client', 'router', 'server']);
  try {
    connect(namespaces);
    const place = { namespaces, role: 'server', directory };
    await startWeb(place, files, { https: true });
    await startNames(place);
    await startIperf(place);
    const shell = await startShell(place);

    const partial = join(directory, 'clients.pcap');
    const recorder = namespaces.start('router', [
      ...['tcpdump', '-i', 'inside', '-s', '0', '-w', partial, '-Z', 'root', '-B', '16384', '-U'],
    ]);
    await recorder.until('recording', 10, () => /listening on/.test(recorder.stderr));
    await perform(namespaces, deeds(shell, join(directory, 'www', 'form')));
    await namespaces.must('client', ['sleep', '1']);
    await recorder.stop('SIGINT');
    if (!/\b0 packets dropped by kernel/.test(recorder.stderr)) throw new Error(recorder.stderr);
    const rejected = `${file}.rejected`;
    writeFileSync(rejected, inTimeOrder(readFileSync(partial)));
    verify(rejected);
    renameSync(rejected, file);
    console.log(describe(file));
  } finally {
    await namespaces.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function connect(namespaces: Namespaces): void {
  namespaces.link(
    {
      role: 'client',
      device: 'uplink',
      mac: '02:00:00:99:00:02',
      addresses: clients.flatMap((host) => [`10.99.0.${host}/24`, `fd00:99::${host}/64`]),
    },
    {
      role: 'router',
      device: 'inside',
      mac: '02:00:00:99:00:01',
      addresses: ['10.99.0.1/24', 'fd00:99::1/64'],
    },
  );
  namespaces.link(
    {
      role: 'router',
      device: 'outside',
      mac: '02:00:00:18:00:01',
      addresses: ['198.18.0.1/24', 'fd00:18::1/64'],
    },
    {
      role: 'server',
      device: 'uplink',
      mac: '02:00:00:18:00:10',
      addresses: [`${server}/24`, `${otherServer}/24`, `${server6}/64`],
    },
  );
  namespaces.sysctl('router', 'net.ipv4.ip_forward', 1);
  namespaces.sysctl('router', 'net.ipv6.conf.all.forwarding', 1);
  // The default spaces out ICMP errors by a second, and traceroute would miss hops.
  for (const role of ['router', 'server']) {
    namespaces.sysctl(role, 'net.ipv4.icmp_ratelimit', 0);
    namespaces.sysctl(role, 'net.ipv6.icmp.ratelimit', 0);
  }
  for (const [role, router, router6] of [
    ['client', '10.99.0.1', 'fd00:99::1'],
    ['server', '198.18.0.1', 'fd00:18::1'],
  ] as const) {
    namespaces.configure(role, 'route', 'add', 'default', 'via', router);
    namespaces.configure(role, '-6', 'route', 'add', 'default', 'via', router6);
  }
}

/** A bounded number of workers share the list; a deed that should succeed and does not is fatal. */
async function perform(namespaces: Namespaces, list: readonly Deed[]): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (;;) {
      const deed = list[next++];
      if (deed === undefined) return;
      const result = await namespaces.run('client', deed.argv, { limitSeconds: 20 });
      if (result.timedOut || (result.status !== 0 && deed.mayFail !== true)) {
        throw new Error(
          `${deed.argv.join(' ')}: ${result.status} ${result.stdout} ${result.stderr}`,
        );
      }
    }
  };
  await Promise.all(Array.from({ length: deedsAtOnce }, worker));
}

/** Every kind of traffic, dealt out in turn so that kinds interleave. */
function deeds(shell: readonly string[], form: string): Deed[] {
  const kinds: Deed[][] = [
    clients.flatMap((host) => webDeeds(host, form)),
    clients.flatMap(nameDeeds),
    clients.flatMap(echoDeeds),
    bulkDeeds(),
    clients.slice(0, 12).map((host) => shellDeed(shell, host)),
    clients.slice(0, 6).flatMap(traceDeeds),
    clients.slice(0, 8).flatMap(refusedDeeds),
  ];
  const longest = Math.max(...kinds.map((kind) => kind.length));
  const turn = (kind: Deed[], index: number): Deed[] => {
    const from = Math.floor((index * kind.length) / longest);
    return kind.slice(from, Math.floor(((index + 1) * kind.length) / longest));
  };
  return Array.from({ length: longest }, (_, index) => kinds.flatMap((k) => turn(k, index))).flat();
}

function webDeeds(host: number, form: string): Deed[] {
  const curl = ['curl', '-sS', '-o', '/dev/null', '--max-time', '15'];
  const from = [...curl, '--interface', `10.99.0.${host}`];
  const from6 = [...curl, '-6', '--interface', `fd00:99::${host}`];
  const picture = host % 4 === 0 ? 'download' : 'picture';
  const each = (...names: string[]): string[] =>
    names.flatMap((name) => ['-o', '/dev/null', `http://${server}/${name}`]);
  return [
    { argv: [...from, `http://${server}/empty`] },
    { argv: [...from, `http://${server}/page`] },
    { argv: [...from, `http://${otherServer}/script`] },
    { argv: [...from, ...each('small', 'page', 'script', 'small')] },
    { argv: [...from, '--http1.0', `http://${server}/page`] },
    { argv: [...from, '-I', `http://${otherServer}/${picture}`] },
    { argv: [...from, `http://${server}/missing`] },
    { argv: [...from, '-k', `https://${server}/page`] },
    ...(host % 2 === 0 ? [{ argv: [...from, `http://${otherServer}/${picture}`] }] : []),
    ...(host % 5 === 0
      ? [{ argv: [...from, '--data-binary', `@${form}`, `${server}/upload`] }]
      : []),
    { argv: [...from6, `http://[${server6}]/page`] },
    { argv: [...from6, `http://[${server6}]/small`, '-o', '/dev/null', `[${server6}]/script`] },
  ];
}

function nameDeeds(host: number): Deed[] {
  const dig = ['dig', '+tries=2', '+time=3', '+noall'];
  const from = [...dig, '-b', `10.99.0.${host}`, `@${server}`];
  const from6 = [...dig, '-6', '-b', `fd00:99::${host}`, `@${server6}`];
  return [
    ...Array.from({ length: 6 }, (_, index) => ({
      argv: [...from, `h${index}.c${host}.lab.test`],
    })),
    { argv: [...from, 'AAAA', `six.c${host}.lab.test`] },
    { argv: [...from, '+tcp', `tcp.c${host}.lab.test`] },
    { argv: [...from, `@${otherServer}`, `other.c${host}.lab.test`] },
    // Truncated over UDP, asked again over TCP; then whole, as fragments.
    ...(host % 4 === 0 ? [{ argv: [...from, '+bufsize=512', 'TXT', 'big.lab.test'] }] : []),
    ...(host % 4 === 1 ? [{ argv: [...from, '+bufsize=4096', 'TXT', 'big.lab.test'] }] : []),
    { argv: [...from6, `v6.c${host}.lab.test`] },
    ...(host % 5 === 0 ? [{ argv: [...from6, '+bufsize=4096', 'TXT', 'big.lab.test'] }] : []),
    ...(host % 5 === 1 ? [{ argv: [...from6, '+tcp', `tcp6.c${host}.lab.test`] }] : []),
  ];
}

function echoDeeds(host: number): Deed[] {
  const ping = ['ping', '-n', '-q', '-i', '0.2', '-W', '2'];
  const from = [...ping, '-I', `10.99.0.${host}`, server];
  const from6 = [...ping, '-6', '-I', `fd00:99::${host}`, server6];
  return [
    { argv: [...from, '-c', '3', '-s', '56'] },
    { argv: [...from, '-c', '2', '-s', String(8 + host * 60)] },
    ...(host % 4 === 2 ? [{ argv: [...from, '-c', '2', '-s', '3000'] }] : []),
    // Record Route (RFC 791 3.1): a header with options.
    ...(host % 10 === 0 ? [{ argv: [...from, '-c', '1', '-R'] }] : []),
    ...(host === 3 ? [{ argv: [...from, '-c', '1', '-s', '8000'] }] : []),
    ...(host % 2 === 0 ? [{ argv: [...from6, '-c', '2', '-s', '64'] }] : []),
    ...(host % 8 === 3 ? [{ argv: [...from6, '-c', '1', '-s', '3000'] }] : []),
  ];
}

/** One at a time, as `iperf3 -s` takes them: so all in one deed. */
function bulkDeeds(): Deed[] {
  const iperf = (host: number, ...words: string[]): string =>
    `iperf3 -c ${server} -B 10.99.0.${host} -l 1400 -n 150K -b 20M ${words.join(' ')} >/dev/null`;
  const script = [
    iperf(2),
    iperf(3, '-R'),
    iperf(4, '-u', '-b 4M', '-n 100K'),
    iperf(5, '-u', '-R', '-b 4M', '-n 100K'),
    iperf(6, '-u', '-b 4M', '-n 60K', '-l 4000'),
    iperf(7, '-P 4', '-n 25K'),
  ];
  return [{ argv: ['sh', '-ec', script.join('\n')] }];
}

function shellDeed(shell: readonly string[], host: number): Deed {
  const command = ['id -un', 'head -c 4000 /dev/urandom | od -An -tx1', 'ls -l /proc/self'];
  return {
    argv: [...shell, '-b', `10.99.0.${host}`, server, command[host % command.length] ?? 'true'],
  };
}

function traceDeeds(host: number): Deed[] {
  const trace = ['traceroute', '-n', '-q', '1', '-w', '1', '-m', '4', '-N', '2'];
  const from = [...trace, '-s', `10.99.0.${host}`];
  return [
    { argv: [...from, server] },
    { argv: [...from, '-I', otherServer] },
    ...(host % 3 === 0 ? [{ argv: [...from, '-T', '-p', '80', server] }] : []),
    ...(host % 3 === 1 ? [{ argv: [...trace, '-6', '-s', `fd00:99::${host}`, server6] }] : []),
  ];
}

/** A closed TCP port, a closed UDP port, and a host that is not there. */
function refusedDeeds(host: number): Deed[] {
  const from = ['--interface', `10.99.0.${host}`];
  const dig = ['dig', '+tries=1', '+time=1', '-b', `10.99.0.${host}`, '-p', '9'];
  return [
    { argv: ['curl', '-sS', '--max-time', '5', ...from, `${server}:81`], mayFail: true },
    { argv: [...dig, `@${server}`, 'closed.lab.test'], mayFail: true },
    ...(host % 4 === 0
      ? [{ argv: ['curl', '-sS', '--max-time', '4', ...from, '198.18.0.99'], mayFail: true }]
      : []),
  ];
}

/**
 * Throws unless tshark finds the capture fit: see the module's head.
 *
 * About one recording in five fails honestly: Linux writes a TCP checksum of zero as 0xffff, which
 * is as good to a receiver, but not the value that RFC 1624 gives. Record again.
 */
function verify(file: string): void {
  const size = statSync(file).size;
  if (size > sizeLimitBytes) throw new Error(`${size} bytes: the limit is ${sizeLimitBytes}`);
  const bad = tshark(
    file,
    'frame.len > 1514 || frame.cap_len < frame.len || ip.checksum.status == 0' +
      ' || tcp.checksum.status == 0 || udp.checksum.status == 0 || icmp.checksum.status == 0' +
      ' || icmpv6.checksum.status == 0 || _ws.malformed',
  );
  if (bad !== '') throw new Error(`record again: bad checksum or length in ${file}:\n${bad}`);
}

/** What the capture holds, as the table in captures/README.md. */
function describe(file: string): string {
  const rows: readonly (readonly [string, string])[] = [
    ['all', 'frame'],
    ['ARP', 'arp'],
    ['IPv4', 'ip'],
    ['IPv4 TCP', 'ip && tcp && !icmp'],
    ['IPv4 UDP', 'ip && udp && !icmp'],
    ['ICMP echo', 'icmp.type == 8 || icmp.type == 0'],
    ['ICMP Destination Unreachable', 'icmp.type == 3'],
    ['ICMP Time Exceeded', 'icmp.type == 11'],
    ['IPv4 fragments', 'ip.flags.mf == 1 || ip.frag_offset > 0'],
    ['IPv4 with options', 'ip.hdr_len > 20'],
    ['IPv6', 'ipv6'],
    ['IPv6 TCP', 'ipv6 && tcp && !icmpv6'],
    ['IPv6 UDP', 'ipv6 && udp && !icmpv6'],
    ['ICMPv6', 'icmpv6'],
    ['IPv6 fragments', 'ipv6.fraghdr'],
  ];
  const count = (filter: string): number => tshark(file, filter).split('\n').length - 1;
  const flows = (kind: 'tcp' | 'udp'): number =>
    tshark(file, '', '-q', '-z', `conv,${kind}`).split('<->').length - 1;
  return [
    ...['| packets | count |', '|---|---|'],
    ...rows.map(([name, filter]) => `| ${name} | ${count(filter)} |`),
    ...[`\n${flows('tcp')} TCP and ${flows('udp')} UDP flows; ${statSync(file).size} bytes`],
  ].join('\n');
}

/**
 * The pcap with no packet stamped earlier than the one before it.
 *
 * Packets are kept in the order in which the tap saw them; two processors stamp them, and their
 * stamps can cross by microseconds, which a replay at recorded times should not have to face.
 */
function inTimeOrder(pcap: Buffer): Buffer {
  // File header 24 bytes; then per packet seconds, microseconds, captured and original length.
  let [seconds, microseconds] = [0, 0];
  for (let at = 24; at < pcap.length; at += 16 + pcap.readUInt32LE(at + 8)) {
    const stamp = [pcap.readUInt32LE(at), pcap.readUInt32LE(at + 4)] as const;
    const late = stamp[0] > seconds || (stamp[0] === seconds && stamp[1] >= microseconds);
    if (late) [seconds, microseconds] = stamp;
    pcap.writeUInt32LE(seconds, at);
    pcap.writeUInt32LE(microseconds, at + 4);
  }
  return pcap;
}

function tshark(file: string, filter: string, ...more: readonly string[]): string {
  const checks = ['ip.check_checksum', 'tcp.check_checksum', 'udp.check_checksum'];
  return execFileSync(
    'tshark',
    ['-n', '-r', file, ...checks.flatMap((name) => ['-o', `${name}:TRUE`]), '-Y', filter, ...more],
    { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, stdio: ['ignore', 'pipe', 'pipe'] },
  );
}
