/**
 * What the RDMA checks ask of the machine. Every answer is a plain value, so a test needs no
 * hardware; `systemRdmaProbes` asks the real machine, and changes nothing by asking.
 */
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { interfaceOfRoute, interfaceOfRoute6 } from './routes.ts';

export interface RdmaGid {
  /** As the kernel writes it: eight groups of four hex digits. */
  readonly gid: string;
  /** `RoCE v2`, `IB/RoCE v1`. */
  readonly type: string;
  /** The interface whose address it is; undefined on InfiniBand. */
  readonly interface: string | undefined;
}

export interface RdmaDevice {
  /** `rxe0`, `mlx5_0` */
  readonly name: string;
  readonly port: number;
  /** `ACTIVE`, `DOWN`, ... */
  readonly state: string;
  /** `Ethernet` or `InfiniBand` */
  readonly linkLayer: string;
  readonly gids: readonly RdmaGid[];
}

export interface RdmaProbes {
  /** Of the shared libraries that the transport is linked with, those that are not there. */
  missingLibraries(): readonly string[];
  /** Device drivers of libibverbs: `rxe`, `mlx5`. */
  providers(): readonly string[];
  /** /dev/infiniband/rdma_cm, which connections are made through. */
  connectionManager(): 'missing' | 'forbidden' | 'ok';
  /** One for each port of each device. */
  devices(): readonly RdmaDevice[];
  /** The interface that packets to an IP address leave by, or that has the address itself. */
  interfaceTowards(address: string): string | undefined;
  addressesOf(interfaceName: string): readonly string[];
  /** Bytes that may be locked; Infinity without a limit, or with the capability to exceed it. */
  lockableBytes(): number;
}

export function systemRdmaProbes(): RdmaProbes {
  return {
    missingLibraries,
    providers,
    connectionManager,
    devices,
    interfaceTowards,
    addressesOf,
    lockableBytes,
  };
}

const libraryRoots = ['/lib', '/lib64', '/usr/lib', '/usr/lib64', '/usr/local/lib'];

function libraryFolders(): string[] {
  const architectures = libraryRoots.flatMap((root) =>
    namesIn(root)
      .filter((name) => name.includes('-linux-gnu'))
      .map((name) => `${root}/${name}`),
  );
  return [...libraryRoots, ...architectures];
}

function missingLibraries(): string[] {
  const folders = libraryFolders();
  return ['libibverbs.so.1', 'librdmacm.so.1'].filter(
    (name) => !folders.some((folder) => existsSync(`${folder}/${name}`)),
  );
}

function providers(): string[] {
  const found = libraryFolders()
    .flatMap((folder) => namesIn(`${folder}/libibverbs`))
    .flatMap((name) => /^lib(\w+)-rdmav\d+\.so$/.exec(name)?.[1] ?? []);
  return [...new Set(found)].sort();
}

function connectionManager(): 'missing' | 'forbidden' | 'ok' {
  const path = '/dev/infiniband/rdma_cm';
  if (!existsSync(path)) return 'missing';
  return otherwise<'ok' | 'forbidden'>(() => {
    accessSync(path, constants.R_OK | constants.W_OK);
    return 'ok';
  }, 'forbidden');
}

function devices(): RdmaDevice[] {
  const root = '/sys/class/infiniband';
  return namesIn(root).flatMap((name) =>
    namesIn(`${root}/${name}/ports`).map((port) => {
      const at = `${root}/${name}/ports/${port}`;
      return {
        name,
        port: Number(port),
        state: textOf(`${at}/state`)?.split(':')[1]?.trim() ?? 'unknown',
        linkLayer: textOf(`${at}/link_layer`) ?? 'unknown',
        gids: namesIn(`${at}/gids`).flatMap((index) => gidAt(at, index)),
      };
    }),
  );
}

/** Most entries of a table are empty: all zeros, without attributes. */
function gidAt(port: string, index: string): RdmaGid[] {
  const gid = textOf(`${port}/gids/${index}`);
  if (gid === undefined || /^[0:]*$/.test(gid)) return [];
  return [
    {
      gid,
      type: textOf(`${port}/gid_attrs/types/${index}`) ?? 'unknown',
      interface: textOf(`${port}/gid_attrs/ndevs/${index}`),
    },
  ];
}

function interfaceTowards(address: string): string | undefined {
  const own = Object.entries(networkInterfaces()).find(([, addresses]) =>
    addresses?.some((each) => each.address === address),
  );
  if (own !== undefined) return own[0];
  return isIPv6(address)
    ? interfaceOfRoute6(address, textOf('/proc/net/ipv6_route') ?? '')
    : interfaceOfRoute(address, textOf('/proc/net/route') ?? '');
}

function addressesOf(interfaceName: string): string[] {
  return (networkInterfaces()[interfaceName] ?? []).map(({ address }) => address);
}

const ipcLock = 14n; // CAP_IPC_LOCK in include/uapi/linux/capability.h

function lockableBytes(): number {
  const capabilities = /^CapEff:\s*(\w+)/m.exec(textOf('/proc/self/status') ?? '')?.[1] ?? '0';
  if ((BigInt(`0x${capabilities}`) >> ipcLock) & 1n) return Number.POSITIVE_INFINITY;
  const soft = /^Max locked memory\s+(\w+)/m.exec(textOf('/proc/self/limits') ?? '')?.[1];
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

function textOf(path: string): string | undefined {
  return otherwise(() => readFileSync(path, 'latin1').trim(), undefined);
}

function namesIn(folder: string): string[] {
  return otherwise(() => readdirSync(folder), []);
}

/** What is not there or cannot be read is an answer here. */
function otherwise<Answer>(read: () => Answer, fallback: Answer): Answer {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'errno' in error) return fallback;
    throw error;
  }
}
