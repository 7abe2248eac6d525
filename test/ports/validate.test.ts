import { describe, expect, it } from 'vitest';
import type { PortConfigCode } from '../../src/ports/error.ts';
import type { Probes } from '../../src/ports/probes.ts';
import { parsePort } from '../../src/ports/spec.ts';
import { validatePorts } from '../../src/ports/validate.ts';
import { dpdk, eth0, fakeProbes, virtualFunction } from './fake-probes.ts';

function problemsOf(text: string, answers: Partial<Probes> = {}, lanes = 1) {
  return validatePorts([parsePort('inside', text, lanes)], fakeProbes(answers));
}

describe('On a machine that has everything', () => {
  it.each([
    ...['pci:0000:03:10.1', 'pcap:a.pcap', 'pcap:a.pcap,loop,out=/o/b.pcap', 'af_packet:eth0'],
    ...['af_xdp:eth0', 'tap:x0', 'memif:0', 'vhost-user:/run/v.sock', 'virtio-user:/run/v.sock'],
    ...['null:', 'ring:a', 'capture:a.pcap', 'memory:'],
  ])('%s is valid', (text) => {
    expect(problemsOf(text)).toEqual([]);
  });
});

describe('A port is refused', () => {
  interface Case {
    readonly title: string;
    readonly text: string;
    readonly answers: Partial<Probes>;
    readonly code: PortConfigCode;
    readonly found: string;
    readonly mend: string;
  }
  const cases: Case[] = [
    {
      title: 'without DPDK',
      text: 'null:',
      answers: { dpdk: () => undefined },
      code: 'missing-dpdk',
      found: 'DPDK is not installed',
      mend: 'apt-get install dpdk libdpdk-dev',
    },
    {
      title: 'without DPDK, told that another kind would do',
      text: 'pcap:a.pcap',
      answers: { dpdk: () => undefined },
      code: 'missing-dpdk',
      found: 'DPDK is not installed',
      mend: 'or use capture:',
    },
    {
      title: 'without its driver, whose package is named',
      text: 'memif:0',
      answers: { dpdk: () => ({ ...dpdk, drivers: new Set(['net_null']) }) },
      code: 'missing-driver',
      found: 'net_memif is not in /usr/lib/dpdk/pmds-23.0',
      mend: 'apt-get install librte-net-memif23',
    },
    {
      title: 'for a file that is not there',
      text: 'pcap:/d/a.pcap',
      answers: { file: () => 'missing' },
      code: 'missing-file',
      found: 'no file /d/a.pcap',
      mend: 'ls -l /d',
    },
    {
      title: 'for an unreadable file',
      text: 'capture:/d/a.pcap',
      answers: { file: () => 'unreadable' },
      code: 'unreadable-file',
      found: '/d/a.pcap is unreadable',
      mend: 'chmod +r /d/a.pcap',
    },
    {
      title: 'for a directory in place of a file',
      text: 'capture:/d',
      answers: {},
      code: 'unreadable-file',
      found: '/d is directory',
      mend: 'ls -l /d',
    },
    {
      title: 'for a file of another format',
      text: 'pcap:a.pcap',
      answers: { capture: () => undefined },
      code: 'not-a-capture',
      found: 'neither pcap nor pcapng',
      mend: 'capinfos a.pcap',
    },
    {
      title: 'for a capture of no frames',
      text: 'pcap:a.pcap',
      answers: { capture: () => ({ frames: 0, linkType: 1 }) },
      code: 'empty-capture',
      found: 'a.pcap holds no frame',
      mend: 'tcpdump',
    },
    {
      title: 'for a capture without Ethernet headers',
      text: 'pcap:a.pcap',
      answers: { capture: () => ({ frames: 9, linkType: 101 }) },
      code: 'wrong-link-type',
      found: 'link type 101',
      mend: 'use capture:a.pcap',
    },
    {
      title: 'when its output has no directory',
      text: 'capture:a.pcap,out=/o/b.pcap',
      answers: { file: (path) => (path === 'a.pcap' ? 'file' : 'missing') },
      code: 'missing-directory',
      found: 'no directory /o',
      mend: 'mkdir -p /o',
    },
    {
      title: 'when its output may not be written',
      text: 'capture:a.pcap,out=/o/b.pcap',
      answers: { writable: () => false },
      code: 'unwritable-directory',
      found: '/o cannot be written to',
      mend: 'chown',
    },
    {
      title: 'when its output is its input',
      text: 'capture:/o/a.pcap,out=/o/a.pcap',
      answers: {},
      code: 'duplicate-device',
      found: 'the capture itself',
      mend: 'another file',
    },
    {
      title: 'for an interface that is not there',
      text: 'af_packet:eth7',
      answers: {},
      code: 'missing-interface',
      found: 'there are eth0',
      mend: 'ip link show',
    },
    {
      title: 'for an interface that is down',
      text: 'af_xdp:eth0',
      answers: { interfaces: () => [{ ...eth0, up: false }] },
      code: 'interface-down',
      found: 'interface eth0 is down',
      mend: 'ip link set eth0 up',
    },
    {
      title: 'without permission',
      text: 'af_packet:eth0',
      answers: { capabilities: () => new Set() },
      code: 'missing-permission',
      found: 'lacks CAP_NET_RAW and CAP_NET_ADMIN',
      mend: 'setcap cap_net_raw,cap_net_admin+ep',
    },
    {
      title: 'when its tap has the name of an interface',
      text: 'tap:eth0',
      answers: {},
      code: 'duplicate-device',
      found: 'eth0 exists already',
      mend: 'ip link delete eth0',
    },
    {
      title: 'for a PCI device that is not there',
      text: 'pci:0000:09:00.0',
      answers: {},
      code: 'missing-device',
      found: 'the network devices are 0000:03:10.1',
      mend: 'rxnf ports',
    },
    {
      title: 'for a PCI device that is no NIC',
      text: 'pci:0000:03:10.1',
      answers: { pciDevices: () => [{ ...virtualFunction, class: 3 }] },
      code: 'not-a-network-device',
      found: 'PCI class 3',
      mend: 'rxnf ports',
    },
    {
      title: 'for a NIC that the kernel drives',
      text: 'pci:0000:03:10.1',
      answers: {
        pciDevices: () => [{ ...virtualFunction, driver: 'igb', interfaces: ['eth1'] }],
      },
      code: 'wrong-driver',
      found: 'bound to igb as eth1',
      mend: 'ip link set eth1 down && dpdk-devbind.py --bind=vfio-pci 0000:03:10.1',
    },
    {
      title: 'for a NIC without hugepages',
      text: 'pci:0000:03:10.1',
      answers: { hugepages: () => [{ sizeKilobytes: 2048, total: 8, free: 0 }] },
      code: 'missing-hugepages',
      found: 'no hugepage is free',
      mend: 'sysctl -w vm.nr_hugepages',
    },
    {
      title: 'when nobody listens at its socket',
      text: 'virtio-user:/run/v.sock',
      answers: { file: (path) => (path === '/run' ? 'directory' : 'missing') },
      code: 'missing-peer',
      found: 'nothing listens at /run/v.sock',
      mend: 'add the option server',
    },
    {
      title: 'when another process serves its socket',
      text: 'memif:0,role=server,socket=/run/m.sock',
      answers: { served: () => true },
      code: 'duplicate-device',
      found: 'another process listens at /run/m.sock',
      mend: 'fuser /run/m.sock',
    },
    {
      title: 'when its socket is something else',
      text: 'vhost-user:/run/notes.pcap',
      answers: {},
      code: 'bad-device',
      found: '/run/notes.pcap is there, and is no socket',
      mend: 'another path',
    },
    {
      title: 'for a socket path too long',
      text: `vhost-user:/${'x'.repeat(107)}`,
      answers: { file: (path) => (path === '/' ? 'directory' : 'missing') },
      code: 'bad-device',
      found: '108 bytes',
      mend: 'a shorter path',
    },
    {
      title: 'without the directory of its socket',
      text: 'memif:0,socket=/no/m.sock',
      answers: { file: () => 'missing' },
      code: 'missing-directory',
      found: 'no directory /no',
      mend: 'mkdir -p /no',
    },
  ];

  it.each(cases)('$title', ({ text, answers, code, found, mend }) => {
    const problems = problemsOf(text, answers);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ code, field: 'ports.inside.device' });
    expect(problems[0].found).toContain(found);
    expect(problems[0].mend).toContain(mend);
  });

  it('when two lanes would replay one capture that ends', () => {
    expect(problemsOf('pcap:a.pcap', {}, 2)).toMatchObject([
      { code: 'too-many-lanes', field: 'ports.inside.lanes' },
    ]);
    expect(problemsOf('pcap:a.pcap,loop', {}, 2)).toEqual([]);
    expect(problemsOf('capture:a.pcap', {}, 2), 'which gives each lane its share').toEqual([]);
  });

  it('with all that is wrong at once', () => {
    const codes = problemsOf('af_packet:eth7', {
      dpdk: () => undefined,
      capabilities: () => new Set(),
    });
    expect(codes.map(({ code }) => code)).toEqual([
      ...['missing-dpdk', 'missing-interface', 'missing-permission'],
    ]);
  });

  it('for hugepages only where a NIC needs them', () => {
    expect(problemsOf('af_packet:eth0', { hugepages: () => [] })).toEqual([]);
  });

  it('not for a driver that shares its device with the kernel', () => {
    const nic = { ...virtualFunction, driver: 'mlx5_core', interfaces: ['eth1'] };
    expect(problemsOf('pci:0000:03:10.1', { pciDevices: () => [nic] })).toEqual([]);
  });
});

