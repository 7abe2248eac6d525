/** Boots a guest, runs scenarios in it, and ends it: at the latest when its time is up. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cache } from './cache.ts';
import { compiledFolder, type Disks } from './disks.ts';
import { type Hardware, hardwareOf, serverHardware } from './hardware.ts';
import type { Machine } from './machine.ts';
import { Commands } from './outside/commands.ts';
import { Wire, wireBetween } from './outside/wire.ts';
import { answerRequests } from './requests.ts';
import type { Scenario } from './scenarios.ts';

export interface Result {
  readonly scenario: Scenario;
  readonly passed: boolean;
  readonly seconds: number;
  readonly output: string;
}

export interface Surroundings {
  readonly checkout: string;
  readonly machine: Machine;
  /** The folder with valkey-server and valkey-cli. */
  readonly valkey: string;
  readonly disks: Disks;
}

/**
 * x86-64-v3, which the addon is built for, and no more: what newer models add is slow to emulate. Without
 * `erms`, for which strings are copied by one instruction: a byte at a time here. The rest QEMU lacks.
 */
const processor = 'Haswell-noTSX,-erms,-pcid,-invpcid,-tsc-deadline';

const bootSeconds = 60; // about 6 s on a free machine
const bootsMost = 2;
const pollMilliseconds = 200;

/**
 * Runs scenarios of one guest in it, telling each as it ends; none given: a shell on this terminal. A
 * guest that does not come up, as emulated timers now and then bring about, is booted once more.
 */
export async function runGuest(
  surroundings: Surroundings,
  scenarios: readonly Scenario[],
  tell: (result: Result) => void,
): Promise<void> {
  for (let boot = 1; boot <= bootsMost; boot++) {
    if (await bootAndRun(surroundings, scenarios, tell, boot === bootsMost)) return;
    console.log(`lab: a guest did not come up in ${bootSeconds} s; booting it once more`);
  }
}

/** Whether the guests came up; where they did not, scenarios are told as failed `atLast` alone. */
async function bootAndRun(
  surroundings: Surroundings,
  scenarios: readonly Scenario[],
  tell: (result: Result) => void,
  atLast: boolean,
): Promise<boolean> {
  const interactive = scenarios.length === 0;
  const served = scenarios.filter((each) => each.served);
  const inOrder = [...served, ...scenarios.filter((each) => !each.served)];
  const wire = await Wire.open();
  const outside = new Commands(wire);
  const wires = { outside: wire.netdev, between: await wireBetween() };
  const share = makeShare(surroundings, inOrder);
  const shares = [share];
  const endRequests = answerRequests(share, (words) => outside.run(words));
  const guest = boot(
    surroundings,
    share,
    hardwareOf(scenarios[0]?.guest ?? 'sriov', wires),
    interactive,
  );
  let server: ChildProcess | undefined;
  if (interactive || served.length > 0) {
    const itsShare = makeShare(surroundings, [], 'server');
    shares.push(itsShare);
    server = boot(surroundings, itsShare, serverHardware(wires), false);
  }
  const end = () => {
    guest.kill('SIGKILL');
    server?.kill('SIGKILL');
  };
  const seconds = scenarios.reduce((sum, each) => sum + each.seconds, bootSeconds);
  const limit = interactive ? undefined : setTimeout(end, seconds * 1000);
  const ended = new Promise<void>((resolve, reject) => {
    guest.once('error', reject).once('close', () => resolve());
  });
  let running = true;
  const over = ended.finally(() => {
    running = false;
  });
  const until = async (isSo: () => boolean) => {
    while (running && !isSo()) await Promise.race([sleep(pollMilliseconds), over]);
  };
  try {
    const bootEnds = interactive ? Number.POSITIVE_INFINITY : Date.now() + bootSeconds * 1000;
    const isUp = () => shares.every((each) => existsSync(join(each, 'up')));
    await until(() => isUp() || Date.now() > bootEnds);
    if (!isUp()) {
      end();
      if (!atLast) return false;
    }
    for (const scenario of inOrder) {
      if (!scenario.served) server?.kill('SIGKILL'); // idle, it would still take processor time
      await until(() => existsSync(join(share, `${scenario.name}.status`)));
      tell(resultOf(scenario, share));
    }
    await over;
    return true;
  } finally {
    clearTimeout(limit);
    end();
    endRequests();
    outside.close();
    for (const each of shares) rmSync(each, { recursive: true, force: true });
  }
}

