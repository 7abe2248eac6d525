/**
 * The control side's client at the native client's work: MGET of a batch of keys, W batches under way.
 *
 * Keys are buffers: a NAT's have 16 raw bytes in them, which a string cannot carry. They are made
 * beforehand, as the other clients' are.
 */
import { Redis } from 'ioredis';
import { batch, inFlight, keys, port, seconds, socket, step } from './client-options.ts';

const key = Array.from({ length: keys }, (_, n) =>
  Buffer.from(`{00}benches/${String(n).padStart(16, '0')}`),
);
const redis = socket ? new Redis({ path: socket }) : new Redis(port);
await redis.ping();
let lookups = 0;
let hits = 0;
const begin = performance.now();
const end = begin + seconds * 1000;
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
