/**
 * What looking after virtual functions reads, writes and runs: /sys, and `ip` (iproute2) for what only
 * the driver of a physical function can set. A test puts a machine of its own here.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { entries, targetOf, textOf } from '../system.ts';
import { VfError } from './error.ts';

export interface VfMachine {
  exists(path: string): boolean;
  /** Names in a directory; none where it does not exist. */
  entries(path: string): string[];
  text(path: string): string | undefined;
  /** Where a link leads in the end. */
  target(path: string): string | undefined;
  /** @throws a system error */
  write(path: string, text: string): void;
  /**
   * What a tool prints.
   *
   * @throws {VfError} with what it complained of
   */
  run(tool: string, ...words: readonly string[]): string;
  /** Processes that have a file open. */
  holders(path: string): number[];
  /** Lets so much time pass. */
  wait(milliseconds: number): Promise<void>;
}

/**
 * Tells the kernel something. Its refusal says little, so what was tried is added.
 *
 * @throws {VfError}
 */
export function tell(machine: VfMachine, path: string, text: string): void {
  try {
    machine.write(path, text);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM')
      throw new VfError('ERR_VF_PERMISSION', `${path} may not be written`, 'run as root');
    throw new VfError('ERR_VF_TOOL', `${text} > ${path}: ${message}`, 'see `dmesg | tail`');
  }
}

const toolMilliseconds = 10_000;

export function systemVfMachine(): VfMachine {
  return {
    exists: existsSync,
    entries,
    text: textOf,
    target: targetOf,
    write: (path, text) => writeFileSync(path, text),
    run,
    holders,
    wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  };
}

function run(tool: string, ...words: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(tool, words, {
    encoding: 'utf8',
    timeout: toolMilliseconds,
  });
  if (status === 0) return stdout;
  const why = (error?.message ?? stderr.trim()) || `status ${status}`;
  throw new VfError('ERR_VF_TOOL', `${tool} ${words.join(' ')}: ${why}`, 'see `dmesg | tail`');
}

function holders(path: string): number[] {
  return entries('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => descriptors(pid).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === path))
    .map(Number);
}

/** None of a process that has ended meanwhile, or that is not ours to look into. */
function descriptors(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`);
  } catch {
    return [];
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
