/** Brings the native contenders up to date. Ninja decides what is stale. */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, statSync } from 'node:fs';
import { basename } from 'node:path';

export function buildContenders(root: string, build: string): void {
  if (!hasDpdk()) return;
  const programs = globSync(`${root}/bench/native/*.cc`).map((f) => `bench_${basename(f, '.cc')}`);
  run(`${root}/scripts/build-native.sh`, ['runtime', ...programs]);
  buildChurn(root, churnLibrary(build));
}

/** What gives the contenders new flows: preloaded into whichever runs. */
export function churnLibrary(build: string): string {
  return `${build}/bench/churn.so`;
}

function buildChurn(root: string, library: string): void {
  const source = `${root}/bench/native/preload/churn.cc`;
  if (existsSync(library) && statSync(library).mtimeMs > statSync(source).mtimeMs) return;
  const pkgConfig = (what: string) =>
    execFileSync('pkg-config', [what, 'libdpdk'], { encoding: 'utf8' }).trim().split(/\s+/);
  run('g++', [
    ...['-std=c++20', '-O3', '-DNDEBUG', '-shared', '-fPIC', '-Wall', '-Wextra'],
    ...pkgConfig('--cflags'),
    ...[source, '-o', library],
    ...pkgConfig('--libs'),
  ]);
}

function hasDpdk(): boolean {
  try {
    execFileSync('pkg-config', ['--exists', 'libdpdk'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'status' in error) return false;
    throw error;
  }
}

/** What a build says is of interest only when it fails. */
function run(program: string, args: string[]): void {
  try {
    execFileSync(program, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${basename(program)} failed:\n${stdout ?? ''}${stderr ?? ''}`, {
      cause: error,
    });
  }
}
