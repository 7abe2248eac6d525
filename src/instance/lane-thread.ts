/** The main thread's side of one lane: starts its thread, keeps its latest word, ends it. */
import { Worker } from 'node:worker_threads';
import type { LaneEvent } from '../streams/lane.ts';
import type { LaneMessage, LanePlan, LaneSample } from './plan.ts';

/** A lane drains within 1 s; whoever takes this long is stuck. */
const stopMilliseconds = 5000;
const entry = new URL(
  import.meta.url.endsWith('.ts') ? 'lane-worker.ts' : 'lane-worker.js',
  import.meta.url,
);

export class LaneThread {
  /** Settles with the names of the tables once the lane polls; rejects where it fails before. */
  readonly ready: Promise<readonly string[]>;
  /** Settles with why the lane could not go on; undefined where it was told to stop, and did. */
  readonly ended: Promise<string | undefined>;
  /** Its last word so far. */
  latest: LaneSample | undefined;
  private readonly worker: Worker;
  private stopping: NodeJS.Timeout | undefined;
  private stopped = false;
  private exited = false;
  private failure: string | undefined;

  constructor(plan: LanePlan, log: (event: LaneEvent) => void) {
    const worker = new Worker(entry, { workerData: plan, name: `lane-${plan.lane}` });
    this.worker = worker;
    worker.on('message', (message: LaneMessage) => this.hear(message, log));
    worker.once('error', (error) => {
      this.failure ??= error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    this.ended = new Promise((end) => {
      worker.once('exit', () => {
        clearTimeout(this.stopping);
        this.exited = true;
        if (!this.stopped) this.failure ??= 'its thread ended without a word';
        end(this.failure);
      });
    });
    this.ready = new Promise((ready, fail) => {
      worker.on('message', (message: LaneMessage) => {
        if (message.kind === 'ready') ready(message.tables);
      });
      void this.ended.then((why) => fail(new Error(`lane ${plan.lane} did not start: ${why}`)));
    });
    // Whoever starts the lane waits for `ready`; a lane that fails later has nobody waiting.
    this.ready.catch(() => undefined);
  }

  /** Settles with the lane's next word, or its last. */
  heard(): Promise<void> {
    return new Promise((resolve) => {
      this.worker.once('message', () => resolve());
      void this.ended.then(() => resolve());
    });
  }

  /** Asks the lane to send what is in flight and end; ends its thread after five seconds. */
  stop(): void {
    if (this.stopping !== undefined || this.exited) return;
    this.worker.postMessage('stop');
    this.stopping = setTimeout(() => {
      this.failure ??= `it did not stop within ${stopMilliseconds} ms`;
      void this.worker.terminate();
    }, stopMilliseconds);
  }

  private hear(message: LaneMessage, log: (event: LaneEvent) => void): void {
    switch (message.kind) {
      case 'event':
        log(message.event);
        return;
      case 'failed':
        this.failure = message.reason;
        break;
      case 'stopped':
        this.stopped = true;
        break;
    }
    this.latest = message.sample ?? this.latest;
  }
}
