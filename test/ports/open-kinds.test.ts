/** EAL accepts what the specs become: every kind of port opened in one process. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildFolder } from '../../src/native.ts';
import { isServed } from '../../src/ports/sockets.ts';
import { writeCapture } from '../../src/wire/capture.ts';

const library = join(buildFolder, 'librxnf_dpdk.so');
const script = fileURLToPath(new URL('open-kinds.ts', import.meta.url));
const command = [process.execPath, '--conditions=source', script];

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'rxnf-kinds-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function opened(before: readonly string[], devices: readonly string[]): unknown[] {
  const [tool = '', ...words] = [...before, ...command, ...devices];
  const run = spawnSync(tool, words, { encoding: 'utf8', timeout: 15_000 });
  if (run.status !== 0) throw new Error(`exit ${run.status ?? run.signal}: ${run.stderr}`);
  const lines = run.stdout.split('\n').filter((line) => line.startsWith('['));
  return lines.map((line) => JSON.parse(line));
}

describe.skipIf(!existsSync(library))(`With ${library} (built where libdpdk is)`, () => {
  it('software ports open', () => {
    const capture = join(directory, 'in.pcap');
    writeFileSync(capture, writeCapture([new Uint8Array(60)]));
    const kinds = opened(
      [],
      [
        'null:size=128',
        'ring:loop',
        `pcap:${capture},out=${join(directory, 'out.pcap')}`,
        `pcap:${capture},loop`,
        `memif:0,role=server,socket=${join(directory, 'memif.sock')}`,
        `memif:0,role=client,socket=${join(directory, 'memif.sock')}`,
        `vhost-user:${join(directory, 'vhost.sock')}`,
        `vhost-user:${join(directory, 'vhost2.sock')},client`,
      ],
    );
    expect(kinds).toEqual([
      ['null', 'net_null'],
      ['ring', 'net_ring'],
      ['pcap', 'net_pcap'],
      ['pcap', 'net_pcap'],
      ['memif', 'net_memif'],
      ['memif', 'net_memif'],
      ['vhost-user', 'net_vhost'],
      ['vhost-user', 'net_vhost'],
    ]);
  });

  it.each(['memif:0,role=server,socket=', 'vhost-user:'])(
    'a killed process leaves a socket that does not keep %s from starting',
    (device) => {
      const socket = join(directory, 'left.sock');
      const listen = `require('node:net').createServer()
        .listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
      spawnSync(process.execPath, ['--eval', listen, socket], { timeout: 15_000 });
      expect(existsSync(socket)).toBe(true);
      expect(opened([], [`${device}${socket}`])).toHaveLength(1);
      rmSync(socket, { force: true });
    },
  );

  it('a socket that is served is left to who serves it', async () => {
    const socket = join(directory, 'served.sock');
    const server = createServer().listen(socket);
    await once(server, 'listening');
    expect(isServed(socket)).toBe(true);
    server.close();
  });

  it.skipIf(process.getuid?.() !== 0)('interfaces open (needs root)', () => {
    const make =
      'ip link add left type veth peer name right && ip link set left up && ip link set right up';
    const kinds = opened(
      ['unshare', '--net', 'sh', '-c', `${make} && exec "$@"`, 'sh'],
      ['af_packet:left', 'af_xdp:right', 'tap:rxnf0'],
    );
    expect(kinds).toEqual([
      ['af_packet', 'net_af_packet'],
      ['af_xdp', 'net_af_xdp'],
      ['tap', 'net_tap'],
    ]);
  });

  it('a port that cannot open throws its configuration error before EAL starts', () => {
    expect(() => opened([], ['pcap:/nowhere/in.pcap'])).toThrow(
      'ports.port0.device: no file /nowhere/in.pcap',
    );
  });
});
