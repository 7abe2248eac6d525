/**
 * Runs dpdk-testpmd in one of its forwarding modes and answers with a contender's line of JSON.
 *
 *   node bench/datapath/testpmd.ts --mode io|5tswap --frames N --burst N --warmup S --seconds S
 *        -- EAL...
 *
 * Packets are testpmd's own forward statistics between `start` and `stop`; time is what its
 * forwarding thread ran on the processor, which sleeps outside the two.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { BUFFER_CACHE, BUFFER_ROOM, SPARE_BUFFERS } from './eal.ts';

/** What testpmd says when a step is done. */
const said = { ready: 'testpmd> ', started: 'packets/burst=', stopped: 'Done.' } as const;
/** Loading a million frames takes about 2 s on an idle machine. */
const STEP_TIMEOUT_MILLISECONDS = 20_000;

const { values, positionals: eal } = parseArgs({
  allowPositionals: true,
  options: {
    mode: { type: 'string', default: 'io' },
    frames: { type: 'string', default: '10000' },
    burst: { type: 'string', default: '128' },
    warmup: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '2' },
  },
});
// By the line: testpmd's standard output, into a pipe, would otherwise come when its buffer is full.
const child = spawn('stdbuf', [
  '-oL',
  'dpdk-testpmd',
  ...eal,
  '--',
  '--interactive',
  '--nb-cores=1',
  `--total-num-mbufs=${Number(values.frames) + SPARE_BUFFERS}`,
  `--mbuf-size=${BUFFER_ROOM}`,
  `--mbcache=${BUFFER_CACHE}`,
  `--burst=${values.burst}`,
  `--forward-mode=${values.mode}`,
]);
const transcript = follow(child);
try {
  await transcript.until(said.ready);
  await forward(Number(values.warmup));
  const run = await forward(Number(values.seconds));
  console.log(
    JSON.stringify({
      mpps: run.packets / run.seconds / 1e6,
      nsPerPacket: (run.cpuSeconds / run.packets) * 1e9,
      ...run,
      burst: Number(values.burst),
    }),
  );
  child.stdin.end('quit\n');
  await transcript.ended;
} finally {
  child.kill('SIGKILL');
}

async function forward(seconds: number) {
  const cpuBefore = forwardingSeconds();
  const began = performance.now();
  await command('start', said.started);
  await sleep(seconds * 1000);
  const text = await command('stop', said.stopped);
  const elapsed = (performance.now() - began) / 1000;
  const totals = text.slice(text.indexOf('Accumulated forward statistics'));
  const packets = Number(/RX-packets:\s+(\d+)/.exec(totals)?.[1] ?? 0);
  if (packets === 0) throw new Error(`dpdk-testpmd forwarded nothing:\n${text}`);
  return { packets, seconds: elapsed, cpuSeconds: forwardingSeconds() - cpuBefore };
}

async function command(line: string, answer: string): Promise<string> {
  child.stdin.write(`${line}\n`);
  return transcript.until(answer);
}

/** Nanoseconds on the processor are the first field of schedstat. */
function forwardingSeconds(): number {
  const tasks = `/proc/${child.pid}/task`;
  for (const task of readdirSync(tasks)) {
    if (!/worker/.test(readFileSync(`${tasks}/${task}/comm`, 'utf8'))) continue;
    return Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e9;
  }
  throw new Error('dpdk-testpmd has no forwarding thread');
}

/** Collects what a child says, and hands out what came since the last time up to a mark. */
function follow(process: ChildProcessWithoutNullStreams) {
  let text = '';
  let wake: () => void = () => undefined;
  let over = false;
  for (const stream of [process.stdout, process.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      wake();
    });
  }
  const ended = new Promise<void>((resolve) => {
    const end = (error?: Error) => {
      if (error) text += error.message;
      over = true;
      wake();
      resolve();
    };
    process.on('error', end).on('close', () => end());
  });
  const until = async (mark: string): Promise<string> => {
    const deadline = Date.now() + STEP_TIMEOUT_MILLISECONDS;
    for (;;) {
      const at = text.indexOf(mark);
      if (at >= 0) {
        const before = text.slice(0, at);
        text = text.slice(at + mark.length);
        return before;
      }
      const left = deadline - Date.now();
      if (over || left <= 0) throw new Error(`dpdk-testpmd did not say '${mark}':\n${text}`);
      await Promise.race([
        new Promise<void>((resolve) => {
          wake = resolve;
        }),
        sleep(left, undefined, { ref: false }),
      ]);
    }
  };
  return { until, ended };
}
