/** The thread of a `CuttingProxy`. */
import { connect, createServer } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { Random } from '../sim/random.ts';
import { type CuttingThread, word } from './cutting-proxy.ts';

const { shared, path, seed, requestLost, replyLost } = workerData as CuttingThread;
const words = new Int32Array(shared);
const random = new Random(seed);
const isCut = (chance: number) => Atomics.load(words, word.active) === 1 && random.chance(chance);

const server = createServer((client) => {
  const behind = connect(path);
  const cut = () => {
    Atomics.add(words, word.cuts, 1);
    client.destroy();
    behind.end(); // what has arrived is executed before the server learns of the end
  };
  for (const socket of [client, behind]) socket.on('error', () => undefined);
  client.on('close', () => behind.end());
  behind.on('close', () => client.destroy());
  client.on('data', (bytes) => {
    if (isCut(requestLost)) cut();
    else behind.write(bytes);
  });
  behind.on('data', (bytes) => {
    if (client.destroyed) return;
    if (isCut(replyLost)) cut();
    else client.write(bytes);
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') parentPort?.postMessage(address.port);
});
