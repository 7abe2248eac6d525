/** Physical functions and their virtual ones, as /sys and `ip` show them (kernel: PCI/pci-iov-howto). */
import { VfError } from './error.ts';
import type { VfMachine } from './machine.ts';

export interface PhysicalFunction {
  /** `0000:03:00.0` */
  readonly address: string;
  /** Its directory under /sys. */
  readonly path: string;
  /** The kernel's interface; undefined where another driver has it. */
  readonly interface: string | undefined;
  readonly most: number;
  readonly count: number;
}

export interface VirtualFunction {
  readonly address: string;
  readonly index: number;
  readonly driver: string | undefined;
  readonly iommuGroup: string | undefined;
  /** As the physical function has them; undefined where nobody can be asked. */
  readonly mac: string | undefined;
  readonly vlan: number | undefined;
  readonly link: string | undefined;
  readonly trust: boolean | undefined;
  readonly spoofCheck: boolean | undefined;
}

export const devices = '/sys/bus/pci/devices';

/**
 * @param name an interface, or a PCI address with or without its domain
 * @throws {VfError} `ERR_VF_DEVICE`
 */
export function physicalFunction(machine: VfMachine, name: string): PhysicalFunction {
  const address = addressOf(machine, name);
  const able = allPhysicalFunctions(machine);
  const found = able.find((known) => known.address === address);
  if (found) return found;
  const others = able.map((known) => known.interface ?? known.address).join(', ');
  if (address === undefined || !machine.exists(`${devices}/${address}`)) {
    throw new VfError(
      'ERR_VF_DEVICE',
      `${name} is no interface of a PCI device, and no PCI address`,
      others === '' ? 'rxnf doctor lists the network cards' : `name one of ${others}`,
    );
  }
  if (machine.exists(`${devices}/${address}/physfn`)) {
    const parent = lastName(machine.target(`${devices}/${address}/physfn`));
    throw new VfError('ERR_VF_DEVICE', `${name} is a virtual function`, `name ${parent}, its card`);
  }
  throw new VfError(
    'ERR_VF_DEVICE',
    `${name} has no virtual functions, or its firmware hides them`,
    others === '' ? 'turn SR-IOV on in the firmware' : `use one of ${others}`,
  );
}

/** Those that can have virtual functions. */
export function allPhysicalFunctions(machine: VfMachine): PhysicalFunction[] {
  return machine.entries(devices).flatMap((address) => {
    const path = `${devices}/${address}`;
    const most = Number(machine.text(`${path}/sriov_totalvfs`) ?? 0);
    if (most === 0) return [];
    const count = Number(machine.text(`${path}/sriov_numvfs`) ?? 0);
    return [{ address, path, most, count, interface: machine.entries(`${path}/net`)[0] }];
  });
}

export function virtualFunctions(machine: VfMachine, of: PhysicalFunction): VirtualFunction[] {
  const settings = settingsOf(machine, of);
  return Array.from({ length: of.count }, (_, index) => {
    const path = `${of.path}/virtfn${index}`;
    return {
      address: lastName(machine.target(path)) ?? '',
      index,
      driver: lastName(machine.target(`${path}/driver`)),
      iommuGroup: lastName(machine.target(`${path}/iommu_group`)),
      ...(settings.get(index) ?? unknown),
    };
  });
}

type Settings = Pick<VirtualFunction, 'mac' | 'vlan' | 'link' | 'trust' | 'spoofCheck'>;

const unknown: Settings = {
  mac: undefined,
  vlan: undefined,
  link: undefined,
  trust: undefined,
  spoofCheck: undefined,
};

/** `vfinfo_list` of `ip -json -details link show` (iproute2, ip/ipaddress.c). */
interface VfInfo {
  readonly vf: number;
  readonly address?: string;
  /** In releases of iproute2 before 5.4. */
  readonly mac?: string;
  readonly vlan_list?: readonly { readonly vlan?: number }[];
  readonly link_state?: string;
  readonly trust?: boolean;
  readonly spoofchk?: boolean;
}

function settingsOf(machine: VfMachine, of: PhysicalFunction): Map<number, Settings> {
  if (of.interface === undefined) return new Map();
  const words = ['-json', '-details', 'link', 'show', 'dev', of.interface];
  const [shown] = JSON.parse(machine.run('ip', ...words)) as { vfinfo_list?: VfInfo[] }[];
  const list = shown?.vfinfo_list ?? [];
  return new Map(
    list.map((info) => {
      const vlan = info.vlan_list?.find((each) => each.vlan !== undefined)?.vlan;
      const mac = info.address ?? info.mac;
      const { link_state: link, trust, spoofchk: spoofCheck } = info;
      return [info.vf, { mac, vlan: vlan === 0 ? undefined : vlan, link, trust, spoofCheck }];
    }),
  );
}

function addressOf(machine: VfMachine, name: string): string | undefined {
  const full = /^[\da-f]{2}:[\da-f]{2}\.[0-7]$/i.test(name) ? `0000:${name}` : name;
  if (/^[\da-f]{4,}:[\da-f]{2}:[\da-f]{2}\.[0-7]$/i.test(full)) return full.toLowerCase();
  if (name.includes('/')) return undefined;
  return lastName(machine.target(`/sys/class/net/${name}/device`));
}

function lastName(path: string | undefined): string | undefined {
  return path?.split('/').at(-1);
}
