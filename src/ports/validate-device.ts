/** What each kind of port needs of the machine. */
import { dirname } from 'node:path';
import type { PortConfigError } from './error.ts';
import type { Probes } from './probes.ts';
import type { DeviceOf } from './report.ts';
import { checkCapabilities, checkDirectory, Report } from './report.ts';
import { listensAt } from './sockets.ts';
import type { PortSpec } from './spec.ts';
import { fieldOf } from './spec.ts';
import { checkCapture } from './validate-capture.ts';
import { checkPci } from './validate-pci.ts';

export function findDeviceProblems(spec: PortSpec, probes: Probes): PortConfigError[] {
  const { device } = spec;
  const report = new Report(fieldOf(spec.name));
  switch (device.kind) {
    case 'pci':
      checkPci(device, probes, report);
      break;
    case 'pcap':
    case 'capture':
      checkCapture(device, probes, report);
      break;
    case 'af_packet':
      checkInterface(device.interface, probes, report);
      // The driver asks for promiscuous mode, and does not start without it.
      checkCapabilities(['CAP_NET_RAW', 'CAP_NET_ADMIN'], probes, report);
      break;
    case 'af_xdp':
      checkInterface(device.interface, probes, report);
      checkCapabilities(['CAP_NET_RAW', 'CAP_NET_ADMIN', 'CAP_BPF'], probes, report);
      break;
    case 'tap':
      checkTap(device, probes, report);
      break;
    case 'memif':
    case 'vhost-user':
    case 'virtio-user':
      checkSocket(device, probes, report);
      break;
    case 'null':
    case 'ring':
    case 'memory':
      break;
  }
  return report.problems;
}

function checkInterface(name: string, probes: Probes, report: Report): void {
  const known = probes.interfaces();
  const found = known.find((each) => each.name === name);
  if (found === undefined) {
    const names = known.map((each) => each.name).join(', ');
    report.add(
      'missing-interface',
      `no interface "${name}" in this network namespace; there are ${names || 'none'}`,
      'ip link show',
    );
  } else if (!found.up) {
    report.add('interface-down', `interface ${name} is down`, `ip link set ${name} up`);
  }
}

function checkTap(device: DeviceOf<'tap'>, probes: Probes, report: Report): void {
  if (probes.file('/dev/net/tun') === 'missing') {
    report.add('missing-device', 'no /dev/net/tun', 'modprobe tun');
  }
  if (probes.interfaces().some((each) => each.name === device.interface)) {
    report.add(
      'duplicate-device',
      `an interface ${device.interface} exists already`,
      `choose another name, or: ip link delete ${device.interface}`,
    );
  }
  checkCapabilities(['CAP_NET_ADMIN'], probes, report);
}

const longestSocketPath = 107; // sockaddr_un holds 108 bytes with the final zero

function checkSocket(
  device: DeviceOf<'memif' | 'vhost-user' | 'virtio-user'>,
  probes: Probes,
  report: Report,
): void {
  const { socket } = device;
  if (Buffer.byteLength(socket) > longestSocketPath) {
    report.add(
      'bad-device',
      `the socket's path has ${Buffer.byteLength(socket)} bytes, and ${longestSocketPath} fit`,
      'use a shorter path',
    );
  }
  checkDirectory(dirname(socket), probes, report);
  checkPlace(listensAt(device), probes, report);
  if (device.kind === 'virtio-user' && !device.server && probes.file(socket) !== 'socket') {
    report.add(
      'missing-peer',
      `nothing listens at ${socket}`,
      'start its other end (a vhost-user server) first, or add the option server',
    );
  }
}

/** A socket that nobody listens at any more is removed at the start. */
function checkPlace(path: string | undefined, probes: Probes, report: Report): void {
  if (path === undefined) return;
  const there = probes.file(path);
  if (there === 'socket') {
    if (probes.served(path))
      report.add(
        'duplicate-device',
        `another process listens at ${path}`,
        `choose another path, or see who it is: fuser ${path}`,
      );
  } else if (there !== 'missing') {
    report.add('bad-device', `${path} is there, and is no socket`, 'choose another path');
  }
}
