import type { PciDevice } from './probes.ts';

/** What a network card or virtual function is, in words. */
export function nicWords(device: PciDevice): string {
  const { interfaces, virtualFunctions: count, virtualFunctionsMost: most, cardSettings } = device;
  const words = [
    device.isVirtualFunction ? 'virtual function' : 'NIC',
    `${device.vendor}:${device.device}`,
    `driver ${device.driver ?? 'none'}`,
    ...(interfaces.length > 0 ? [`is ${interfaces.join(', ')}`] : []),
    ...(most > 0 ? [`${count} of ${most} virtual functions`] : []),
    ...(cardSettings?.mac === undefined ? [] : [cardSettings.mac]),
    ...(cardSettings?.vlan === undefined ? [] : [`VLAN ${cardSettings.vlan}`]),
    ...(cardSettings?.trust ? ['trusted'] : []),
  ];
  return words.join(', ');
}
