/**
 * Network namespaces that one process made, and all that runs in them.
 *
 * A name is `rxnf-PID-N-ROLE`: unique among processes, and a later process can tell that its maker
 * is dead and clear it away (`clearLeftovers`). `close` ends every process inside, then deletes;
 * an exit handler does the same when a test dies without it.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { BackgroundProcess } from './background.ts';

/** One end of a veth pair. */
export interface LinkEnd {
  readonly role: string;
  readonly device: string;
  readonly mac: string;
  /** `address/length`, either version; none for a device that the kernel must not speak on. */
  readonly addresses?: readonly string[];
  /**
   * Off unless said otherwise. A veth with offloads on carries packets with unfilled checksums and
   * of up to 64 KiB, which no wire would.
   */
  readonly offloads?: 'on' | 'off';
}

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The time limit passed and the command was killed. */
  readonly timedOut: boolean;
}

export interface RunOptions {
  /** Then it is killed, with its process group. 30 by default. */
  readonly limitSeconds?: number;
  /** What it reads on stdin; nothing by default. */
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
}

/** Output kept of one command: far above what any of the tools prints. */
const outputLimit = 8 * 1024 * 1024;

/** For all to end by themselves, or by their group's end. */
const politeMilliseconds = 3000;

/** Every feature of a veth that would defer a checksum or join packets (`ethtool -k`). */
const offloadsOff = [
  'rx',
  'tx',
  'sg',
  'tso',
  'ufo',
  'gso',
  'gro',
  'lro',
  'txvlan',
  'rxvlan',
].flatMap((feature) => [feature, 'off']);

let made = 0;

export class Namespaces {
  readonly #prefix: string;
  readonly #roles = new Set<string>();
  readonly #background = new Set<BackgroundProcess>();
  readonly #atExit = (): void => this.#destroy();
  #closed = false;

