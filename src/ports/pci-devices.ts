/** PCI devices from /sys/bus/pci. */
import type { PciDevice } from './probes.ts';
import { entries, targetOf, textOf } from './system.ts';

const root = '/sys/bus/pci/devices';

export function readPciDevices(): PciDevice[] {
  return entries(root).map((address) => {
    const path = `${root}/${address}`;
    return {
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
