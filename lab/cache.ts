/**
 * What the guest is made of, outside the checkout: $XDG_CACHE_HOME/rxnf-lab, or ~/.cache/rxnf-lab.
 *
 *   apt/       package lists and archives of our own: the machine's are left alone
 *   qemu/      QEMU 10 and what it needs, unpacked (bookworm's 7.2 has no igb device)
 *   system/    the kernel with its modules, busybox, cpio and kmod, unpacked
 *   guest/     vmlinuz, initramfs, modules
 *   valkey/    valkey-server with RDMA, from Debian's source package with Debian's patches
 *
 * Each part carries a stamp of what made it and is made again when that changes.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'rxnf-lab');

/** Runs `make` in an empty folder unless the folder was made from `source` already. */
export async function part(
  name: string,
  source: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = join(cache, name);
  const stamp = join(folder, '.made-from');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === source) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await make(folder);
  writeFileSync(stamp, source);
  return folder;
}
