/** What a NIC or virtual function needs: a driver that hands it over, hugepages, permissions. */
import { bifurcated, userspace } from './drivers.ts';
import type { PciDevice, Probes } from './probes.ts';
import type { DeviceOf, Report } from './report.ts';
import { checkCapabilities } from './report.ts';

export function checkPci({ address }: DeviceOf<'pci'>, probes: Probes, report: Report): void {
  const devices = probes.pciDevices();
  const device = devices.find((known) => known.address === address);
  if (device === undefined) {
    const nics = devices.filter((known) => known.class === 2).map((known) => known.address);
    report.add(
      'missing-device',
      `no PCI device ${address}; the network devices are ${nics.join(', ') || 'none'}`,
      'rxnf ports',
    );
    return;
  }
  if (device.class !== 2) {
    report.add(
      'not-a-network-device',
      `${address} is of PCI class ${device.class}, not 2`,
      'rxnf ports',
    );
    return;
  }
  checkPciDriver(device, report);
  if (probes.hugepages().every((size) => size.free === 0)) {
    report.add(
      'missing-hugepages',
      'a NIC reads packets by physical address, and no hugepage is free',
      'sysctl -w vm.nr_hugepages=512',
    );
  }
  checkCapabilities(['CAP_IPC_LOCK', 'CAP_SYS_ADMIN'], probes, report);
}

function checkPciDriver(device: PciDevice, report: Report): void {
  const { driver, address, interfaces } = device;
  if (driver !== undefined && (userspace.has(driver) || bifurcated.has(driver))) return;
  const down = interfaces.map((name) => `ip link set ${name} down && `).join('');
  report.add(
    'wrong-driver',
    `${address} is bound to ${driver ?? 'no driver'}${interfaces.length > 0 ? ` as ${interfaces.join(', ')}` : ''}`,
    `modprobe vfio-pci && ${down}dpdk-devbind.py --bind=vfio-pci ${address}`,
  );
}