/** /lab in the guest: what it is to run, its tools, and the place for its answers. */
function makeShare(
  surroundings: Surroundings,
  scenarios: readonly Scenario[],
  role = 'scenarios',
): string {
  const { checkout, valkey } = surroundings;
  const share = mkdtempSync(join(tmpdir(), 'rxnf-lab-'));
  copyFileSync(join(checkout, 'lab', 'guest', 'init'), join(share, 'init'));
  mkdirSync(join(share, 'tools'));
  for (const name of ['modprobe', 'lsmod', 'rmmod']) {
    copyFileSync(join(cache, 'system', 'bin', 'kmod'), join(share, 'tools', name));
    chmodSync(join(share, 'tools', name), 0o755);
  }
  const environment = {
    LAB_ROLE: role,
    LAB_CHECKOUT: checkout,
    LAB_VALKEY: valkey,
    LAB_PACKAGES: realpathSync(join(checkout, 'node_modules')),
    NODE_COMPILE_CACHE: join(checkout, compiledFolder),
  };
  const lines = Object.entries(environment).map(([name, value]) => `export ${name}='${value}'\n`);
  writeFileSync(join(share, 'environment'), lines.join(''));
  const list = scenarios.map(({ name, seconds }) => `${name} ${seconds}\n`);
  writeFileSync(join(share, 'scenarios'), list.join(''));
  return share;
}

/**
 * No KVM: software emulation, of one virtual CPU. With two the same work took up to a third more of the
 * processors here, which two guests share.
 */
function boot(
  { machine, disks }: Surroundings,
  share: string,
  hardware: Hardware,
  interactive: boolean,
): ChildProcess {
  const libraries = ['usr/lib', 'lib'].map((each) => join(machine.qemu, each, 'x86_64-linux-gnu'));
  const folder = (tag: string, path: string, access: string) => [
    '-virtfs',
    `local,path=${path},mount_tag=${tag},security_model=none,multidevs=remap${access}`,
  ];
  const disk = (image: string) => ['-drive', `if=virtio,format=raw,readonly=on,file=${image}`];
  const words = [
    ...['-L', join(machine.qemu, 'usr/share/qemu'), '-L', join(machine.qemu, 'usr/share/seabios')],
    ...['-M', hardware.machine, '-accel', 'tcg,thread=multi', '-cpu', processor, '-smp', '1'],
    ...['-m', '2G', ...hardware.devices],
    ...['-nodefaults', '-no-reboot', '-display', 'none'],
    ...['-serial', interactive ? 'mon:stdio' : `file:${join(share, 'console')}`],
    ...['-kernel', join(machine.guest, 'vmlinuz')],
    ...['-initrd', join(machine.guest, 'initramfs.gz')],
    ...[
      '-append',
      `console=ttyS0 quiet mitigations=off nokaslr no_timer_check panic=-1 ${hardware.kernel}`,
    ],
    ...disk(disks.packages),
    ...disk(disks.checkout),
    ...folder('host', '/', ',readonly=on'),
    ...folder('modules', join(machine.guest, 'modules'), ',readonly=on'),
    ...folder('lab', share, ''),
  ];
  return spawn(join(machine.qemu, 'usr/bin/qemu-system-x86_64'), words, {
    stdio: interactive ? 'inherit' : ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, LD_LIBRARY_PATH: libraries.join(':') },
  });
}

function resultOf(scenario: Scenario, share: string): Result {
  const text = (name: string) => {
    const path = join(share, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };
  const status = text(`${scenario.name}.status`).trim();
  const began = Number(text(`${scenario.name}.began`));
  const seconds = began === 0 ? 0 : Math.max(0, Math.round(Date.now() / 1000 - began));
  const why = { '': 'the guest ended before it did\n', '124': 'its time was up\n' }[status] ?? '';
  const output = `${text(`${scenario.name}.out`)}${why}${status === '' ? text('console').slice(-2000) : ''}`;
  return { scenario, passed: status === '0', seconds, output };
}
