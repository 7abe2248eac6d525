/**
 * The checkout as disks. Over 9p each file costs the guest some ten milliseconds, and Node opens
 * thousands: so what it reads comes as two file systems, mounted where the same files are here.
 *
 * - the packages, those that the checkout imports in one file each, made anew when package-lock.json
 *   changes;
 * - the rest, made for every run, what is run of it in few files, too, with Node's compile cache: an
 *   emulated processor takes longer to strip and compile the code than to run it.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleCheckout, bundlePackages } from './bundles.ts';
import { cache, part } from './cache.ts';
import { step } from './step.ts';

export interface Disks {
  /** Image files. */
  readonly packages: string;
  readonly checkout: string;
}

/** Where Node's compile cache is in the checkout's disk. */
export const compiledFolder = '.compiled';

/** Not run in the guest: compilers and linters, and what they alone read. */
const packagesLeftOut = ['@biomejs', '@typescript', 'typescript', '.cache', '*.map', '*.d.ts'];
const checkoutLeftOut = ['./.git', './node_modules', './build', './dist'];
const built = ['rxnf.node', 'librxnf_dpdk.so', 'librxnf_rdma.so', 'test/rdma_live'];

export async function prepareDisks(checkout: string): Promise<Disks> {
  const madeFrom = ['package-lock.json', 'lab/bundles.ts'];
  const stamp = madeFrom.map((name) => readFileSync(join(checkout, name), 'utf8')).join('\n');
  const packages = await part('packages', stamp, async (folder) => {
    const bundles = join(folder, 'bundles');
    const names = await bundlePackages(checkout, bundles);
    await pack(join(checkout, 'node_modules'), packagesLeftOut, folder, async (tree) => {
      for (const name of names) rmSync(join(tree, name), { recursive: true });
      await copy(`${bundles}/.`, tree);
    });
  });
  const folder = mkdtempSync(join(cache, 'checkout-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const bundles = join(folder, 'bundles');
  await bundleCheckout(checkout, bundles);
  symlinkSync(join(packages, 'bundles'), join(bundles, 'node_modules'));
  const compiled = await compile(checkout, bundles);
  await pack(checkout, checkoutLeftOut, folder, async (tree) => {
    mkdirSync(join(tree, 'build', 'test'), { recursive: true });
    for (const each of built.filter((name) => existsSync(join(checkout, 'build', name)))) {
      await copy(join(checkout, 'build', each), join(tree, 'build', each));
    }
    rmSync(join(bundles, 'node_modules'));
    await copy(`${bundles}/.`, tree);
    placeForPackages(join(checkout, 'node_modules'), join(tree, 'node_modules'));
    await copy(compiled, join(tree, compiledFolder));
  });
  return { packages: join(packages, 'image'), checkout: join(folder, 'image') };
}

/** Where the packages' disk is mounted; a checkout may have them by a link. */
function placeForPackages(packages: string, place: string): void {
  const real = realpathSync(packages);
  if (real === packages) mkdirSync(place);
  else symlinkSync(real, place);
}

/** Makes FOLDER/image of a folder's files and what `add` adds to them. */
async function pack(
  source: string,
  leftOut: readonly string[],
  folder: string,
  add: (tree: string) => Promise<void>,
): Promise<void> {
  const tree = join(folder, 'tree');
  const image = join(folder, 'image');
  mkdirSync(tree);
  const excluded = leftOut.map((each) => `--exclude='${each}'`).join(' ');
  const words = `tar -C '${source}/' ${excluded} -cf - . | tar -C '${tree}' -xf -`;
  await step(`copying ${source}`, ['bash', '-o', 'pipefail', '-c', words]);
  await add(tree);
  const kilobytes = Number.parseInt(await step('measuring it', ['du', '-sk', tree]), 10);
  // A block for each small file, inodes and tables: half as much again and 16 MiB are ample.
  const size = `${Math.ceil(kilobytes * 1.5) + 16_384}k`;
  const format = ['mke2fs', '-q', '-t', 'ext4', '-O', '^has_journal', '-i', '8192', '-d', tree];
  await step('making a disk of it', [...format, image, size]);
  rmSync(tree, { recursive: true });
}

async function copy(from: string, to: string): Promise<void> {
  await step(`copying ${from}`, ['cp', '-r', from, to]);
}

const configuration = (folder: string, store: string) => `
ports:
  inside: { device: "capture:captures/clients.pcap", mac: 02:00:00:99:00:01, addresses: [10.99.0.1/24] }
  outside: { device: "capture:,out=${folder}/outside.pcap", addresses: [198.18.0.1/24] }
nat: { inside: [inside], outside: outside, pool: [198.18.0.1] }
store: ${store}
`;
/** Nobody listens there: what is loaded for a server is loaded all the same. */
const nowhere = 'redis://127.0.0.1:9';

/** Has Node compile what the guest runs; entries are found by path and content. */
async function compile(checkout: string, bundles: string): Promise<string> {
  const folder = join(cache, 'compiled');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), 'rxnf-lab-'));
  const run = (name: string, store: string) => {
    const file = join(work, `${name}.yaml`);
    writeFileSync(file, configuration(work, store));
    return ['src/cli/main.ts', 'run', file];
  };
  const programs = [
    run('local', 'memory'),
    run('remote', nowhere),
    ...[['doctor'], ['ports'], ['vf', 'list']].map((words) => ['src/cli/main.ts', ...words]),
    ['lab/tests/bindings.ts', '9'],
    // Loads its files, and finds no test of this name.
    ['node_modules/vitest/vitest.mjs', 'run', '--config', 'lab/vitest.config.ts', '-t', 'nothing'],
  ];
  const env = {
    NODE_COMPILE_CACHE: folder,
    NODE_OPTIONS: '--import=./lab/with-bundles.ts --conditions=source',
    LAB_BUNDLES: bundles,
    LAB_STORE: nowhere,
  };
  // Some of them fail, as they would for anybody here.
  const all = programs.map((words) => `'${process.execPath}' ${words.join(' ')} &`);
  try {
    await step('compiling what the guest runs', ['bash', '-c', `${all.join(' ')} wait`], {
      cwd: checkout,
      env,
    });
  } finally {
    rmSync(work, { recursive: true });
  }
  return folder;
}
