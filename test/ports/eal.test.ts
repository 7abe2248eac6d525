import { describe, expect, it } from 'vitest';
import type { EalEnvironment } from '../../src/ports/eal.ts';
import { ealArguments, ethdevName } from '../../src/ports/eal.ts';
import { needsDpdk, parsePort } from '../../src/ports/spec.ts';

const environment: EalEnvironment = {
  memory: { kind: 'hugepages' },
  allowedCpus: '0-1,4',
  pid: 42,
};

function vdevs(...devices: [text: string, lanes?: number][]): string[] {
  const specs = devices.map(([text, lanes], i) => parsePort(`port${i}`, text, lanes));
  return ealArguments(specs, environment)
    .filter((word) => word.startsWith('--vdev='))
    .map((word) => word.slice('--vdev='.length));
}

describe('EAL arguments', () => {
  it('keep every allowed CPU for the caller', () => {
    const words = ealArguments([], environment);
    expect(words.slice(0, 3)).toEqual(['rxnf', '--lcores', '0@(0-1,4)']);
  });

  it('ask for hugepages in memory alone, under a prefix of this process', () => {
    expect(ealArguments([], environment)).toEqual(
      expect.arrayContaining(['--in-memory', '--file-prefix=rxnf42', '--no-pci']),
    );
  });

  it('never join --no-huge and --in-memory, which EAL refuses', () => {
    const memory = { kind: 'ordinary', megabytes: 128 } as const;
    const words = ealArguments([], { ...environment, memory });
    expect(words.join(' ')).toContain('--no-huge -m 128 --legacy-mem --no-shconf');
    expect(words).not.toContain('--in-memory');
  });

  it('look at the PCI devices that are named, and at no others', () => {
    const words = ealArguments([parsePort('in', 'pci:0000:03:10.1')], environment);
    expect(words.join(' ')).toContain('-a 0000:03:10.1');
    expect(words).not.toContain('--no-pci');
  });

  it('keep memory in one piece where it is shown to a vhost-user peer', () => {
    const words = (text: string) => ealArguments([parsePort('in', text)], environment);
    expect(words('virtio-user:/v')).toContain('--single-file-segments');
    expect(words('vhost-user:/v')).not.toContain('--single-file-segments');
  });

  it('leave out the ports that need no DPDK', () => {
    expect(vdevs(['capture:a.pcap'], ['memory:'])).toEqual([]);
  });

  it.each([
    ['pcap:a.pcap', 1, 'net_pcap0,rx_pcap=a.pcap'],
    ['pcap:a.pcap,loop,out=b.pcap', 1, 'net_pcap0,rx_pcap=a.pcap,tx_pcap=b.pcap,infinite_rx=1'],
    ['pcap:a.pcap,loop', 2, 'net_pcap0,rx_pcap=a.pcap,rx_pcap=a.pcap,infinite_rx=1'],
    ['pcap:a.pcap,rate=10', 1, 'net_pcap0,rx_pcap=a.pcap'],
    ['af_packet:eth0', 2, 'net_af_packet0,iface=eth0,qpairs=2'],
    ['af_xdp:eth0', 2, 'net_af_xdp0,iface=eth0,start_queue=0,queue_count=2'],
    ['tap:x0', 1, 'net_tap0,iface=x0'],
    [
      'memif:1,role=client,socket=/m',
      1,
      'net_memif0,role=client,id=1,socket=/m,socket-abstract=no',
    ],
    ['vhost-user:/v,client', 2, 'net_vhost0,iface=/v,queues=2,client=1'],
    ['virtio-user:/v', 1, 'net_virtio_user0,path=/v,queues=1,server=0'],
    ['virtio-user:/v', 2, 'net_virtio_user0,path=/v,queues=2,server=0,cq=1'],
    ['null:', 1, 'net_null0,size=64'],
    ['ring:a', 1, 'net_ring_a'],
  ])('make of %s with %i lanes the device %s', (text, lanes, vdev) => {
    expect(vdevs([text, lanes])).toEqual([vdev]);
  });

  it('number the ports of a kind, and name them alike when they are opened', () => {
    const texts = ['null:', 'pcap:a.pcap', 'null:size=100', 'ring:r', 'pci:0000:03:10.1'];
    const specs = texts.map((text, i) => parsePort(`port${i}`, text)).filter(needsDpdk);
    const names = specs.map((spec) => ethdevName(spec, specs));
    expect(names).toEqual(['net_null0', 'net_pcap0', 'net_null1', 'net_ring_r', '0000:03:10.1']);
    const devices = ealArguments(specs, environment).filter((word) => word.startsWith('--vdev='));
    expect(devices.map((word) => word.slice(7).split(',')[0])).toEqual(names.slice(0, 4));
  });
});
