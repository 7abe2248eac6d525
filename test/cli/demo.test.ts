import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DemoCommand } from '../../src/cli/demo.ts';
import { readCapture } from '../../src/wire/capture.ts';
import { fakeProbes } from '../ports/fake-probes.ts';
import { testConsole } from './console.ts';

const directory = mkdtempSync(join(tmpdir(), 'rxnf-demo-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const checksumsOn = ['ip', 'tcp', 'udp'].flatMap((it) => ['-o', `${it}.check_checksum:TRUE`]);
const checksums = ['ip', 'tcp', 'udp', 'icmp'].map((it) => `${it}.checksum.status`);

describe('the demonstration', () => {
  const output = join(directory, 'translated.pcap');
  const { console, out } = testConsole();
  const quick = { replaySeconds: 1.2, speedSeconds: 1.2, output, live: false };
  const status = new DemoCommand(console, fakeProbes({ dpdk: () => undefined })).run(quick);

  it('brings every packet of every flow where it belongs', async () => {
    expect(await status, out.text).toBe(0);
    expect(out.text).toMatch(/accounted for\s+│ every packet/);
    expect(out.text).toMatch(/came back wrong\s+│ none/);
    expect(out.text).toMatch(/flows\s+│ 48\d, through 47\d mappings/);
  });

  it('shows how it goes, in plain lines where there is no terminal', async () => {
    await status;
    expect(out.text).toMatch(
      /^both ways, servers acted {2}packets in [\d,]+ {2}out [\d,]+ {2}flows/m,
    );
    expect(out.text).toMatch(/^outward alone, full bursts {2}packets in .* [\d.]+ Mpps$/m);
    expect(out.text).not.toContain('\x1b');
  });

  it('kills one of two instances, and tells what each flow missed', async () => {
    await status;
    expect(out.text).toMatch(/Two instances, one killed, over the replay/);
    const [, lost, missed] =
      /(\d+) packets died with .*, (\d+) of them missed/.exec(out.text) ?? [];
    expect(Number(lost)).toBeGreaterThan(0);
    expect(Number(missed)).toBeLessThanOrEqual(Number(lost));
    expect(out.text).toMatch(/^ {2}(tcp|udp|icmp) 10\.99\.0\.\d+.* - .*: \d+ out, \d+ back$/m);
    expect(out.text).toContain('Every flow went on under the translation that it had.');
  });

  it('ends with what to try next, without DPDK where there is none', async () => {
    await status;
    expect(out.text).toContain('rxnf doctor');
    expect(out.text).toContain('examples/capture.yaml');
    expect(out.text).not.toContain('examples/nat.yaml');
  });

  it('writes a capture of which tshark finds every checksum valid', async () => {
    await status;
    const fields = checksums.flatMap((field) => ['-e', field]);
    const text = execFileSync(
      'tshark',
      ['-r', output, ...checksumsOn, '-T', 'fields', '-E', 'occurrence=a', ...fields],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 64 << 20 },
    );
    const rows = text.trimEnd().split('\n');
    expect(rows).toHaveLength(readCapture(readFileSync(output)).count);
    expect(rows.length).toBeGreaterThan(5000);
    // 0 bad, 1 good, 2 not verified, 3 not there: an ICMP error quotes a packet cut short.
    const wrong = rows.filter((row) => row.split(/[\t,]/).includes('0'));
    expect(wrong).toEqual([]);
    const good = rows.filter((row) => row.split(/[\t,]/).includes('1'));
    expect(good).toHaveLength(rows.length);
  });
});
