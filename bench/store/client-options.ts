/** What clients that look keys up, and do nothing else, are told; as resp_client.cc is. */
import { parseArgs } from 'node:util';

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

/** A unix socket's path; empty: the server is at `port` of this machine. */
export const socket = values.socket;
export const port = Number(values.port);
export const keys = Number(values.keys);
/** Keys of one request, and requests under way at once. */
export const batch = Number(values.batch);
export const inFlight = Number(values['in-flight']);
export const seconds = Number(values.seconds);
/** From one key to the next: through all of them before one is repeated. */
export const step = 7919;
