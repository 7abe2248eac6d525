/**
 * What the guest runs, in few files. An emulated processor takes ten milliseconds and more to find and
 * load a module, of which the packages have a thousand and this checkout three hundred.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { rolldown } from 'rolldown';

const packageFile = 'index.js';

/** What is started or imported by its path. */
const entries = [
  'src/cli/main.ts',
  'src/instance/lane-worker.ts',
  'src/nfs/nat/nat.ts',
  'lab/tests/account.ts',
  'lab/tests/bindings.ts',
  'lab/tests/store-contract.test.ts',
];
const modulesFolder = 'bundled';

/**
 * Makes FOLDER/src/cli/main.ts and the like, to lie over the checkout: each imports itself from modules
 * that are bundled in FOLDER/bundled.
 */
export async function bundleCheckout(checkout: string, folder: string): Promise<void> {
  const keepUrls = {
    name: 'keep-urls',
    // Files are found by where the module that asks was written.
    transform(code: string, id: string) {
      const place = relative(join(checkout, modulesFolder), id);
      return code.replaceAll(
        'import.meta.url',
        `new URL(${JSON.stringify(place)}, import.meta.url).href`,
      );
    },
  };
  const named = entries.map((entry) => [entry.replaceAll('/', '-').slice(0, -3), entry] as const);
  const bundler = await rolldown({
    cwd: checkout,
    input: Object.fromEntries(named),
    external: /^[^./]/,
    platform: 'node',
    treeshake: false,
    plugins: [keepUrls],
  });
  const dir = join(folder, modulesFolder);
  await bundler.write({ dir, format: 'esm', entryFileNames: '[name].js' });
  await bundler.close();
  for (const [name, entry] of named) {
    const module = relative(dirname(entry), join(modulesFolder, `${name}.js`));
    mkdirSync(join(folder, dirname(entry)), { recursive: true });
    writeFileSync(join(folder, entry), `export * from ${JSON.stringify(module)};\n`);
  }
}

/** Makes FOLDER/NAME/, a package by itself, of each that is imported at run time; resolves to their names. */
export async function bundlePackages(checkout: string, folder: string): Promise<string[]> {
  const names = Object.keys(readPackage(checkout).dependencies ?? {});
  for (const name of names) {
    const place = join(folder, name);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, packageFile), await bundlePackage(checkout, name));
    const { version } = readPackage(join(checkout, 'node_modules', name));
    const content = { name, version, type: 'module', exports: `./${packageFile}` };
    writeFileSync(join(place, 'package.json'), JSON.stringify(content));
  }
  return names;
}

/** One ES module with all that an import of the package has, CommonJS or not. */
async function bundlePackage(checkout: string, name: string): Promise<string> {
  const names = Object.keys(await import(name)).filter((each) => each !== 'module.exports');
  const id = join(checkout, 'bundle.js');
  const entry = {
    name: 'entry',
    resolveId: (source: string) => (source === id ? id : undefined),
    load: (file: string) =>
      file === id ? `export { ${names.join(', ')} } from '${name}';` : undefined,
  };
  const bundler = await rolldown({ input: id, platform: 'node', plugins: [entry] });
  const { output } = await bundler.generate({ format: 'esm', codeSplitting: false });
  await bundler.close();
  return output[0].code;
}

function readPackage(folder: string) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly version: string;
    readonly dependencies?: Readonly<Record<string, string>>;
  };
}
