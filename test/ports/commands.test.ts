import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { runDoctor } from '../../src/cli/doctor.ts';
import { runPorts } from '../../src/cli/ports.ts';
import type { Probes } from '../../src/ports/probes.ts';
import { parsePort } from '../../src/ports/spec.ts';
import { usablePorts } from '../../src/ports/usable.ts';
import { fakeRdma } from '../state/remote/fake-rdma.ts';
import { dpdk, eth0, fakeProbes, virtualFunction } from './fake-probes.ts';

async function doctor(answers: Partial<Probes> = {}) {
  const out = new PassThrough({ encoding: 'utf8' });
  const status = await runDoctor(out, fakeProbes(answers), fakeRdma());
  return { status, lines: String(out.read()).split('\n') };
}

describe('The doctor', () => {
  it('has nothing to say against a machine that has everything', async () => {
    const { status, lines } = await doctor();
    expect(status).toBe(0);
    expect(lines.filter((line) => /^(WARN|MISSING)/.test(line))).toEqual([]);
  });

  it.each<[string, Partial<Probes>, string, string]>([
    ['hugepages', { hugepages: () => [] }, 'none', 'sysctl -w vm.nr_hugepages'],
    ['IOMMU', { iommuGroups: () => 0 }, 'none', 'intel_iommu=on'],
    ['DPDK', { dpdk: () => undefined }, 'not installed', 'apt-get install dpdk'],
    [
      'DPDK drivers',
      { dpdk: () => ({ ...dpdk, drivers: new Set(['net_null']) }) },
      'net_pcap',
      'librte-net-pcap23',
    ],
    ['NICs', { pciDevices: () => [] }, 'none', 'rxnf ports'],
    [
      'NIC 0000:03:10.1',
      { pciDevices: () => [{ ...virtualFunction, driver: 'igb', virtualFunctionsMost: 8 }] },
      '0 of 8 virtual functions',
      'rxnf vf create 0000:03:10.1 2',
    ],
    [
      'NIC 0000:03:10.1',
      { pciDevices: () => [{ ...virtualFunction, driver: 'igbvf' }] },
      'driver igbvf, 02:00:00:00:01:01, VLAN 100, trusted',
      '--bind=vfio-pci 0000:03:10.1',
    ],
    [
      'NIC 0000:03:10.1',
      { pciDevices: () => [{ ...virtualFunction, driver: 'igb' }] },
      'driver igb',
      '--bind=vfio-pci 0000:03:10.1',
    ],
    ['permissions', { capabilities: () => new Set(['CAP_NET_RAW']) }, 'CAP_NET_ADMIN', 'root'],
    [
      'lockable memory',
      { lockedMemoryLimit: () => 65536, capabilities: () => new Set() },
      '0.0625 MiB',
      'ulimit -l unlimited',
    ],
    [
      'checksums on eth0',
      { arrivingChecksums: () => ({ filled: false, peer: 'v', namespace: 'n' }) },
      'unfilled by v',
      'ip netns exec n ethtool -K v tx off',
    ],
  ])('warns about %s and names the mend', async (name, answers, found, mend) => {
    const { status, lines } = await doctor(answers);
    const line = lines.find((each) => new RegExp(`^WARN +${name} `).test(each));
    expect(status).toBe(0);
    expect(line).toContain(found);
    expect(line).toContain(mend);
  });

  it('fails where rxnf cannot run', async () => {
    expect((await doctor({ nodeVersion: () => 'v20.20.2' })).status).toBe(1);
    expect((await doctor({ nodeVersion: () => 'v22.18.0' })).status).toBe(0);
    const processor = { ...fakeProbes().processor(), flags: new Set<string>() };
    expect((await doctor({ processor: () => processor })).status).toBe(1);
  });
});

describe('The list of ports', () => {
  it('holds strings that a configuration takes', () => {
    for (const { device } of usablePorts(fakeProbes())) {
      expect(parsePort('in', device.replace('NAME', 'name')).device).toBeDefined();
    }
  });

  it('has NICs, interfaces and software, with what comes first', async () => {
    const out = new PassThrough({ encoding: 'utf8' });
    const answers = {
      interfaces: () => [{ ...eth0, up: false }],
      pciDevices: () => [{ ...virtualFunction, driver: 'igbvf' }],
    };
    expect(await runPorts(out, fakeProbes(answers))).toBe(0);
    const text = String(out.read());
    expect(text).toMatch(/^pci:0000:03:10\.1 .*--bind=vfio-pci 0000:03:10\.1$/m);
    expect(text).toMatch(/^af_packet:eth0 .*ip link set eth0 up$/m);
    expect(text).toMatch(/^capture:/m);
  });
});
