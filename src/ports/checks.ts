/** The doctor's questions: what the machine has, what it lacks, and the command that mends it. */
import { bifurcated, driverOf, packageOf, userspace } from './drivers.ts';
import { nicWords } from './nic-words.ts';
import type { PciDevice, Probes } from './probes.ts';

/** `missing`: rxnf cannot run. `warn`: a kind of port is slower or cannot be used. */
export type CheckState = 'ok' | 'warn' | 'missing';

export interface Check {
  readonly name: string;
  readonly state: CheckState;
  readonly found: string;
  readonly mend?: string;
}

export function examine(probes: Probes): Check[] {
  return [
    checkProcessor(probes),
    checkNode(probes),
    ...checkHugepages(probes),
    checkLockedMemory(probes),
    checkIommu(probes),
    ...checkNics(probes),
    ...checkDpdk(probes),
    checkPermissions(probes),
    ...checkVeths(probes),
  ];
}

const oldestNode = [22, 18] as const;

/** x86-64-v2, which the kernels are built for at the least. */
const neededFlags = ['ssse3', 'sse4_1', 'sse4_2', 'popcnt', 'cx16'];

function checkProcessor(probes: Probes): Check {
  const { model, cores, allowed, flags } = probes.processor();
  const lacking = neededFlags.filter((flag) => !flags.has(flag));
  const found = `${model}, ${cores} cores (may use ${allowed})`;
  if (lacking.length > 0) {
    return {
      name: 'CPU',
      state: 'missing',
      found: `${found}, without ${lacking.join(', ')}`,
      mend: 'use an x86-64-v2 CPU; in QEMU: -cpu max',
    };
  }
  return { name: 'CPU', state: 'ok', found: `${found}${flags.has('avx2') ? ', AVX2' : ''}` };
}

function checkNode(probes: Probes): Check {
  const found = probes.nodeVersion();
  const [major = 0, minor = 0] = found.replace(/^v/, '').split('.').map(Number);
  const [oldMajor, oldMinor] = oldestNode;
  const ok = major > oldMajor || (major === oldMajor && minor >= oldMinor);
  if (ok) return { name: 'Node', state: 'ok', found };
  return {
    name: 'Node',
    state: 'missing',
    found: `${found}, older than ${oldestNode.join('.')}`,
    mend: 'npm run setup (brings its own), then use npm run rxnf',
  };
}

const wantedMegabytes = 128; // a pool of 16384 buffers and EAL's own

function checkHugepages(probes: Probes): Check[] {
  const sizes = probes.hugepages();
  const megabytes = sizes.reduce((sum, size) => sum + (size.free * size.sizeKilobytes) / 1024, 0);
  const found = sizes.map(
    ({ sizeKilobytes, free, total }) => `${sizeKilobytes / 1024} MiB: ${free} of ${total} free`,
  );
  const name = 'hugepages';
  if (megabytes >= wantedMegabytes) return [{ name, state: 'ok', found: found.join('; ') }];
  return [
    {
      name,
      state: 'warn',
      found: `${found.join('; ') || 'none'}: ordinary pages take their place, and NICs cannot be used`,
      mend: 'sysctl -w vm.nr_hugepages=512',
    },
  ];
}

const leastLockable = 64 * 2 ** 20; // what VFIO maps of a small pool

function checkLockedMemory(probes: Probes): Check {
  const limit = probes.lockedMemoryLimit();
  const found = limit === Number.POSITIVE_INFINITY ? 'unlimited' : `${limit / 2 ** 20} MiB`;
  const name = 'lockable memory';
  if (limit >= leastLockable || probes.capabilities().has('CAP_IPC_LOCK')) {
    return { name, state: 'ok', found };
  }
  return {
    name,
    state: 'warn',
    found: `${found}: too little for NICs and af_xdp`,
    mend: 'ulimit -l unlimited (as root, or in /etc/security/limits.conf)',
  };
}

function checkIommu(probes: Probes): Check {
  const groups = probes.iommuGroups();
  if (groups > 0) return { name: 'IOMMU', state: 'ok', found: `${groups} groups` };
  return {
    name: 'IOMMU',
    state: 'warn',
    found: 'none: vfio-pci cannot take a NIC',
    mend: 'boot with intel_iommu=on iommu=pt (AMD: iommu=pt), and turn it on in the firmware',
  };
}

