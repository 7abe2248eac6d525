/** QEMU, a full Debian kernel (cloud kernels lack rxe and igb) and an initramfs for it. */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { part } from './cache.ts';
import { candidate, refreshPackages, unpack } from './packages.ts';
import { step } from './step.ts';

export interface Machine {
  readonly qemu: string;
  /** vmlinuz, initramfs and modules/, laid out as /lib/modules. */
  readonly guest: string;
}

/** What the initramfs loads to reach its root: the host's, over 9p, under an overlay. */
const rootModules = ['virtio_pci', '9pnet_virtio', '9p', 'overlay', 'virtio_net', 'virtio_blk'];

/** What scenarios load, with what those depend on. */
const scenarioModules = [
  ...[
    'ext4',
    'crc32c_generic',
    'crc32_generic',
    'rdma_rxe',
    'ib_uverbs',
    'rdma_ucm',
    'veth',
    'dummy',
    'bridge',
  ],
  ...['igb', 'igbvf', 'vfio-pci', 'vfio_iommu_type1', '8021q', 'tun', 'af_packet'],
];

export async function prepareMachine(initSource: string): Promise<Machine> {
  await refreshPackages();
  const qemuVersion = await candidate('qemu-system-x86');
  const qemu = await part('qemu', qemuVersion, (folder) => unpack(['qemu-system-x86'], folder));
  const kernelVersion = await candidate('linux-image-amd64');
  const system = await part('system', kernelVersion, (folder) =>
    unpack(['linux-image-amd64', 'busybox-static', 'cpio', 'kmod'], folder),
  );
  const init = readFileSync(initSource, 'utf8');
  const list = [...rootModules, ...scenarioModules].join(' ');
  const guest = await part('guest', `${kernelVersion}\n${list}\n${init}`, (folder) =>
    makeGuest(system, init, folder),
  );
  return { qemu, guest };
}

async function makeGuest(system: string, init: string, folder: string): Promise<void> {
  const tools = await unpackedTools(system, join(folder, 'tools'));
  const modules = join(system, 'lib', 'modules');
  const [release] = readdirSync(modules);
  if (release === undefined) throw new Error('the kernel package has no modules');
  await step('indexing modules', [tools.depmod, '-b', system, release]);
  const order = async (names: readonly string[]) =>
    dependencies(
      await Promise.all(names.map((name) => lookUp(tools.modprobe, system, release, name))),
    );

  const tree = join(folder, 'initramfs');
  for (const each of ['bin', 'dev', 'proc', 'sys', 'mnt', 'modules']) {
    mkdirSync(join(tree, each), { recursive: true });
  }
  copyFileSync(join(system, 'bin', 'busybox'), join(tree, 'bin', 'busybox'));
  for (const name of ['sh', 'mount', 'mkdir', 'insmod', 'switch_root', 'cat', 'sleep']) {
    symlinkSync('busybox', join(tree, 'bin', name));
  }
  const root = await order(rootModules);
  for (const file of root) await takeModule(file, join(tree, 'modules', basename(plain(file))));
  writeFileSync(join(tree, 'order'), root.map((file) => `${basename(plain(file))}\n`).join(''));
  writeFileSync(join(tree, 'init'), init, { mode: 0o755 });

  const own = join(folder, 'modules', release);
  for (const file of await order([...rootModules, ...scenarioModules])) {
    const place = join(own, plain(file.slice(join(modules, release).length)));
    mkdirSync(dirname(place), { recursive: true });
    await takeModule(file, place);
  }
  for (const name of ['modules.builtin', 'modules.builtin.modinfo', 'modules.order']) {
    cpSync(join(modules, release, name), join(own, name));
  }
  mkdirSync(join(folder, 'base', 'lib'), { recursive: true });
  symlinkSync(join(folder, 'modules'), join(folder, 'base', 'lib', 'modules'));
  await step('indexing modules', [tools.depmod, '-b', join(folder, 'base'), release]);
  const pack = `find . | ${tools.cpio} -o -H newc --quiet | gzip -1 > ${join(folder, 'initramfs.gz')}`;
  await step('packing the initramfs', ['sh', '-c', pack], { cwd: tree });
  copyFileSync(join(system, 'boot', `vmlinuz-${release}`), join(folder, 'vmlinuz'));
}

/** kmod acts by the name it is called by; its package's links point outside. */
async function unpackedTools(system: string, folder: string) {
  mkdirSync(folder, { recursive: true });
  const tools = { depmod: 'kmod', modprobe: 'kmod', cpio: 'cpio' };
  for (const [name, program] of Object.entries(tools)) {
    symlinkSync(join(system, 'bin', program), join(folder, name));
  }
  return {
    depmod: join(folder, 'depmod'),
    modprobe: join(folder, 'modprobe'),
    cpio: join(folder, 'cpio'),
  };
}

/** The module's files in the order in which they load; none for one that is built in. */
async function lookUp(modprobe: string, system: string, release: string, name: string) {
  const words = [modprobe, '-S', release, '-d', system, '--show-depends', name];
  return await step(`looking up ${name}`, words);
}

function dependencies(answers: readonly string[]): string[] {
  const files = answers
    .flatMap((answer) => answer.split('\n'))
    .flatMap((line) => /^insmod (\S+)/.exec(line)?.[1] ?? []);
  return [...new Set(files)];
}

/** Newer kernels' modules are compressed, which costs an emulated CPU dearly. */
async function takeModule(file: string, place: string): Promise<void> {
  if (existsSync(place)) return;
  if (file === plain(file)) copyFileSync(file, place);
  else await step(`unpacking ${file}`, ['sh', '-c', `xz -dc ${file} > ${place}`]);
}

function plain(file: string): string {
  return file.replace(/\.xz$/, '');
}
