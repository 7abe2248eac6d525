/**
 * What stands between this machine and a store at `rdma://`: found before a connection is tried, each
 * with the command that mends it.
 *
 * Pure functions of the probes; the same questions serve a store's start, its reconnection and
 * `rxnf doctor`.
 */
import { checkDevice, deviceOn, interfacesOf, mendPort } from './rdma-device.ts';
import { RdmaError } from './rdma-error.ts';
import { lockedMemory, machineChecks } from './rdma-machine.ts';
import type { RdmaProbes } from './rdma-probes.ts';

export interface RdmaTarget {
  /** The place in the configuration, e.g. `state.url`. */
  readonly field: string;
  /** The store's IP address. */
  readonly address: string;
  /** Connections from this process: one for each lane. */
  readonly connections: number;
}

/** The first thing that is in the way; undefined when a connection can be tried. */
export function checkRdma(target: RdmaTarget, probes: RdmaProbes): RdmaError | undefined {
  const checks = [
    ...machineChecks,
    lockedMemory(target.connections),
    (probes: RdmaProbes) => checkDevice(target.address, probes),
  ];
  for (const check of checks) {
    const problem = check(probes);
    if (problem === undefined) continue;
    const [code, found, mend] = problem;
    return new RdmaError(code, target.field, found, mend);
  }
  return undefined;
}

/** The device that a connection to the address will use, to be asked about later. */
export function rdmaDeviceTowards(address: string, probes: RdmaProbes): string | undefined {
  const name = probes.interfaceTowards(address);
  return name === undefined ? undefined : deviceOn(name, probes)?.name;
}

/** After a failure: whether the device that the connection used has gone. */
export function checkRdmaDevice(
  device: string,
  field: string,
  probes: RdmaProbes,
): RdmaError | undefined {
  if (probes.devices().some(({ name }) => name === device)) return undefined;
  return new RdmaError(
    'device-gone',
    field,
    `the RDMA device ${device} is gone`,
    `plug it in or load its driver again (Soft-RoCE: rdma link add ${device} type rxe netdev IF); the store reconnects by itself`,
  );
}

/** A line of `rxnf doctor`. */
export interface RdmaLine {
  readonly name: string;
  readonly state: 'ok' | 'warn';
  readonly found: string;
  readonly mend?: string;
}

export function examineRdma(probes: RdmaProbes): RdmaLine[] {
  const name = 'RDMA';
  for (const check of machineChecks) {
    const problem = check(probes);
    if (problem === undefined) continue;
    const [, found, mend] = problem;
    return [{ name, state: 'warn', found: `${found}: no rdma:// stores`, mend }];
  }
  return probes.devices().map((device): RdmaLine => {
    const interfaces = interfacesOf(device).join(', ');
    const found = `${device.linkLayer}, port ${device.port} ${device.state}${interfaces && `, on ${interfaces}`}`;
    const line = `RDMA ${device.name}`;
    if (device.state === 'ACTIVE') return { name: line, state: 'ok', found };
    return { name: line, state: 'warn', found, mend: mendPort(device) };
  });
}
