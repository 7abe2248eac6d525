/**
 * Two instances of one NAT, two processes that share nothing but their store, behind a flow splitter
 * that moves flows between them (src/testing/flow-splitter.ts).
 *
 *   client            nat                                                server
 *   10.99.0.2 --- [ splitter ] === inside  instance 0  outside === [ splitter ] --- 198.18.0.10
 *                 [          ] === inside  instance 1  outside === [          ]
 *
 * To the hosts they are one router: the same addresses with the same link addresses. Between splitter
 * and instances lie memif links, which go down with the process at their end; nothing else tells the
 * splitter of a death.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BackgroundProcess } from './background.ts';
import { commandOf, InstanceProcess } from './instance-process.ts';
import { clearLeftovers, Namespaces } from './namespaces.ts';
import type { SplitterPlan } from './splitter.ts';

export const addresses = {
  client: '10.99.0.2',
  inside: '10.99.0.1',
  outside: '198.18.0.1',
  server: '198.18.0.10',
} as const;

const macs = {
  client: '02:00:00:99:00:02',
  inside: '02:00:00:99:00:01',
  outside: '02:00:00:18:00:01',
  server: '02:00:00:18:00:10',
} as const;

export type Which = 0 | 1;

export interface PairOptions {
  /**
   * The `store` of the instances' configuration, or what starts it in the namespace `nat`. Default:
   * shared memory, removed with the pair.
   */
  readonly store?: string | ((namespaces: Namespaces) => Promise<string>);
  readonly splitting?: SplitterPlan['splitting'];
  /** More of the `nat` block. */
  readonly nat?: object;
}

/** What went through the splitter. */
export interface SplitterSummary {
  readonly ports: Readonly<
    Record<string, { readonly receivedPackets: number; readonly transmittedPackets: number }>
  >;
  readonly droppedByReason: Readonly<Record<string, number>>;
}

export class Pair {
  readonly namespaces: Namespaces;
  readonly directory: string;
  readonly #memory: string;
  /** Instances started so far, dead ones included. */
  readonly started: InstanceProcess[] = [];
  readonly #store: string;
  readonly #options: PairOptions;
  readonly #splitter: BackgroundProcess;
  readonly #instances: [InstanceProcess | undefined, InstanceProcess | undefined] = [
    undefined,
    undefined,
  ];

  /** Namespaces, splitter, both instances. Whatever fails here is cleared away. */
  static async open(options: PairOptions): Promise<Pair> {
    clearLeftovers();
    const folders = { directory: makeFolder(tmpdir()), memory: makeFolder('/dev/shm') };
    const { directory } = folders;
    const namespaces = new Namespaces(['client', 'nat', 'server']);
    try {
      connect(namespaces);
      const plan: SplitterPlan = {
        client: 'af_packet:sclient',
        server: 'af_packet:sserver',
        socket: join(directory, 'memif.sock'),
        ...(options.splitting && { splitting: options.splitting }),
      };
      const splitter = namespaces.start('nat', [
        ...commandOf('lab/splitter'),
        JSON.stringify(plan),
      ]);
      await splitter.until('the splitter', 30, () => splitter.stdout.includes('"ready"'));
      const { store = `shared:${folders.memory}` } = options;
      const where = typeof store === 'string' ? store : await store(namespaces);
      const pair = new Pair(namespaces, folders, splitter, where, options);
      await Promise.all([pair.start(0), pair.start(1)]);
      return pair;
    } catch (error) {
      await namespaces.close();
      for (const folder of Object.values(folders)) removeFolder(folder);
      throw error;
    }
  }

  private constructor(
    namespaces: Namespaces,
    folders: { readonly directory: string; readonly memory: string },
    splitter: BackgroundProcess,
    store: string,
    options: PairOptions,
  ) {
    this.namespaces = namespaces;
    this.directory = folders.directory;
    this.#memory = folders.memory;
    this.#splitter = splitter;
    this.#store = store;
    this.#options = options;
  }

  /** Starts an instance that is not running; it takes part when its links are up at the splitter. */
  async start(which: Which): Promise<void> {
    const linksBefore = this.#linksUp(which);
    const instance = await InstanceProcess.start(
      this.namespaces,
      'nat',
      this.directory,
      this.#configuration(which),
      `instance-${which}`,
    ).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.#splitter.account}`);
    });
    this.#instances[which] = instance;
    this.started.push(instance);
    await this.#splitter.until(
      `links to instance ${which}`,
      10,
      () => this.#linksUp(which) >= linksBefore + 2,
    );
  }

  /** `kill -9`; returns when the process is gone. The splitter is not told. */
  async kill(which: Which): Promise<void> {
    await this.#instances[which]?.kill();
    this.#instances[which] = undefined;
  }

  /** Ends the splitter and tells what went through its ports. */
  async endSplitter(): Promise<SplitterSummary> {
    await this.#splitter.stop('SIGTERM', 10);
    const summary = this.#events().findLast(({ event }) => event === 'summary');
    if (summary === undefined)
      throw new Error(`the splitter gave no summary: ${this.#splitter.stderr}`);
    return summary as unknown as SplitterSummary;
  }

  async close(): Promise<void> {
    await Promise.all(this.#instances.map((instance) => instance?.stop()));
    await this.namespaces.close();
    removeFolder(this.directory);
    removeFolder(this.#memory);
  }

  #events(): { event: string; port?: string }[] {
    const lines = this.#splitter.stdout.split('\n').slice(0, -1);
    return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }

  #linksUp(which: Which): number {
    return this.#events().filter((it) => it.event === 'link-up' && it.port?.endsWith(`-${which}`))
      .length;
  }

  #configuration(which: Which): object {
    const { nat } = this.#options;
    const port = (side: 'inside' | 'outside', id: number) => ({
      device: `memif:${id},role=client,socket=${join(this.directory, 'memif.sock')}`,
      mac: macs[side],
      addresses: [`${addresses[side]}/24`],
    });
    return {
      name: `instance-${which}`,
      ports: { inside: port('inside', 2 * which), outside: port('outside', 2 * which + 1) },
      nat: { inside: ['inside'], outside: 'outside', pool: [addresses.outside], ...nat },
      routes: [{ prefix: '0.0.0.0/0', via: addresses.server, port: 'outside' }],
      store: this.#store,
    };
  }
}

function makeFolder(parent: string): string {
  return mkdtempSync(join(parent, 'rxnf-pair-'));
}

function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

function connect(namespaces: Namespaces): void {
  const { client, inside, server } = addresses;
  namespaces.sysctl('nat', 'net.ipv4.ip_forward', 0);
  namespaces.link(
    { role: 'client', device: 'vclient', mac: macs.client, addresses: [`${client}/24`] },
    { role: 'nat', device: 'sclient', mac: '02:00:00:aa:00:01' },
  );
  namespaces.link(
    { role: 'nat', device: 'sserver', mac: '02:00:00:aa:00:02' },
    { role: 'server', device: 'vserver', mac: macs.server, addresses: [`${server}/24`] },
  );
  namespaces.configure('client', 'route', 'add', 'default', 'via', inside);
}
