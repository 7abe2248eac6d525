import { describe, expect, it } from 'vitest';
import { checksumNotices, planDpdk } from '../../src/ports/plan.ts';
import type { ArrivingChecksums } from '../../src/ports/probes.ts';
import { parsePort } from '../../src/ports/spec.ts';
import { fakeProbes } from './fake-probes.ts';

const wanted = { buffers: 16384, room: 2176 };

function plan(texts: readonly string[], answers = {}) {
  const specs = texts.map((text, i) => parsePort(`port${i}`, text));
  return planDpdk(specs, wanted, fakeProbes(answers), 1);
}

describe('A plan', () => {
  it('uses hugepages where enough are free', () => {
    const { arguments: words, notices } = plan(['null:']);
    expect(words).toContain('--in-memory');
    expect(notices).toEqual([]);
  });

  it('falls back to ordinary pages that hold the pool, and says so', () => {
    const free = { hugepages: () => [{ sizeKilobytes: 2048, total: 20, free: 20 }] };
    const { arguments: words, notices } = plan(['null:'], free);
    expect(words).toContain('--no-huge');
    const poolMegabytes = (16384 * (64 + 128 + 2176)) / 2 ** 20;
    expect(Number(words[words.indexOf('-m') + 1])).toBeGreaterThan(poolMegabytes);
    expect(notices).toMatchObject([{ field: 'ports', mend: 'sysctl -w vm.nr_hugepages=53' }]);
  });

  it('adds the buffers that drivers keep', () => {
    expect(plan(['pcap:a.pcap,loop']).pool.buffers).toBe(16384 + 100);
    expect(plan(['pcap:a.pcap']).pool.buffers).toBe(16384);
    expect(plan(['af_xdp:eth0']).pool.buffers).toBe(16384 + 4096);
  });

  it('knows where each source ends', () => {
    const { ports } = plan(['pcap:a.pcap', 'pcap:a.pcap,loop', 'null:', 'capture:a.pcap']);
    expect(ports.map(({ ethdev, frames }) => [ethdev, frames])).toEqual([
      ['net_pcap0', 100],
      ['net_pcap1', 0],
      ['net_null0', 0],
    ]);
  });
});

describe('Start-up warns of checksums', () => {
  const notices = (answer: ArrivingChecksums | undefined) =>
    checksumNotices(
      [parsePort('in', 'af_packet:eth0')],
      fakeProbes({ arrivingChecksums: () => answer }),
    );

  it('that the other end of a veth leaves unfilled', () => {
    expect(notices({ filled: false, peer: 'vclient', namespace: 'client' })).toMatchObject([
      { field: 'ports.in.device', mend: 'ip netns exec client ethtool -K vclient tx off' },
    ]);
  });

  it('that it cannot know of', () => {
    expect(notices({ filled: undefined, peer: undefined, namespace: undefined })).toMatchObject([
      { mend: 'ethtool -K PEER tx off' },
    ]);
  });

  it('of none that are filled, or that come from hardware', () => {
    expect(notices({ filled: true, peer: 'v', namespace: undefined })).toEqual([]);
    expect(notices(undefined)).toEqual([]);
  });
});
