/** The sockets that memif, vhost-user and virtio-user ports make, and what a killed process leaves of them. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import type { Probes } from './probes.ts';
import type { Device, PortSpec } from './spec.ts';

const refused = 3;
const limitMilliseconds = 5000;

/** Where a device makes a socket and listens; undefined for one that does not. */
export function listensAt(device: Device): string | undefined {
  switch (device.kind) {
    case 'memif':
      return device.role === 'server' ? device.socket : undefined;
    case 'vhost-user':
      return device.client ? undefined : device.socket;
    case 'virtio-user':
      return device.server ? device.socket : undefined;
    default:
      return undefined;
  }
}

/**
 * False where a socket's file is all that is left of who listened there. A socket of packets, as memif's
 * is, refuses a stream by another error than one that is dead.
 */
export function isServed(path: string): boolean {
  const ask = `require('node:net').connect(process.argv[1])
    .once('connect', () => process.exit())
    .once('error', ({ code }) => process.exit(code === 'ECONNREFUSED' ? ${refused} : 0))`;
  // Nothing but another process waits for a connection while this one does nothing else.
  const { status } = spawnSync(process.execPath, ['--eval', ask, path], {
    stdio: 'ignore',
    timeout: limitMilliseconds,
  });
  return status !== refused;
}

/** Before ports that were found right are started: removes the dead sockets in their places. */
export function removeDeadSockets(specs: readonly PortSpec[], probes: Probes): void {
  for (const { device } of specs) {
    const path = listensAt(device);
    if (path !== undefined && probes.file(path) === 'socket' && !probes.served(path)) rmSync(path);
  }
}
