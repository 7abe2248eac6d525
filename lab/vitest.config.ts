/** Tests that need the lab's guest: scenarios run them there, one file at a time, on a file system that cannot be written. */
import { defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';

const conditions = ['source', ...defaultServerConditions];

export default defineConfig({
  cacheDir: process.env['TMPDIR'] ?? '/tmp',
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    experimental: { viteModuleRunner: false },
    pool: 'forks',
    execArgv: ['--conditions=source'],
    include: ['lab/tests/*.test.ts'],
    // Under emulation everything takes ten times as long.
    testTimeout: 60_000,
  },
});