describe('Two ports are refused', () => {
  it.each([
    ['af_packet:eth0', 'af_xdp:eth0', 'interface eth0'],
    ['pci:0000:03:10.1', 'pci:03:10.1', 'device 0000:03:10.1'],
    ['capture:a.pcap,out=/o/x.pcap', 'pcap:a.pcap,out=/o/x.pcap', 'file /o/x.pcap'],
    ['vhost-user:/run/v.sock', 'virtio-user:/run/v.sock', 'socket /run/v.sock'],
    ['ring:a', 'ring:a', 'ring a'],
    ['memif:0', 'memif:0', 'memif 0 (server)'],
  ])('as %s and %s use the same thing', (one, other, thing) => {
    const specs = [parsePort('inside', one), parsePort('outside', other)];
    const problems = validatePorts(specs, fakeProbes());
    expect(problems).toMatchObject([{ code: 'duplicate-device', field: 'ports.outside.device' }]);
    expect(problems[0].found).toContain(thing);
    expect(problems[0].found).toContain('ports.inside.device');
  });

  it('not as they read one capture, or are the two ends of a memif', () => {
    for (const pair of [
      ['pcap:a.pcap', 'pcap:a.pcap'],
      ['memif:0', 'memif:0,role=client'],
      ['null:', 'null:'],
    ] as const) {
      const specs = pair.map((text, i) => parsePort(`port${i}`, text));
      expect(validatePorts(specs, fakeProbes())).toEqual([]);
    }
  });
});