  constructor(roles: readonly string[]) {
    this.#prefix = `rxnf-${process.pid}-${made++}`;
    process.on('exit', this.#atExit);
    for (const role of roles) {
      ip('netns', 'add', `${this.#prefix}-${role}`);
      this.#roles.add(role);
      // Duplicate address detection would leave IPv6 mute for its first second (RFC 4862 5.4).
      this.sysctl(role, 'net.ipv6.conf.all.accept_dad', 0);
      this.sysctl(role, 'net.ipv6.conf.default.accept_dad', 0);
      this.configure(role, 'link', 'set', 'lo', 'up');
    }
  }

  /** The namespace's name, as `ip netns` knows it. */
  name(role: string): string {
    if (!this.#roles.has(role)) throw new TypeError(`no namespace has the role ${role}`);
    return `${this.#prefix}-${role}`;
  }

  /** `ip -n NAMESPACE ...`, for links, addresses, routes. */
  configure(role: string, ...words: string[]): void {
    ip('-n', this.name(role), ...words);
  }

  sysctl(role: string, key: string, value: string | number): void {
    execFileSync('ip', ['netns', 'exec', this.name(role), 'sysctl', '-qw', `${key}=${value}`], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }

  /** A veth pair, both ends configured and up. */
  link(one: LinkEnd, other: LinkEnd): void {
    const end = (it: LinkEnd): string[] => ['netns', this.name(it.role), 'address', it.mac];
    ip(
      ...['link', 'add', 'name', one.device, ...end(one), 'type', 'veth'],
      ...['peer', 'name', other.device, ...end(other)],
    );
    for (const it of [one, other]) this.#bringUp(it);
  }

  /** Runs a command to its end, within a time limit. Never throws for a failing command. */
  run(role: string, argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    const { limitSeconds = 30, input, cwd } = options;
    return new Promise((resolve, reject) => {
      const child = spawn('ip', ['netns', 'exec', this.name(role), ...argv], {
        detached: true,
        stdio: ['pipe', 'pipe', 'pipe'],
        ...(cwd === undefined ? {} : { cwd }),
      });
      const output = { stdout: '', stderr: '' };
      let timedOut = false;
      for (const stream of ['stdout', 'stderr'] as const) {
        child[stream].setEncoding('utf8').on('data', (text: string) => {
          if (output[stream].length < outputLimit) output[stream] += text;
        });
      }
      const timer = setTimeout(() => {
        timedOut = true;
        if (child.pid !== undefined) killGroup(child.pid);
      }, limitSeconds * 1000);
      child.once('error', reject);
      child.once('close', (status) => {
        clearTimeout(timer);
        resolve({ status, ...output, timedOut });
      });
      // A command may end without reading all of its input: that is its own affair.
      child.stdin.once('error', () => child.stdin.destroy());
      child.stdin.end(input ?? '');
    });
  }

  /** As `run`, but a failure throws with the command's output. */
  async must(role: string, argv: readonly string[], options?: RunOptions): Promise<string> {
    const result = await this.run(role, argv, options);
    if (result.status === 0) return result.stdout;
    const how = result.timedOut ? 'ran out of time' : `exit ${result.status}`;
    throw new Error(`${argv.join(' ')}: ${how}\n${result.stdout}\n${result.stderr}`);
  }

  /** Starts a process that `close` ends if nothing did before. */
  start(
    role: string,
    argv: readonly string[],
    options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
  ): BackgroundProcess {
    const started = new BackgroundProcess(
      ['ip', 'netns', 'exec', this.name(role), ...argv],
      options,
    );
    this.#background.add(started);
    return started;
  }

  /** Ends every process inside, politely first, and deletes the namespaces with their links. */
  async close(): Promise<void> {
    if (this.#closed) return;
    const stops = Promise.allSettled([...this.#background].map((it) => it.stop('SIGTERM', 2)));
    // What a process left behind, in a group of its own, holds its output open: that ends with the rest.
    await Promise.race([stops, sleep(politeMilliseconds, undefined, { ref: false })]);
    this.#destroy();
    await stops;
    process.off('exit', this.#atExit);
    await sleep(0);
  }

  #bringUp(end: LinkEnd): void {
    const { role, device, addresses = [], offloads = 'off' } = end;
    const silent = addresses.length === 0;
    this.sysctl(role, `net.ipv6.conf.${device}.disable_ipv6`, silent ? 1 : 0);
    if (silent) this.configure(role, 'link', 'set', 'dev', device, 'arp', 'off');
    if (offloads === 'off') {
      this.#ethtool(role, '-K', device, ...offloadsOff);
    }
    for (const address of addresses) {
      this.configure(role, 'address', 'add', address, 'dev', device);
    }
    this.configure(role, 'link', 'set', 'dev', device, 'up');
  }

  /** A feature that this kernel's veth lacks is a warning of ethtool's, not a failure. */
  #ethtool(role: string, ...words: string[]): void {
    execFileSync('ip', ['netns', 'exec', this.name(role), 'ethtool', ...words], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }

  #destroy(): void {
    this.#closed = true;
    for (const it of this.#background) it.kill();
    for (const role of this.#roles) destroyNamespace(`${this.#prefix}-${role}`);
    this.#roles.clear();
  }
}

/**
 * Deletes the namespaces whose maker is dead, with what still runs in them. Returns their names.
 * Those of a living process are left alone.
 */
export function clearLeftovers(): string[] {
  const cleared: string[] = [];
  for (const [name = ''] of ip('netns', 'list').matchAll(/^rxnf-\d+-\d+-\w+/gm)) {
    const maker = Number(name.split('-')[1]);
    if (existsSync(`/proc/${maker}`)) continue;
    destroyNamespace(name);
    cleared.push(name);
  }
  return cleared;
}

function destroyNamespace(name: string): void {
  if (!existsSync(`/run/netns/${name}`)) return;
  for (const pid of ip('netns', 'pids', name).split('\n').filter(Boolean)) {
    kill(Number(pid));
  }
  ip('netns', 'delete', name);
}

function ip(...words: string[]): string {
  return execFileSync('ip', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function killGroup(leader: number): void {
  kill(-leader);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
