/** PCI devices from /sys/bus/pci. */
import type { PciDevice } from './probes.ts';
import { entries, targetOf, textOf } from './system.ts';
import { VfError } from './vf/error.ts';
import { allPhysicalFunctions, virtualFunctions } from './vf/functions.ts';
import { systemVfMachine } from './vf/machine.ts';

const root = '/sys/bus/pci/devices';

export function readPciDevices(): PciDevice[] {
  const settings = settingsByCards();
  return entries(root).map((address) => {
    const path = `${root}/${address}`;
    const cardSettings = settings.get(address);
    return {
      ...(cardSettings !== undefined && { cardSettings }),
      address,
      class: Number(textOf(`${path}/class`) ?? 0) >> 16,
      vendor: identifier(`${path}/vendor`),
      device: identifier(`${path}/device`),
      driver: lastName(targetOf(`${path}/driver`)),
      interfaces: interfacesOf(path),
      iommuGroup: lastName(targetOf(`${path}/iommu_group`)),
      virtualFunctions: Number(textOf(`${path}/sriov_numvfs`) ?? 0),
      virtualFunctionsMost: Number(textOf(`${path}/sriov_totalvfs`) ?? 0),
      isVirtualFunction: targetOf(`${path}/physfn`) !== undefined,
    };
  });
}

type CardSettings = NonNullable<PciDevice['cardSettings']>;

/** By the virtual function's address; none where `ip` cannot tell. */
function settingsByCards(): Map<string, CardSettings> {
  const machine = systemVfMachine();
  const able = allPhysicalFunctions(machine).filter(({ count }) => count > 0);
  try {
    return new Map(
      able
        .flatMap((card) => virtualFunctions(machine, card))
        .map(({ address, mac, vlan, trust }) => [
          address,
          {
            ...(mac !== undefined && { mac }),
            ...(vlan !== undefined && { vlan }),
            ...(trust !== undefined && { trust }),
          },
        ]),
    );
  } catch (error) {
    if (error instanceof VfError) return new Map();
    throw error;
  }
}

/** Directly under the device, or under its virtio device. */
function interfacesOf(path: string): string[] {
  const virtio = entries(path).filter((name) => /^virtio\d+$/.test(name));
  return ['', ...virtio].flatMap((below) => entries(`${path}/${below}/net`));
}

function identifier(path: string): string {
  return textOf(path)?.replace(/^0x/, '') ?? '';
}

function lastName(path: string | undefined): string | undefined {
  return path?.split('/').at(-1);
}
