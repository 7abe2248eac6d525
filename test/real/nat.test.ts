/**
 * The NAT between real clients and real servers, over the kernel's own network stacks.
 *
 * Asserts function, never speed. RFC numbers name the requirement that a test stands for.
 */
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { client, type Device, inside, type Lab, outside, server } from './lab.ts';
import { expectConserved, itAccountsForEveryPacket, missing, useNat } from './use-nat.ts';

describe.skipIf(missing.length > 0).each<Device>(['af_packet', 'af_xdp'])(
  'the NAT over %s',
  (device) => {
    const used = useNat({ device });

    it('carries 50 MB unchanged', { timeout: 120_000 }, async () => {
      const { lab } = used;
      const fetch = `curl -sS --max-time 100 http://${server}/large | sha256sum`;
      const output = await lab.must(['sh', '-c', fetch], { limitSeconds: 110 });
      expect(output.slice(0, 64)).toBe(lab.digests.get('large'));
    });

    it('carries 200 parallel connections, each with its own port', {
      timeout: 60_000,
    }, async () => {
      const urls = Array.from({ length: 200 }, () => [
        ...['-o', '/dev/null', `http://${server}/slow/small`],
      ]).flat();
      const output = await used.lab.must(
        [
          ...['curl', '-sS', '--parallel', '--parallel-immediate', '--parallel-max', '200'],
          ...['--max-time', '45', '-H', 'Connection: close'],
          ...['-w', '%{http_code} %{size_download} %{local_port}\\n', ...urls],
        ],
        { limitSeconds: 55 },
      );
      const transfers = output.trim().split('\n');
      expect(transfers).toHaveLength(200);
      for (const transfer of transfers) expect(transfer).toMatch(/^200 102400 \d+$/);
      expect(new Set(transfers.map((transfer) => transfer.split(' ')[2])).size).toBe(200);
    });

    it('carries an upload unchanged', async () => {
      const body = randomBytes(2_000_000);
      const output = await used.lab.must([...used.lab.shell, server, 'sha256sum'], { input: body });
      expect(output.slice(0, 64)).toBe(createHash('sha256').update(body).digest('hex'));
    });

    it('carries an ssh session', async () => {
      const output = await used.lab.must([...used.lab.shell, server, 'echo $SSH_CONNECTION']);
      expect(output, 'the server sees the external address').toMatch(
        new RegExp(`^${outside} \\d+ ${server} 22\n$`),
      );
    });

    it('carries names over UDP and over TCP', async () => {
      for (const transport of ['+notcp', '+tcp']) {
        const answer = await used.lab.must([
          ...['dig', transport, '+short', '+tries=1', `@${server}`, 'www.lab.test'],
        ]);
        expect(answer.trim(), transport).toBe('198.18.0.10');
      }
    });

    it('carries echoes of every size up to the MTU', async () => {
      for (const size of [0, 1, 56, 1000, 1472]) {
        const ping = ['ping', '-nq', '-c', '3', '-i', '0.1', '-w', '10', '-M', 'do'];
        const output = await used.lab.must([...ping, '-s', String(size), server]);
        expect(output, `${size} bytes`).toContain('3 received, 0% packet loss');
      }
    });

    it.each([
      ['UDP', []],
      ['ICMP', ['-I']],
    ])('is the first hop of a traceroute by %s', async (_name, options) => {
      const trace = ['traceroute', '-n', '-q1', '-w2', '-m4', ...options, server];
      const output = await used.lab.must(trace);
      const hops = [...output.matchAll(/^ *\d+ +(\S+)/gm)].map((match) => match[1]);
      expect(hops).toEqual([inside, server]);
    });

    it('brings a Port Unreachable back to the socket it is about (RFC 5508 REQ-4)', async () => {
      // Linux reports a refused UDP port only to the socket whose own packet the error quotes.
      const { stdout } = await used.lab.run([
        'dig',
        '+tries=1',
        '+time=5',
        '-p',
        '9',
        `@${server}`,
      ]);
      expect(stdout).toContain('connection refused');
    });

    it('does not answer ARP for an address that is not its own', async () => {
      await used.lab.run(['ping', '-nq', '-c', '1', '-W', '1', '10.99.0.77']);
      const neighbours = await used.lab.must(['ip', 'neigh', 'show', 'dev', 'vclient']);
      expect(neighbours).toMatch(new RegExp(`^${inside} lladdr 02:00:00:99:00:01`, 'm'));
      expect(neighbours).toMatch(/^10\.99\.0\.77\s+(FAILED|INCOMPLETE)/m);
    });

    it.each([
      ['TCP out', []],
      ['TCP in', ['-R']],
      ['UDP out', ['-u', '-b', '10M']],
      ['UDP in', ['-u', '-b', '10M', '-R']],
    ])('carries iperf3 %s', { timeout: 60_000 }, async (_name, options) => {
      const iperf = ['iperf3', '--json', '-c', server, '-t', '2', '-l', '1400', ...options];
      const result = JSON.parse(await used.lab.must(iperf, { limitSeconds: 30 }));
      expect(result.error).toBeUndefined();
      if (options.includes('-u')) {
        expect(result.end.sum.packets - result.end.sum.lost_packets).toBeGreaterThan(0);
      } else {
        expect(result.end.sum_received.bytes).toBeGreaterThan(0);
      }
    });

    it('maps and filters independently of the endpoint (RFC 4787 REQ-1, REQ-8)', {
      timeout: 60_000,
    }, async () => {
      const output = await natDiscovery(used.lab, '-m', '-f');
      expect(output).toContain('NAT with Endpoint Independent Mapping!');
      expect(output).toContain('NAT with Endpoint Independent Filtering!');
      expect(output).not.toContain('No NAT');
    });

    it('hairpins (RFC 4787 REQ-9)', { timeout: 60_000 }, async () => {
      expect(await natDiscovery(used.lab, '-H')).toContain('successful hairpinning');
    });

    it('is classified by RFC 3489 STUN as independent, with hairpinning', {
      timeout: 60_000,
    }, async () => {
      const verdict = await stunVerdict(used.lab);
      expect(verdict).toContain('Independent Mapping, Independent Filter');
      expect(verdict).toContain('will hairpin');
    });

    itAccountsForEveryPacket(used);
  },
);

