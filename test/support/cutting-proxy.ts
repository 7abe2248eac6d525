/**
 * Stands between a client and a server and loses what goes through, as a failing network does: cuts
 * connections before a request arrives, or after it arrived and before its reply. In a thread of its own,
 * since a client that opens a lane waits for the server.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export interface CuttingOptions {
  /** The server's unix socket. */
  readonly path: string;
  readonly seed: number;
  /** Chance that a piece of a request, or of a reply, is lost with its connection. */
  readonly requestLost: number;
  readonly replyLost: number;
}

/** Words that both threads see. */
export const word = { active: 0, cuts: 1 } as const;
export type CuttingThread = CuttingOptions & { readonly shared: SharedArrayBuffer };

export class CuttingProxy {
  readonly port: number;
  private readonly worker: Worker;
  private readonly words: Int32Array;

  private constructor(worker: Worker, port: number, words: Int32Array) {
    this.worker = worker;
    this.port = port;
    this.words = words;
  }

  /** Loses nothing until it is set active. */
  static async start(options: CuttingOptions): Promise<CuttingProxy> {
    const shared = new SharedArrayBuffer(8);
    const worker = new Worker(new URL('./cutting-proxy-thread.ts', import.meta.url), {
      workerData: { ...options, shared } satisfies CuttingThread,
    });
    const [port] = (await once(worker, 'message')) as [number];
    return new CuttingProxy(worker, port, new Int32Array(shared));
  }

  get cuts(): number {
    return Atomics.load(this.words, word.cuts);
  }

  set active(active: boolean) {
    Atomics.store(this.words, word.active, active ? 1 : 0);
  }

  async stop(): Promise<void> {
    await this.worker.terminate();
  }
}
