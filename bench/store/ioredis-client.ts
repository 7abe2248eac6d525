/** The control side's client at the native client's work: MGET of a batch of keys, W batches under way. */
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';

const { values } = parseArgs({
  options: {
    socket: { type: 'string', default: '' },
    keys: { type: 'string', default: '100000' },
    batch: { type: 'string', default: '128' },
    'in-flight': { type: 'string', default: '4' },
    seconds: { type: 'string', default: '2' },
  },
});
const [keys, batch, inFlight] = [values.keys, values.batch, values['in-flight']].map(Number) as [
  number,
  number,
  number,
];
const step = 7919;
const redis = new Redis({ path: values.socket });
let lookups = 0;
let hits = 0;
const begin = performance.now();
const end = begin + Number(values.seconds) * 1000;
const cpu = process.cpuUsage();

async function lookUp(): Promise<void> {
  while (performance.now() < end) {
    const asked: string[] = [];
    let n = Math.floor(Math.random() * keys);
    for (let i = 0; i < batch; i++, n = (n + step) % keys)
      asked.push(`{00}benches/0000${String(n).padStart(12, '0')}`);
    const found = await redis.mgetBuffer(asked);
    lookups += batch;
    for (const value of found) if (value) hits++;
  }
}

await Promise.all(Array.from({ length: inFlight }, lookUp));
const used = process.cpuUsage(cpu);
process.stdout.write(
  `${JSON.stringify({
    lookups,
    hits,
    seconds: (performance.now() - begin) / 1000,
    cpuSeconds: (used.user + used.system) / 1e6,
  })}\n`,
);
redis.disconnect();