describe.skipIf(missing.length > 0)('the NAT with address and port dependent filtering', () => {
  const used = useNat({ device: 'af_packet', filtering: 'address-and-port-dependent' });

  it('still maps independently of the endpoint, and filters by address and port', {
    timeout: 60_000,
  }, async () => {
    const output = await natDiscovery(used.lab, '-m', '-f');
    expect(output).toContain('NAT with Endpoint Independent Mapping!');
    expect(output).toContain('NAT with Address and Port Dependent Filtering!');
  });

  it('is classified by RFC 3489 STUN as port dependent', { timeout: 60_000 }, async () => {
    expect(await stunVerdict(used.lab)).toContain('Independent Mapping, Port Dependent Filter');
  });

  it('carries replies of those that were spoken to', async () => {
    const answer = await used.lab.must(['dig', '+short', '+tries=1', `@${server}`, 'www.lab.test']);
    expect(answer.trim()).toBe('198.18.0.10');
  });

  itAccountsForEveryPacket(used);
});

describe.skipIf(missing.length > 0)('fragments over af_xdp', () => {
  const used = useNat({ device: 'af_xdp' });

  // Not over af_packet: that driver asks the kernel to reassemble (PACKET_FANOUT_FLAG_DEFRAG), so no
  // fragment reaches it, and a datagram longer than its buffer comes cut and is counted `truncated`.
  it('carries an answer that arrives in fragments', async () => {
    const answer = await used.lab.must([
      ...['dig', '+bufsize=4096', '+notcp', '+ignore', '+tries=1', `@${server}`],
      ...['TXT', 'big.lab.test'],
    ]);
    expect(answer).toContain('8'.repeat(240));
    expect(answer).toContain('(UDP)');
  });

  it('reassembles nothing and loses nothing of a fragmented ping', async () => {
    const output = await used.lab.must([
      'ping',
      '-nq',
      '-c',
      '3',
      '-i',
      '0.2',
      '-s',
      '3000',
      server,
    ]);
    expect(output).toContain('3 received, 0% packet loss');
  });

  itAccountsForEveryPacket(used);
});

describe.skipIf(missing.length > 0)('an interface with transmit checksum offload on', () => {
  const used = useNat({ device: 'af_packet' }, { clientOffloads: 'on' });

  it('is warned about, with the command that mends it', async () => {
    // TCP, whose checksum such a client leaves unfilled; whether it gets through is not the point.
    await used.lab.run(['curl', '-sS', '--max-time', '2', `http://${server}/small`, '-o-'], {
      limitSeconds: 4,
    });
    await used.nat.said(/ethtool -K \S+ tx off/, 10);
  });
});

describe.skipIf(missing.length > 0).each<Device>(['af_packet', 'af_xdp'])(
  'an interface of %s that vanishes under traffic',
  (device) => {
    const used = useNat({ device });

    it('is survived, reported by name, and counted', { timeout: 60_000 }, async () => {
      const { lab, nat } = used;
      const traffic = lab.start(['ping', '-nq', '-i', '0.01', '-c', '3000', server]);
      await sleep(1000);
      lab.removeInterface('vin');
      expect(await nat.event('gone', 10)).toMatchObject({ port: 'inside' });
      await sleep(2000);
      expect(nat.running, nat.output).toBe(true);
      await traffic.stop('SIGINT');

      const { ending, summary, output } = await nat.stop();
      expect(ending, output).toEqual({ status: 0, signal: null });
      expect(summary?.received, output).toBeGreaterThan(100);
      expectConserved(summary, output);
    });
  },
);

/** coturn's client for RFC 5780. */
function natDiscovery(lab: Lab, ...options: string[]): Promise<string> {
  const command = ['turnutils_natdiscovery', ...options, '-L', client, server];
  return lab.must(command, { limitSeconds: 55 });
}

/** What the RFC 3489 client says; its exit status is the classification, not success. */
async function stunVerdict(lab: Lab): Promise<string> {
  const result = await lab.run(['stun', `${server}:3478`, '-i', client], { limitSeconds: 55 });
  return `${result.stdout}${result.stderr}`;
}
