/**
 * The packages that the checkout imports, in one file each. An emulated processor needs five seconds
 * for their thousand modules at each start of Node, and less than one for these.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const bundleFile = 'index.js';

/** Makes FOLDER/NAME/, a package by itself, of each that is imported at run time; resolves to their names. */
export async function bundlePackages(checkout: string, folder: string): Promise<string[]> {
  const names = Object.keys(readPackage(checkout).dependencies ?? {});
  for (const name of names) {
    const place = join(folder, name);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, bundleFile), await bundle(checkout, name));
    const { version } = readPackage(join(checkout, 'node_modules', name));
    const content = { name, version, type: 'module', exports: `./${bundleFile}` };
    writeFileSync(join(place, 'package.json'), JSON.stringify(content));
  }
  return names;
}

/** One ES module with all that an import of the package has, CommonJS or not. */
async function bundle(checkout: string, name: string): Promise<string> {
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