function checkNics(probes: Probes): Check[] {
  const nics = probes.pciDevices().filter((device) => device.class === 2);
  if (nics.length === 0) {
    return [
      {
        name: 'NICs',
        state: 'warn',
        found: 'none on PCI',
        mend: 'use af_packet:, af_xdp: or a software port: rxnf ports',
      },
    ];
  }
  return nics.map((nic) => {
    const { driver, virtualFunctionsMost: most } = nic;
    const ready = driver !== undefined && (userspace.has(driver) || bifurcated.has(driver));
    const found = nicWords(nic);
    const name = `NIC ${nic.address}`;
    if (ready) return { name, state: 'ok', found };
    if (most > 0) return { name, state: 'warn', found, mend: vfMend(nic) };
    return {
      name,
      state: 'warn',
      found,
      mend: `modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci ${nic.address}${nic.interfaces.length === 0 ? '' : ' (the kernel loses it)'}`,
    };
  });
}

/** A card with virtual functions stays with the kernel, which looks after them. */
function vfMend({ address, interfaces, virtualFunctions: count }: PciDevice): string {
  const card = interfaces[0] ?? address;
  return count > 0 ? `use its virtual functions: rxnf vf list ${card}` : `rxnf vf create ${card} 2`;
}

function checkDpdk(probes: Probes): Check[] {
  const dpdk = probes.dpdk();
  if (dpdk === undefined) {
    return [
      {
        name: 'DPDK',
        state: 'warn',
        found: 'not installed: only capture: and memory: ports can be used',
        mend: 'apt-get install dpdk libdpdk-dev',
      },
    ];
  }
  const wanted = Object.values(driverOf).filter((driver) => driver !== undefined);
  const lacking = wanted.filter((driver) => !dpdk.drivers.has(driver));
  const present = wanted.filter((driver) => dpdk.drivers.has(driver));
  const others = [...dpdk.drivers].filter((driver) => driver.startsWith('net_')).length;
  const nics = `${others - present.length} for NICs`;
  const version: Check = { name: 'DPDK', state: 'ok', found: dpdk.version };
  const drivers: Check =
    lacking.length === 0
      ? { name: 'DPDK drivers', state: 'ok', found: `${present.join(' ')}; ${nics}` }
      : {
          name: 'DPDK drivers',
          state: 'warn',
          found: `${present.join(' ') || 'none'}; ${nics}; without ${lacking.join(' ')}`,
          mend: `apt-get install ${lacking.map(packageOf).join(' ')}`,
        };
  return [version, drivers];
}

const useOfCapabilities: Readonly<Record<string, string>> = {
  CAP_NET_RAW: 'af_packet, af_xdp',
  CAP_NET_ADMIN: 'af_xdp, tap',
  CAP_BPF: 'af_xdp',
  CAP_IPC_LOCK: 'NICs',
  CAP_SYS_ADMIN: 'NICs',
};

function checkPermissions(probes: Probes): Check {
  const held = probes.capabilities();
  const lacking = Object.keys(useOfCapabilities).filter((name) => !held.has(name));
  const name = 'permissions';
  if (lacking.length === 0) return { name, state: 'ok', found: [...held].join(' ') };
  const uses = lacking.map((each) => `${each} (${useOfCapabilities[each]})`);
  return {
    name,
    state: 'warn',
    found: `without ${uses.join(', ')}`,
    mend: 'run as root where those ports are used',
  };
}

function checkVeths(probes: Probes): Check[] {
  return probes.interfaces().flatMap((each): Check[] => {
    const arriving = each.up ? probes.arrivingChecksums(each.name) : undefined;
    if (arriving === undefined) return [];
    const name = `checksums on ${each.name}`;
    if (arriving.filled === true) {
      return [{ name, state: 'ok', found: `filled by ${arriving.peer}` }];
    }
    const enter = arriving.namespace === undefined ? '' : `ip netns exec ${arriving.namespace} `;
    return [
      {
        name,
        state: 'warn',
        found:
          arriving.filled === false
            ? `left unfilled by ${arriving.peer}`
            : 'its other end is out of sight',
        mend: `${enter}ethtool -K ${arriving.peer ?? 'PEER'} tx off`,
      },
    ];
  });
}
