/**
 * Port configuration against the machine, before EAL starts: EAL starts once per process, reports
 * a missing device on stderr alone, and cannot be asked again.
 */
import { driverOf, packageOf } from './drivers.ts';
import { PortConfigError } from './error.ts';
import type { Probes } from './probes.ts';
import type { DpdkPortSpec, PortSpec } from './spec.ts';
import { fieldOf, needsDpdk } from './spec.ts';
import { findDeviceProblems } from './validate-device.ts';

/**
 * Everything that is wrong, in the order of the ports; empty when all can be opened.
 *
 * ```ts
 * const problems = validatePorts([parsePort('inside', 'af_packet:eth7')], systemProbes());
 * // ports.inside.device: no interface "eth7"; there are eth0, lo. To mend it: ip link show
 * ```
 */
export function validatePorts(specs: readonly PortSpec[], probes: Probes): PortConfigError[] {
  const problems = specs.flatMap((spec) => [
    ...findDriverProblems(spec, probes),
    ...findLaneProblems(spec),
    ...findDeviceProblems(spec, probes),
  ]);
  return [...problems, ...findDuplicates(specs)];
}

function findDriverProblems(spec: PortSpec, probes: Probes): PortConfigError[] {
  if (!needsDpdk(spec)) return [];
  const dpdk = probes.dpdk();
  if (dpdk === undefined) {
    const without = spec.device.kind === 'pcap' ? ', or use capture: which needs no DPDK' : '';
    return [
      problem(
        spec,
        'missing-dpdk',
        'DPDK is not installed',
        `apt-get install dpdk libdpdk-dev${without}`,
      ),
    ];
  }
  const driver = driverOf[spec.device.kind];
  if (driver === undefined || dpdk.drivers.has(driver)) return [];
  return [
    problem(
      spec,
      'missing-driver',
      `the driver ${driver} is not in ${dpdk.driverDirectory}`,
      `apt-get install ${packageOf(driver)}`,
    ),
  ];
}

/** One file gives one stream of frames: of a `pcap:` a second lane would get the same ones again. */
function findLaneProblems({ name, device, lanes }: PortSpec): PortConfigError[] {
  const field = `ports.${name}.lanes`;
  const refuse = (found: string, mend: string) => [
    new PortConfigError('too-many-lanes', field, found, mend),
  ];
  if (lanes === 1) return [];
  if (device.kind === 'pcap' && !device.loop) {
    return refuse(
      `${lanes} lanes would each replay the capture`,
      'use one lane, add loop, or use capture: which shares them',
    );
  }
  if (device.kind === 'pcap' && device.out !== undefined) {
    return refuse(`${lanes} lanes cannot write one file`, 'use one lane, or leave out= away');
  }
  return [];
}

function findDuplicates(specs: readonly PortSpec[]): PortConfigError[] {
  const owners = new Map<string, PortSpec>();
  const problems: PortConfigError[] = [];
  for (const spec of specs) {
    for (const resource of resourcesOf(spec)) {
      const owner = owners.get(resource);
      if (owner === undefined) {
        owners.set(resource, spec);
        continue;
      }
      problems.push(
        problem(
          spec,
          'duplicate-device',
          `${resource} is used by ${fieldOf(owner.name)} too`,
          'give each port its own',
        ),
      );
    }
  }
  return problems;
}

/** What the port has for itself alone. */
function resourcesOf({ device }: PortSpec): string[] {
  switch (device.kind) {
    case 'pci':
      return [`device ${device.address}`];
    case 'af_packet':
    case 'af_xdp':
    case 'tap':
      return [`interface ${device.interface}`];
    case 'pcap':
    case 'capture':
      return device.out === undefined ? [] : [`file ${device.out}`];
    case 'memif':
      return [`memif ${device.id} (${device.role}) at ${device.socket}`];
    case 'vhost-user':
    case 'virtio-user':
      return [`socket ${device.socket}`];
    case 'ring':
      return [`ring ${device.ring}`];
    case 'null':
    case 'memory':
      return [];
  }
}

function problem(
  spec: PortSpec | DpdkPortSpec,
  code: PortConfigError['code'],
  found: string,
  mend: string,
): PortConfigError {
  return new PortConfigError(code, fieldOf(spec.name), found, mend);
}
