/**
 * `node --import ./lab/with-bundles.ts`, with LAB_BUNDLES: modules are loaded from there, as they lie in
 * the guest, under the paths that they have there, by which Node's compile cache knows them.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const packageFile = 'index.js';
const bundles = process.env['LAB_BUNDLES'] ?? '';
const checkout = fileURLToPath(new URL('..', import.meta.url));
const packages = `${realpathSync(join(checkout, 'node_modules'))}/`;

/** Where a file of the checkout or of its packages is among the bundles; undefined where it is not. */
function bundled(file: string): string | undefined {
  const name = file.startsWith(packages)
    ? join('node_modules', file.slice(packages.length))
    : file.startsWith(checkout) && file.slice(checkout.length);
  if (!name) return undefined;
  const place = join(bundles, name);
  return existsSync(place) ? place : undefined;
}

registerHooks({
  resolve(specifier, context, next) {
    const url = /^[./]|^file:/.test(specifier)
      ? new URL(specifier, context.parentURL ?? pathToFileURL(checkout))
      : pathToFileURL(join(packages, specifier, packageFile));
    if (url.protocol !== 'file:' || !bundled(fileURLToPath(url))) return next(specifier, context);
    return { url: url.href, format: formatOf(url.href), shortCircuit: true };
  },
  load(url, context, next) {
    const file = url.startsWith('file:') ? bundled(fileURLToPath(url)) : undefined;
    if (file === undefined) return next(url, context);
    return { format: formatOf(url), source: readFileSync(file, 'utf8'), shortCircuit: true };
  },
});

function formatOf(url: string): string {
  return url.endsWith('.ts') ? 'module-typescript' : 'module';
}
