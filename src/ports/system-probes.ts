/** The real machine, read from /proc, /sys and the file system. Nothing is changed by asking. */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { CaptureError, readCapture } from '../wire/capture.ts';
import { arrivingChecksums, readInterfaces } from './kernel-interfaces.ts';
import { readPciDevices } from './pci-devices.ts';
import type { CaptureFile, Dpdk, FileState, HugepageSize, Probes, Processor } from './probes.ts';
import { isServed } from './sockets.ts';
import { entries, isSystemError, linesOf, textOf } from './system.ts';

/** Answers are as of the first time each is asked, so one validation sees one state of things. */
export function systemProbes(): Probes {
  return {
    file: remember(fileState),
    writable: remember(isWritable),
    served: remember(isServed),
    capture: remember(captureFile),
    interfaces: remember(readInterfaces),
    arrivingChecksums: remember(arrivingChecksums),
    pciDevices: remember(readPciDevices),
    hugepages: remember(hugepages),
    dpdk: remember(dpdk),
    capabilities: remember(capabilities),
    lockedMemoryLimit: remember(lockedMemoryLimit),
    iommuGroups: () => entries('/sys/kernel/iommu_groups').length,
    processor: remember(processor),
    nodeVersion: () => process.version,
  };
}

function remember<Argument extends string | undefined, Answer>(
  ask: (argument: Argument) => Answer,
): (argument?: Argument) => Answer {
  const answers = new Map<Argument | undefined, Answer>();
  return (argument) => {
    if (!answers.has(argument)) answers.set(argument, ask(argument as Argument));
    return answers.get(argument) as Answer;
  };
}

function fileState(path: string): FileState {
  try {
    const status = statSync(path);
    if (status.isDirectory()) return 'directory';
    if (status.isSocket()) return 'socket';
    if (!status.isFile()) return 'other';
    accessSync(path, constants.R_OK);
    return 'file';
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return error.code === 'EACCES' || error.code === 'EPERM' ? 'unreadable' : 'missing';
  }
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return false;
  }
}

function captureFile(path: string): CaptureFile | undefined {
  try {
    const capture = readCapture(readFileSync(path));
    return { frames: capture.count, linkType: capture.linkType };
  } catch (error) {
    if (error instanceof CaptureError) {
      const { capture } = error;
      return capture && { frames: capture.count, linkType: capture.linkType };
    }
    if (!isSystemError(error)) throw error;
    return undefined;
  }
}

function hugepages(): HugepageSize[] {
  const root = '/sys/kernel/mm/hugepages';
  return entries(root).map((name) => ({
    sizeKilobytes: Number(/\d+/.exec(name)?.[0] ?? 0),
    total: Number(textOf(`${root}/${name}/nr_hugepages`) ?? 0),
    free: Number(textOf(`${root}/${name}/free_hugepages`) ?? 0),
  }));
}

/** Where distributions and DPDK's own build put the drivers, e.g. .../dpdk/pmds-23.0. */
const libraryRoots = ['/usr/local/lib', '/usr/lib', '/usr/lib64'];

function dpdk(): Dpdk | undefined {
  for (const root of libraryRoots) {
    for (const library of [root, ...entries(root).map((name) => `${root}/${name}`)]) {
      const release = entries(`${library}/dpdk`).find((name) => name.startsWith('pmds-'));
      if (release === undefined) continue;
      const driverDirectory = `${library}/dpdk/${release}`;
      const description = linesOf(`${library}/pkgconfig/libdpdk.pc`);
      const version = description.find((line) => line.startsWith('Version:'));
      return {
        version: version?.slice(8).trim() ?? `of ABI ${release.slice(5)}`,
        driverDirectory,
        drivers: new Set(
          entries(driverDirectory).flatMap(
            (name) => /^librte_(\w+)\.so\.\d+$/.exec(name)?.[1] ?? [],
          ),
        ),
      };
    }
  }
  return undefined;
}

/** include/uapi/linux/capability.h: those that some kind of port asks for. */
const capabilityBits: Readonly<Record<string, number>> = {
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_IPC_LOCK: 14,
  CAP_SYS_ADMIN: 21,
  CAP_BPF: 39,
};

function capabilities(): ReadonlySet<string> {
  const line = linesOf('/proc/self/status').find((each) => each.startsWith('CapEff:'));
  const effective = BigInt(`0x${line?.slice(7).trim() ?? '0'}`);
  const held = Object.entries(capabilityBits).filter(([, bit]) => (effective >> BigInt(bit)) & 1n);
  return new Set(held.map(([name]) => name));
}

function lockedMemoryLimit(): number {
  const line = linesOf('/proc/self/limits').find((each) => each.startsWith('Max locked memory'));
  const soft = line?.slice('Max locked memory'.length).trim().split(/\s+/)[0];
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

function processor(): Processor {
  const lines = linesOf('/proc/cpuinfo');
  const value = (key: string) =>
    lines
      .find((line) => line.startsWith(key))
      ?.split(':')[1]
      ?.trim();
  const allowed = linesOf('/proc/self/status').find((line) => line.startsWith('Cpus_allowed_list'));
  return {
    model: value('model name') ?? 'unknown',
    cores: lines.filter((line) => line.startsWith('processor')).length,
    allowed: allowed?.split(':')[1]?.trim() ?? '0',
    flags: new Set(value('flags')?.split(' ')),
  };
}
