/**
 * The control side's client at the native client's work: MGET of a batch of keys, W batches under way.
 *
 * Keys are buffers: a NAT's have 16 raw bytes in them, which a string cannot carry. They are made
 * beforehand, which the native client, whose keys come out of packets, cannot do.
 */
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';

const { values } = parseArgs({
  options: {
    socket: { type: 'string', default: '' },
    port: { type: 'string', default: '0' },
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
/** As in resp_client.cc: through all keys before one is repeated. */
const step = 7919;
const key = Array.from({ length: keys }, (_, n) =>
  Buffer.from(`{00}benches/${String(n).padStart(16, '0')}`),
);
const redis = values.socket ? new Redis({ path: values.socket }) : new Redis(Number(values.port));
await redis.ping();
let lookups = 0;
let hits = 0;
const begin = performance.now();
const end = begin + Number(values.seconds) * 1000;
const cpu = process.cpuUsage();

async function lookUp(): Promise<void> {
  while (performance.now() < end) {
    const asked: Buffer[] = [];
    let n = Math.floor(Math.random() * keys);
    for (let i = 0; i < batch; i++, n = (n + step) % keys) asked.push(key[n] as Buffer);
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
