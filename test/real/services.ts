/**
 * The servers that real clients talk to: nginx, dnsmasq, iperf3, sshd, turnserver. Each listens on
 * the addresses of the namespace it is started in, keeps its files in a directory of the caller's,
 * and ends with the namespace.
 */

import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BackgroundProcess } from '../../src/lab/background.ts';
import type { Namespaces } from '../../src/lab/namespaces.ts';

/** Where a service runs, and where it may keep files. */
export interface Place {
  readonly namespaces: Namespaces;
  readonly role: string;
  readonly directory: string;
}

export interface WebFile {
  /** Its path under the root. */
  readonly name: string;
  readonly sizeBytes: number;
}

/**
 * nginx on port 80 over `files`, made here of random bytes; `/slow/NAME` is the same file at
 * 64 KiB a second a connection, and `/upload` takes a body of up to 8 MiB. With `https`, port 443
 * too (the certificate is made here by openssl).
 *
 * Returns the SHA-256 of each file by name, in hexadecimal.
 */
export async function startWeb(
  place: Place,
  files: readonly WebFile[],
  options: { https?: boolean } = {},
): Promise<ReadonlyMap<string, string>> {
  const root = join(place.directory, 'www');
  mkdirSync(root, { recursive: true });
  const digests = new Map<string, string>();
  for (const { name, sizeBytes } of files) {
    const content = randomBytes(sizeBytes);
    digests.set(name, createHash('sha256').update(content).digest('hex'));
    writeFileSync(join(root, name), content);
  }
  const file = join(place.directory, 'nginx.conf');
  writeFileSync(file, webConfiguration(place.directory, root, options.https === true));
  if (options.https === true) makeCertificate(place.directory);
  const log = join(place.directory, 'nginx-error.log');
  await listening(place, start(place, ['nginx', '-e', log, '-c', file]), 'tcp', 80);
  return digests;
}

/**
 * dnsmasq on port 53, authoritative for `lab.test`: every name below it has the address 198.18.0.10
 * and fd00:18::10; the text record of `big.lab.test` takes 2200 bytes, so that it truncates a
 * 512-byte answer and fragments one of 4096.
 */
export async function startNames(place: Place): Promise<void> {
  // Nine strings of 240: one character string of a TXT record holds at most 255 (RFC 1035 3.3.14).
  const text = Array.from({ length: 9 }, (_, index) => String(index).repeat(240)).join(',');
  const server = start(place, [
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts'],
    ...['--user=root', '--pid-file', '--log-facility=-', '--edns-packet-max=4096'],
    ...['--address=/lab.test/198.18.0.10', '--address=/lab.test/fd00:18::10'],
    `--txt-record=big.lab.test,${text}`,
  ]);
  await listening(place, server, 'udp', 53);
}

/** iperf3 on port 5201, for one test at a time, and on each of `more`. */
export async function startIperf(place: Place, ...more: number[]): Promise<void> {
  for (const port of [5201, ...more]) {
    const server = start(place, ['iperf3', '--server', '--port', String(port)]);
    await listening(place, server, 'tcp', port);
  }
}

/** sshd on port 22 with throw-away keys. Returns the words of an `ssh` that may log in as root. */
export async function startShell(place: Place): Promise<readonly string[]> {
  const key = (name: string): string => {
    const file = join(place.directory, name);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file]);
    return file;
  };
  const host = key('host-key');
  const user = key('user-key');
  const authorized = join(place.directory, 'authorized-keys');
  writeFileSync(authorized, readFileSync(`${user}.pub`));
  chmodSync(authorized, 0o600);
  // sshd's privilege separation wants it; the package's service file makes it at boot.
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const server = start(place, [
    ...['/usr/sbin/sshd', '-D', '-e', '-f', '/dev/null', '-p', '22', '-h', host],
    ...['-o', `AuthorizedKeysFile=${authorized}`, '-o', 'StrictModes=no', '-o', 'UsePAM=no'],
    ...['-o', 'PermitRootLogin=prohibit-password', '-o', 'PidFile=none', '-o', 'UseDNS=no'],
    // Sessions are short and parallel: the default would refuse some at random (10:30:100).
    ...['-o', 'MaxStartups=100:30:200', '-o', 'PrintMotd=no', '-o', 'PrintLastLog=no'],
  ]);
  await listening(place, server, 'tcp', 22);
  return [
    ...['ssh', '-F', '/dev/null', '-i', user, '-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR'],
    ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
    ...['-o', 'ConnectTimeout=10', '-l', 'root'],
  ];
}

/** A STUN server on two addresses and two ports, as RFC 5780 needs to tell behaviours apart. */
export async function startStun(place: Place, addresses: readonly [string, string]): Promise<void> {
  const file = join(place.directory, 'turnserver.conf');
  const lines = [
    'listening-port=3478',
    'alt-listening-port=3479',
    ...addresses.map((address) => `listening-ip=${address}`),
    ...['stun-only', 'rfc5780', 'no-tls', 'no-dtls', 'no-cli', 'no-auth', 'simple-log'],
    'log-file=stdout',
    `pidfile=${join(place.directory, 'turnserver.pid')}`,
    `userdb=${join(place.directory, 'turnserver.db')}`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  await listening(place, start(place, ['turnserver', '-c', file]), 'udp', 3479);
}

function start(place: Place, argv: readonly string[]): BackgroundProcess {
  return place.namespaces.start(place.role, argv, { cwd: place.directory });
}

/** Waits until something in the namespace listens on `port`. */
async function listening(
  place: Place,
  server: BackgroundProcess,
  transport: 'tcp' | 'udp',
  port: number,
): Promise<void> {
  await server.until(`listener on ${transport} ${port}`, 15, async () => {
    const sockets = ['ss', '-Hln', transport === 'tcp' ? '-t' : '-u', 'sport', '=', `:${port}`];
    return (await place.namespaces.must(place.role, sockets)).trim() !== '';
  });
}

function webConfiguration(directory: string, root: string, https: boolean): string {
  const secure = `listen 443 ssl; listen [::]:443 ssl;
    ssl_certificate ${directory}/web.crt; ssl_certificate_key ${directory}/web.key;`;
  return `
daemon off; user root; worker_processes 1; pid ${directory}/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off; client_max_body_size 8m; client_body_temp_path ${directory}/bodies;
  server {
    listen 80; listen [::]:80; ${https ? secure : ''}
    root ${root};
    location /slow/ { alias ${root}/; limit_rate 64k; }
    location /upload { client_body_in_file_only off; return 200 "taken\\n"; }
  }
}
`;
}

function makeCertificate(directory: string): void {
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-subj', '/CN=web.lab.test', '-days', '30'],
      ...['-keyout', join(directory, 'web.key'), '-out', join(directory, 'web.crt')],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
}
