/**
 * The kernel's interfaces, as iproute2 and ethtool tell of them. /sys/class/net would not do: it
 * shows the network namespace in which /sys was mounted.
 */
import type { ArrivingChecksums, KernelInterface } from './probes.ts';
import { ask, targetOf } from './system.ts';

/** What is used of an entry of `ip -j -d link`. */
interface Link {
  readonly ifname: string;
  readonly ifindex: number;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly address?: string;
  readonly linkinfo?: { readonly info_kind?: string };
  /** A veth's other end: by name in this namespace, by number in another. */
  readonly link?: string;
  readonly link_index?: number;
  readonly link_netnsid?: number;
}

export function readInterfaces(): KernelInterface[] {
  return links().map((link) => {
    const device = targetOf(`/sys/class/net/${link.ifname}/device`);
    return {
      name: link.ifname,
      up: link.flags.includes('UP'),
      loopback: link.flags.includes('LOOPBACK'),
      mac: link.address ?? '',
      mtuBytes: link.mtu,
      kind: link.linkinfo?.info_kind,
      driver: targetOf(`${device}/driver`)?.split('/').at(-1),
      pciAddress: device?.match(/[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]/g)?.at(-1),
    };
  });
}

export function arrivingChecksums(name: string): ArrivingChecksums | undefined {
  const link = links().find((each) => each.ifname === name);
  if (link?.linkinfo?.info_kind !== 'veth') return undefined;
  if (link.link_netnsid === undefined) {
    return { filled: fillsChecksums([], link.link), peer: link.link, namespace: undefined };
  }
  const namespace = namespaceOf(link.link_netnsid);
  if (namespace === undefined) return { filled: undefined, peer: undefined, namespace };
  const peer = links('-n', namespace).find((each) => each.ifindex === link.link_index)?.ifname;
  const enter = ['ip', 'netns', 'exec', namespace];
  return { filled: fillsChecksums(enter, peer), peer, namespace };
}

function links(...where: readonly string[]): Link[] {
  return JSON.parse(ask('ip', ...where, '-j', '-d', 'link', 'show') ?? '[]');
}

function namespaceOf(id: number): string | undefined {
  const known: { nsid: number; name?: string }[] = JSON.parse(
    ask('ip', '-j', 'netns', 'list-id') || '[]',
  );
  return known.find((each) => each.nsid === id)?.name;
}

function fillsChecksums(enter: readonly string[], peer: string | undefined): boolean | undefined {
  if (peer === undefined) return undefined;
  const [tool = 'ethtool', ...words] = [...enter, 'ethtool', '-k', peer];
  const offload = /^tx-checksumming: (on|off)/m.exec(ask(tool, ...words) ?? '')?.[1];
  return offload === undefined ? undefined : offload === 'off';
}
