import type { PciDevice } from './probes.ts';

/** What a network card or virtual function is, in words. */
export function nicWords(device: PciDevice): string {
  const { interfaces, virtualFunctions: count, virtualFunctionsMost: most, ofCard } = device;
  const words = [
    device.isVirtualFunction ? 'virtual function' : 'NIC',
    `${device.vendor}:${device.device}`,
    `driver ${device.driver ?? 'none'}`,
    ...(interfaces.length > 0 ? [`is ${interfaces.join(', ')}`] : []),
    ...(most > 0 ? [`${count} of ${most} virtual functions`] : []),
    ...(ofCard?.mac === undefined ? [] : [ofCard.mac]),
    ...(ofCard?.vlan === undefined ? [] : [`VLAN ${ofCard.vlan}`]),
    ...(ofCard?.trust ? ['trusted'] : []),
  ];
  return words.join(', ');
}
