import { describe, expect, it } from 'vitest';
import { PortConfigError } from '../../src/ports/error.ts';
import { deviceKinds, parsePort } from '../../src/ports/spec.ts';

const unpaced = { kind: 'unpaced' };

function refusalOf(text: string): PortConfigError {
  try {
    parsePort('inside', text);
  } catch (error) {
    if (error instanceof PortConfigError) return error;
    throw error;
  }
  throw new Error(`"${text}" was accepted`);
}

describe('A device string', () => {
  it.each([
    ['pci:0000:03:10.1', { kind: 'pci', address: '0000:03:10.1' }],
    ['pci:03:10.1', { kind: 'pci', address: '0000:03:10.1' }],
    ['pci:0000:AF:00.0', { kind: 'pci', address: '0000:af:00.0' }],
    ['af_packet:eth0', { kind: 'af_packet', interface: 'eth0' }],
    ['af_xdp:enp3s0f0', { kind: 'af_xdp', interface: 'enp3s0f0' }],
    ['tap:rxnf0', { kind: 'tap', interface: 'rxnf0' }],
    [
      'pcap:in.pcap,loop,out=o.pcap',
      { kind: 'pcap', file: 'in.pcap', loop: true, pacing: unpaced, out: 'o.pcap' },
    ],
    [
      'pcap:in.pcap,rate=1000',
      {
        kind: 'pcap',
        file: 'in.pcap',
        loop: false,
        pacing: { kind: 'rate', packetsPerSecond: 1000 },
        out: undefined,
      },
    ],
    [
      'capture:/a/b.pcapng,replay=recorded',
      {
        kind: 'capture',
        file: '/a/b.pcapng',
        loop: false,
        pacing: { kind: 'recorded' },
        out: undefined,
      },
    ],
    [
      'capture:,out=o.pcap',
      {
        kind: 'capture',
        file: undefined,
        loop: false,
        pacing: { kind: 'unpaced' },
        out: 'o.pcap',
      },
    ],
    [
      'memif:3,role=client,socket=/run/m.sock',
      { kind: 'memif', id: 3, role: 'client', socket: '/run/m.sock' },
    ],
    ['vhost-user:/run/v.sock', { kind: 'vhost-user', socket: '/run/v.sock', client: false }],
    ['vhost-user:/run/v.sock,client', { kind: 'vhost-user', socket: '/run/v.sock', client: true }],
    [
      'virtio-user:/run/v.sock,server',
      { kind: 'virtio-user', socket: '/run/v.sock', server: true },
    ],
    ['null:', { kind: 'null', size: 64 }],
    ['null:size=1500', { kind: 'null', size: 1500 }],
    ['ring:loop_0', { kind: 'ring', ring: 'loop_0' }],
    ['memory:', { kind: 'memory' }],
  ])('%s is read', (text, device) => {
    expect(parsePort('inside', text).device).toEqual(device);
  });

  it.each([
    ['', 'unknown-kind'],
    ['eth0', 'unknown-kind'],
    ['dpdk:eth0', 'unknown-kind'],
    ['toString:x', 'unknown-kind'],
    ['pci:03:10', 'bad-device'],
    ['pci:0000:03:10.8', 'bad-device'],
    ['af_packet:', 'bad-device'],
    ['af_packet:a-name-that-is-too-long', 'bad-device'],
    ['pcap:', 'bad-device'],
    ['pcap:,loop', 'bad-device'],
    ['memif:x', 'bad-device'],
    ['ring:a-b', 'bad-device'],
    ['pcap:in.pcap,rate=fast', 'bad-option'],
    ['pcap:in.pcap,rate=0', 'bad-option'],
    ['pcap:in.pcap,rate=10,replay=recorded', 'bad-option'],
    ['pcap:in.pcap,replay=backwards', 'bad-option'],
    ['pcap:in.pcap,out=', 'bad-option'],
    ['capture:', 'bad-device'],
    ['pcap:,out=o.pcap', 'bad-device'],
    ['null:size=59', 'bad-option'],
    ['memif:0,role=master', 'bad-option'],
    ['pcap:in.pcap,lop', 'unknown-option'],
    ['pcap:in.pcap,loop,loop', 'unknown-option'],
    ['null:size=64,size=65', 'unknown-option'],
    ['memory:x', 'unknown-option'],
    ['pci:0000:03:10.1,loop', 'unknown-option'],
  ])('%j is refused as %s, with its field and a mend', (text, code) => {
    const refusal = refusalOf(text);
    expect(refusal).toMatchObject({ code, field: 'ports.inside.device' });
    expect(refusal.found).toContain(`"${text}"`);
    expect(refusal.mend).not.toBe('');
  });

  it('of an unknown kind is answered with the known ones', () => {
    const { mend } = refusalOf('dpdk:eth0');
    for (const kind of deviceKinds) expect(mend).toContain(`${kind}:`);
  });

  it('with a misspelt option is answered with the options of its kind', () => {
    expect(refusalOf('pcap:in.pcap,lop').mend).toBe(
      'use loop, rate=N, replay=recorded|unpaced, out=PATH, each once',
    );
  });
});
