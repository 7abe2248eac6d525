import { describe, expect, it } from 'vitest';
import {
  checkRdma,
  checkRdmaDevice,
  examineRdma,
  rdmaDeviceTowards,
} from '../../../src/state/remote/rdma-checks.ts';
import { RdmaError } from '../../../src/state/remote/rdma-error.ts';
import type { RdmaProbes } from '../../../src/state/remote/rdma-probes.ts';
import { systemRdmaProbes } from '../../../src/state/remote/rdma-probes.ts';
import { fakeRdma, rxe0 } from './fake-rdma.ts';

const target = { field: 'state.url', address: '10.9.0.2', connections: 2 };
const [linkLocal, mapped] = rxe0.gids as [(typeof rxe0.gids)[0], (typeof rxe0.gids)[0]];

type Case = readonly [
  name: string,
  answers: Partial<RdmaProbes>,
  code: string,
  found: string,
  mend: string,
];

const cases: readonly Case[] = [
  [
    'libibverbs absent',
    { missingLibraries: () => ['libibverbs.so.1'] },
    'missing-library',
    'libibverbs.so.1 not installed',
    'apt-get install libibverbs-dev librdmacm-dev',
  ],
  [
    'no driver of libibverbs',
    { providers: () => [] },
    'missing-library',
    'no device drivers',
    'apt-get install ibverbs-providers',
  ],
  ['no device', { devices: () => [] }, 'missing-device', 'no RDMA device', 'modprobe rdma_rxe'],
  [
    'no connection manager',
    { connectionManager: () => 'missing' },
    'missing-device',
    'no /dev/infiniband/rdma_cm',
    'modprobe rdma_ucm',
  ],
  [
    'a connection manager that may not be opened',
    { connectionManager: () => 'forbidden' },
    'missing-permission',
    'may not be opened',
    'chmod 666',
  ],
  [
    'a memory-lock limit that is too low',
    { lockableBytes: () => 5 * 2 ** 20 },
    'locked-memory',
    '5120 KiB may be locked and 2 connections take 6144',
    'ulimit -l unlimited',
  ],
  [
    'no route',
    { interfaceTowards: () => undefined },
    'address-not-on-device',
    'no route to 10.9.0.2',
    'ip route add 10.9.0.2',
  ],
  [
    'an address that is not on an RDMA device',
    { interfaceTowards: () => 'eth1' },
    'address-not-on-device',
    'the way to 10.9.0.2 is eth1, which has no RDMA device (rxe0 on eth0)',
    'rdma link add rxe1 type rxe netdev eth1',
  ],
  [
    'a port that is down',
    { devices: () => [{ ...rxe0, state: 'DOWN' }] },
    'port-down',
    'rxe0 on eth0 is DOWN',
    'ip link set eth0 up',
  ],
  [
    'no GID of the IPv4 address',
    { devices: () => [{ ...rxe0, gids: [linkLocal] }] },
    'missing-gid',
    'rxe0 has no RoCE v2 GID for 10.9.0.1 (it has: fe80:',
    'set eth0 down and up',
  ],
  [
    'a GID of RoCE v1 alone',
    { devices: () => [{ ...rxe0, gids: [{ ...mapped, type: 'IB/RoCE v1' }] }] },
    'missing-gid',
    'ffff:0a09:0001 IB/RoCE v1',
    'cma_roce_mode -d rxe0 -p 1 -m 2',
  ],
  [
    'an interface without an address',
    { addressesOf: () => ['fe80::ff:fe00:1'] },
    'missing-gid',
    'eth0 has no IPv4 address',
    'ip addr add ADDRESS dev eth0',
  ],
];

describe('A store at rdma://', () => {
  it('can be tried where nothing is in the way', () => {
    expect(checkRdma(target, fakeRdma())).toBeUndefined();
    expect(checkRdma({ ...target, address: 'fe80::2' }, fakeRdma())).toBeUndefined();
    expect(rdmaDeviceTowards('10.9.0.2', fakeRdma())).toBe('rxe0');
  });

  it.each(cases)('is refused for %s, with what mends it', (_, answers, code, found, mend) => {
    const problem = checkRdma(target, fakeRdma(answers));
    expect(problem).toBeInstanceOf(RdmaError);
    expect(problem).toMatchObject({ code, field: 'state.url' });
    expect(problem?.found).toContain(found);
    expect(problem?.mend).toContain(mend);
    expect(problem?.message).toContain(`To mend it: ${problem?.mend}`);
  });

  it('is tried on InfiniBand, whose ports do not tell their interfaces', () => {
    const devices = () => [{ ...rxe0, linkLayer: 'InfiniBand', gids: [] }];
    expect(checkRdma(target, fakeRdma({ devices }))).toBeUndefined();
  });

  it('knows a device that has gone', () => {
    expect(checkRdmaDevice('rxe0', 'state.url', fakeRdma())).toBeUndefined();
    const problem = checkRdmaDevice('rxe0', 'state.url', fakeRdma({ devices: () => [] }));
    expect(problem?.code).toBe('device-gone');
    expect(problem?.mend).toContain('rdma link add rxe0');
  });
});

describe('The doctor on RDMA', () => {
  it('shows each device with its interfaces', () => {
    expect(examineRdma(fakeRdma())).toEqual([
      { name: 'RDMA rxe0', state: 'ok', found: 'Ethernet, port 1 ACTIVE, on eth0' },
    ]);
  });

  it('says what a machine without lacks', () => {
    const [line] = examineRdma(fakeRdma({ devices: () => [] }));
    expect(line).toMatchObject({ name: 'RDMA', state: 'warn' });
    expect(line?.found).toBe('no RDMA device: no rdma:// stores');
    expect(line?.mend).toContain('rdma link add');
  });

  it('warns of a port that is down', () => {
    const [line] = examineRdma(fakeRdma({ devices: () => [{ ...rxe0, state: 'DOWN' }] }));
    expect(line).toMatchObject({ name: 'RDMA rxe0', state: 'warn' });
    expect(line?.mend).toContain('ip link set eth0 up');
  });

  it('has an answer on this machine, whatever it has', () => {
    const lines = examineRdma(systemRdmaProbes());
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(line.state === 'ok' || line.mend !== undefined).toBe(true);
  });
});
