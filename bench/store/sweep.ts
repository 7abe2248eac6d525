/**
 * What does expiry cost while nothing expires? Fills a table with live records that nobody touches, and
 * measures visits of the sweep in steps as large as a lane makes them every millisecond, for idle times from
 * 60 s (ICMP) down. Baseline: nothing at all, so shares are of one core’s time. Prints a line of JSON for each.
 *
 *   taskset -c 1 node --conditions=source bench/store/sweep.ts [--records N] [--rounds N]
 */
import { parseArgs } from 'node:util';
import { Lane, memoryPool, memoryStore, record, table, u32 } from 'rxnf';
import { native } from '../../src/native.ts';

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '7' },
  },
});
const records = Number(values.records);
const rounds = Number(values.rounds);

// As large as a NAT's binding.
const schema = record('entry', 1, { a: u32, b: u32, c: u32, d: u32 });
const entries = table('entry', schema, { capacity: records + 10_000, idleSeconds: 100_000 });
const lane = new Lane({ pool: memoryPool(16), ports: [], tables: [entries], batches: 1 });
const session = memoryStore({ seed: 1 }).open(lane);
const key = new Uint8Array(16);
const view = new DataView(key.buffer);
const value = new Uint8Array(schema.size);
for (let n = 0; n < records; n++) {
  view.setUint32(0, n);
  view.setUint32(12, Math.imul(n, 0x9e3779b1));
  session.put(entries, key, value, 0);
}
const handle = session.handle(entries);
const extent = native.tableExtent(handle);
const out = new Uint8Array(4096 * 128);
const now = lane.nowMilliseconds;

/** A whole pass in steps of so many entries: microseconds of each step. */
function pass(step: number): number[] {
  const steps: number[] = [];
  for (let at = 0; at < extent; at += step) {
    const began = process.hrtime.bigint();
    const stop = Math.min(extent, at + step);
    for (let from = at; from < stop; from += 4096)
      native.sweepTable(handle, now, from, Math.min(4096, stop - from), out);
    steps.push(Number(process.hrtime.bigint() - began) / 1000);
  }
  return steps;
}

const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);
const quantile = (numbers: readonly number[], q: number) =>
  +(sorted(numbers)[Math.floor(q * (numbers.length - 1))] as number).toFixed(2);

for (const idleMilliseconds of [60_000, 10_000, 1000, 100]) {
  const passMilliseconds = idleMilliseconds / 5;
  const step = Math.max(64, Math.ceil(extent / passMilliseconds));
  pass(step);
  const all = Array.from({ length: rounds }, () => pass(step));
  const shares = all.map(
    (steps) => (100 * steps.reduce((sum, us) => sum + us, 0)) / 1000 / passMilliseconds,
  );
  const steps = all.flat();
  console.log(
    JSON.stringify({
      ...{ records, idleMilliseconds, entriesPerStep: step },
      nanosecondsPerEntry: +((quantile(shares, 0.5) * passMilliseconds * 1e4) / extent).toFixed(2),
      percentOfCore: [quantile(shares, 0), quantile(shares, 0.5), quantile(shares, 0.9)],
      stepMicroseconds: {
        ...{ p50: quantile(steps, 0.5), p99: quantile(steps, 0.99), p999: quantile(steps, 0.999) },
        longest: quantile(steps, 1),
      },
    }),
  );
}
lane.close();
