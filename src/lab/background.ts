/**
 * A process that runs beside a test: a server, a recorder, an instance of rxnf.
 *
 * It leads a process group of its own, so that ending it ends what it started. Only the latest
 * output is kept (`outputLimit` characters a stream): a chatty server cannot exhaust the test.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** Half a million characters: thousands of log lines, nothing to a test's heap. */
const outputLimit = 512 * 1024;

export interface Ending {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class BackgroundProcess {
  /** The command as given, for messages. */
  readonly command: string;
  /** Settles when the process has ended and its output is complete. */
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';
  #ending: Ending | undefined;

  constructor(argv: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
    const [file, ...parameters] = argv;
    if (file === undefined) throw new TypeError('a command needs at least one word');
    this.command = argv.join(' ');
    this.#child = spawn(file, parameters, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout = (this.#stdout + text).slice(-outputLimit);
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-outputLimit);
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (status, signal) => {
        this.#ending = { status, signal };
        resolve(this.#ending);
      });
    });
    // A failed start is reported by whoever waits; without a waiter it must not end the runner.
    this.ended.catch((error: Error) => {
      this.#ending = { status: null, signal: null };
      this.#stderr += error.message;
    });
  }

  /** Undefined where it did not start. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#ending === undefined;
  }

  /** What it is, whether it runs, and the end of what it said: for messages. */
  get account(): string {
    const state = this.#ending === undefined ? 'running' : JSON.stringify(this.#ending);
    const said = `stdout: ${this.#stdout.slice(-4000)}\nstderr: ${this.#stderr.slice(-4000)}`;
    return `${this.command} (${state})\n${said}`;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /**
   * Waits until `condition` gives a value, and returns it.
   *
   * Throws with the process's output when it ends first or `limitSeconds` pass.
   */
  async until<T>(
    what: string,
    limitSeconds: number,
    condition: () => T | undefined | false | Promise<T | undefined | false>,
  ): Promise<T> {
    const deadline = performance.now() + limitSeconds * 1000;
    for (;;) {
      // Asked before the condition: output that arrived with the end still counts.
      const running = this.running;
      const value = await condition();
      if (value !== undefined && value !== false) return value;
      if (!running) throw new Error(`ended before ${what}: ${this.account}`);
      if (performance.now() > deadline) {
        throw new Error(`no ${what} within ${limitSeconds} s: ${this.account}`);
      }
      await sleep(25);
    }
  }

  /** Sends `signal`, then SIGKILL to the whole group after `graceSeconds`. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', graceSeconds = 5): Promise<Ending> {
    if (this.running && this.#child.pid !== undefined) {
      this.#child.kill(signal);
      const timer = setTimeout(() => this.kill(), graceSeconds * 1000);
      try {
        return await this.ended;
      } finally {
        clearTimeout(timer);
      }
    }
    return this.ended;
  }

  /** Ends the group at once, or sends it another signal; harmless when it has ended. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    if (!this.running || this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
