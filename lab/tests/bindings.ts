/**
 * The NAT's bindings on a server, one a line: inside endpoint; protocol, external address and port. Hexadecimal.
 *
 *     node --conditions=source lab/tests/bindings.ts 6379
 */
import { Redis } from 'ioredis';

const redis = new Redis({
  host: '127.0.0.1',
  port: Number(process.argv[2]),
  retryStrategy: () => null,
});
const keys = await redis.keysBuffer('{??}binding/*');
const lines = await Promise.all(
  keys.map(async (key) => {
    const value = await redis.getBuffer(key);
    // docs/decisions/0007: the record begins at 24; address at 0 and port at 8 of it (src/nfs/nat/tables.ts).
    const inside = key.subarray(-16).toString('hex');
    if (!value) return `${inside} gone`;
    const protocol = inside.slice(12, 14);
    return `${inside} ${protocol}${value.toString('hex', 24, 28)}${value.toString('hex', 32, 34)}`;
  }),
);
console.log(lines.sort().join('\n'));
redis.disconnect();
