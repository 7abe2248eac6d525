/**
 * An instance of rxnf as a child process in a namespace of a lab.
 *
 * It speaks in JSON lines on stdout (`ready`, then events, at last `summary`) and logs to stderr.
 * `RXNF_COMMAND` puts another build in its place (an installed `rxnf`, say): the words before
 * `run CONFIG`.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { BackgroundProcess, Ending } from './background.ts';
import type { Namespaces } from './namespaces.ts';

/** One line of the instance's stdout. */
export interface InstanceEvent {
  readonly event: string;
  readonly [detail: string]: unknown;
}

/** What became of every packet. */
export interface Summary extends InstanceEvent {
  readonly event: 'summary';
  /** Packets taken from the ports. */
  readonly received: number;
  /** Packets made here: ARP, ICMP errors. */
  readonly originated: number;
  /** Packets given to the ports, those made here included. */
  readonly forwarded: number;
  /** Packets by reason, each reason there from the start. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Packets that were kept and not settled by the end. */
  readonly held: number;
}

const isSource = import.meta.url.endsWith('.ts');

/** The words that run a module of ours in a process of its own: `lab/splitter`, `cli/main`. */
export function commandOf(module: string): string[] {
  const file = new URL(`../${module}.${isSource ? 'ts' : 'js'}`, import.meta.url);
  return [process.execPath, ...(isSource ? ['--conditions=source'] : []), fileURLToPath(file)];
}

export class InstanceProcess {
  readonly #process: BackgroundProcess;

  /** Writes the configuration to `directory/name.yaml`, starts the instance and waits until it forwards. */
  static async start(
    namespaces: Namespaces,
    role: string,
    directory: string,
    configuration: object,
    name = 'rxnf',
  ): Promise<InstanceProcess> {
    const file = join(directory, `${name}.yaml`);
    writeFileSync(file, stringify(configuration));
    const command = process.env['RXNF_COMMAND']?.split(' ') ?? commandOf('cli/main');
    const instance = new InstanceProcess(namespaces.start(role, [...command, 'run', file]));
    await instance.event('ready', 30);
    return instance;
  }

  private constructor(started: BackgroundProcess) {
    this.#process = started;
  }

  get running(): boolean {
    return this.#process.running;
  }

  /** Everything it has said, on both streams. */
  get output(): string {
    return `${this.#process.stdout}\n${this.#process.stderr}`;
  }

  /** Waits for the first event of a name, and returns it. */
  event(name: string, limitSeconds: number): Promise<InstanceEvent> {
    return this.#process.until(`event ${name}`, limitSeconds, () =>
      this.events().find((it) => it.event === name),
    );
  }

  /** Waits until its output, on either stream, matches. */
  said(pattern: RegExp, limitSeconds: number): Promise<RegExpExecArray> {
    return this.#process.until(
      String(pattern),
      limitSeconds,
      () => pattern.exec(this.output) ?? undefined,
    );
  }

  /** The JSON lines so far; an incomplete last one is left for later. */
  events(): InstanceEvent[] {
    const lines = this.#process.stdout.split('\n').slice(0, -1);
    return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }

  /** Ends it as a power cut would: SIGKILL, at whatever instruction; returns when it is dead. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#process.ended;
  }

  /** Ends it as an operator would, by SIGTERM; undefined for a summary it did not print. */
  async stop(): Promise<{ ending: Ending; summary: Summary | undefined; output: string }> {
    const ending = await this.#process.stop('SIGTERM', 10);
    const summary = this.events().find((it): it is Summary => it.event === 'summary');
    return { ending, summary, output: this.output };
  }
}
