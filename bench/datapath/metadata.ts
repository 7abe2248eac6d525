/** On what the figures were measured. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release } from 'node:os';

export function metadata(root: string) {
  return {
    commit: output('git', ['-C', root, 'rev-parse', '--short', 'HEAD']),
    changed:
      output('git', ['-C', root, 'status', '--porcelain', '--', 'src', 'native', 'bench']) !== '',
    date: new Date().toISOString(),
    node: process.version,
    dpdk: output('pkg-config', ['--modversion', 'libdpdk']),
    kernel: release(),
    cpu:
      /model name\s*:\s*(.*)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? cpus()[0]?.model,
    cores: availableParallelism(),
    loadBefore: loadavg()[0],
  };
}

export type Metadata = ReturnType<typeof metadata>;

function output(program: string, args: string[]): string {
  try {
    return execFileSync(program, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}
