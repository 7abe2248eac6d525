import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundlePackages } from '../../lab/bundles.ts';

describe('the packages of the lab', () => {
  const checkout = fileURLToPath(new URL('../..', import.meta.url));
  let folder: string;
  let names: string[];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rxnf-bundles-'));
    names = await bundlePackages(checkout, folder);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('are those that are imported at run time', () => {
    expect(names).toEqual(expect.arrayContaining(['rxjs', 'ioredis', 'inversify', 'zod']));
  });

  it('have in one file all that they have in many', async () => {
    for (const name of names) {
      const bundled = Object.keys(await import(join(folder, name, 'index.js')));
      const whole = Object.keys(await import(name)).filter((each) => each !== 'module.exports');
      expect(bundled.sort(), name).toEqual(whole.sort());
    }
  });
});
