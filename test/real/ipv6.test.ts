/**
 * IPv6 beside the NAT, between real clients and real servers: routed as it came, or dropped and counted.
 *
 * The link to the server takes 1400 bytes, so that Packet Too Big has work to do.
 */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { client6, type Device, inside6, type Lab, server6 } from './lab.ts';
import { expectConserved, itAccountsForEveryPacket, missing, useNat } from './use-nat.ts';

const outsideMtu = 1400;
/** Of an echo that fills the outside link: less the headers of IPv6 and ICMPv6. */
const fullEcho = outsideMtu - 40 - 8;

describe.skipIf(missing.length > 0).each<Device>(['af_packet', 'af_xdp'])(
  'IPv6 routed over %s',
  (device) => {
    const used = useNat({ device, ipv6: 'route' }, { outsideMtu });

    it('is found by neighbour discovery, at the link-layer address of its port (RFC 4861)', async () => {
      await ping(used.lab, inside6);
      const neighbours = await used.lab.must(['ip', '-6', 'neigh', 'show', 'dev', 'vclient']);
      expect(neighbours).toMatch(
        new RegExp(`^${inside6} lladdr 02:00:00:99:00:01 .*(REACHABLE|DELAY|STALE)`, 'm'),
      );
    });

    it('answers neighbour discovery for no address but its own', async () => {
      await used.lab.run(['ping', '-6', '-nq', '-c', '1', '-W', '1', 'fd00:99::77']);
      const neighbours = await used.lab.must(['ip', '-6', 'neigh', 'show', 'dev', 'vclient']);
      expect(neighbours).toMatch(/^fd00:99::77\s+(FAILED|INCOMPLETE)/m);
    });

    it('carries echoes of every size up to the MTU', async () => {
      for (const size of [8, 56, 1000, fullEcho]) {
        expect(
          await ping(used.lab, server6, '-M', 'do', '-s', String(size)),
          `${size} bytes`,
        ).toContain(' 3 received');
      }
    });

    it('tells who sends more than a link takes its MTU (RFC 4443 3.2)', async () => {
      await used.lab.must(['ip', '-6', 'route', 'flush', 'cache']);
      const { stdout, stderr } = await used.lab.run([
        ...['ping', '-6', '-n', '-c', '2', '-i', '0.2', '-W', '2', '-M', 'do'],
        ...['-s', String(fullEcho + 1), server6],
      ]);
      expect(`${stdout}${stderr}`).toMatch(/(Packet too big: mtu=|mtu[:=] ?)1400/);
      const route = await used.lab.must(['ip', '-6', 'route', 'get', server6]);
      expect(route).toContain('mtu 1400');
    });

    it('carries what its sender fragments for a smaller link (RFC 8200 5)', async () => {
      // The MTU is learnt from the first, if from none before, and the others go in fragments.
      await used.lab.run(['ping', '-6', '-nq', '-c', '1', '-W', '1', '-s', '3000', server6]);
      expect(await ping(used.lab, server6, '-s', '3000')).toContain(' 3 received');
    });

    it('carries a download unchanged, and shows the server who asks', {
      timeout: 120_000,
    }, async () => {
      const fetch = `curl -6 -sS --max-time 100 'http://[${server6}]/large' | sha256sum`;
      const output = await used.lab.must(['sh', '-c', fetch], { limitSeconds: 110 });
      expect(output.slice(0, 64)).toBe(used.lab.digests.get('large'));
      const seen = await used.lab.must([...used.lab.shell, server6, 'echo $SSH_CONNECTION']);
      expect(seen, 'not translated').toMatch(new RegExp(`^${client6} \\d+ ${server6} 22\n$`));
    });

    it('carries an upload', async () => {
      const body = randomBytes(2_000_000);
      const upload = ['curl', '-6', '-sS', '--max-time', '30', '--data-binary', '@-'];
      const output = await used.lab.must([...upload, `http://[${server6}]/upload`], {
        input: body,
      });
      expect(output).toBe('taken\n');
    });

    it('carries names over UDP', async () => {
      const dig = ['dig', '+short', '+tries=1', `@${server6}`, 'AAAA', 'www.lab.test'];
      expect((await used.lab.must(dig)).trim()).toBe('fd00:18::10');
    });

    it('is the first hop of a traceroute', async () => {
      const trace = ['traceroute', '-6', '-n', '-q1', '-w2', '-m4', server6];
      const hops = [...(await used.lab.must(trace)).matchAll(/^ *\d+ +(\S+)/gm)].map((it) => it[1]);
      expect(hops).toEqual([inside6, server6]);
    });

    itAccountsForEveryPacket(used);
  },
);

describe.skipIf(missing.length > 0)('IPv6 dropped', () => {
  const used = useNat({ device: 'af_packet', ipv6: 'drop' });

  it('gets no answer, neither from the server nor from the instance', async () => {
    // Known beforehand, so that the echo itself is what is dropped.
    await used.lab.must([
      ...['ip', '-6', 'neigh', 'replace', inside6, 'lladdr', '02:00:00:99:00:01'],
      ...['dev', 'vclient', 'nud', 'permanent'],
    ]);
    for (const target of [server6, inside6]) {
      const echo = ['ping', '-6', '-nq', '-c', '3', '-i', '0.2', '-W', '1', target];
      expect((await used.lab.run(echo)).stdout, target).toContain(' 0 received');
    }
  });

  it('is counted, packet by packet', { timeout: 30_000 }, async () => {
    const { summary, output } = await used.nat.stop();
    expect(summary?.dropped['ipv6'], output).toBeGreaterThanOrEqual(6);
    expect(summary?.forwarded, output).toBe(0);
    expectConserved(summary, output);
  });
});

/** Until three echoes were answered: by itself ping waits for the last no longer than its interval. */
function ping(lab: Lab, target: string, ...options: string[]): Promise<string> {
  return lab.must([
    ...['ping', '-6', '-nq', '-c', '3', '-i', '0.1', '-w', '10', ...options, target],
  ]);
}
