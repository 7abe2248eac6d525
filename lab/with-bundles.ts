/**
 * `node --import ./lab/with-bundles.ts`, with LAB_BUNDLES: packages are loaded from there under the
 * paths that they have in the guest, by which Node's compile cache knows them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const bundleFile = 'index.js';
const bundles = process.env['LAB_BUNDLES'] ?? '';
const packages = fileURLToPath(new URL('../node_modules', import.meta.url));

registerHooks({
  resolve(specifier, context, next) {
    if (!existsSync(join(bundles, specifier, bundleFile))) return next(specifier, context);
    const url = pathToFileURL(join(packages, specifier, bundleFile)).href;
    return { url, format: 'module', shortCircuit: true };
  },
  load(url, context, next) {
    const file = url.startsWith('file:') ? fileURLToPath(url) : '';
    const bundled = file.replace(packages, bundles);
    if (file === bundled || !existsSync(bundled)) return next(url, context);
    return { format: 'module', source: readFileSync(bundled, 'utf8'), shortCircuit: true };
  },
});
