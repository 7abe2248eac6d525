/** Lanes in threads of their own, as an instance has them, that are measured together. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Answer } from './contenders.ts';

/** What the program of a lane is given: its number, the devices, and how many lanes are still awaited. */
export interface Seat<Device> {
  readonly lane: number;
  readonly devices: readonly Device[];
  /** One word; absent where there is only this lane. */
  readonly awaited?: Int32Array;
}

export interface LaneAnswer extends Answer {
  readonly cpuSeconds: number;
}

/** Runs `program`, with this process's arguments, as so many threads; each posts its answer. */
export function inThreads<Device>(
  program: URL,
  lanes: number,
  devices: readonly Device[],
): Promise<LaneAnswer[]> {
  const awaited = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  awaited[0] = lanes;
  return Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      const seat: Seat<Device> = { lane, devices, awaited };
      const worker = new Worker(program, { argv: process.argv.slice(2), workerData: seat });
      const [answer] = (await once(worker, 'message')) as [LaneAnswer];
      return answer;
    }),
  );
}

/** Returns when every lane is there: a lane that ran alone for a while would be the faster for it. */
export function meet(awaited: Int32Array): void {
  Atomics.sub(awaited, 0, 1);
  Atomics.notify(awaited, 0);
  for (;;) {
    const left = Atomics.load(awaited, 0);
    if (left === 0) return;
    Atomics.wait(awaited, 0, left);
  }
}

/** What all of them came to: a packet's cost is that of all the processors. */
export function together(answers: readonly LaneAnswer[]): Answer {
  const sum = (of: (answer: LaneAnswer) => number) => answers.reduce((n, a) => n + of(a), 0);
  const reasons = [...new Set(answers.flatMap(({ dropped }) => Object.keys(dropped ?? {})))];
  const packets = sum((answer) => answer.packets);
  return {
    mpps: sum((answer) => answer.mpps),
    nsPerPacket: (sum((answer) => answer.cpuSeconds) * 1e9) / packets,
    packets,
    dropped: Object.fromEntries(
      reasons.map((reason) => [reason, sum(({ dropped }) => dropped?.[reason] ?? 0)]),
    ),
  };
}
