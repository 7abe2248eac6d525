/**
 * The capture that every contender loops: one frame from each of N inside endpoints, in an order
 * that a seed fixes and a cache cannot guess.
 *
 * A frame is 60 bytes (64 on the wire, with its check sequence): half UDP, half TCP segments that
 * carry data and no SYN, from 10.0.0.0/8 behind one gateway to one of 4096 servers, every checksum
 * valid. The same N and seed give the same bytes.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { CaptureWriter } from '../../src/wire/capture-writer.ts';
import { finish, finishUdp, pseudoHeader4, sum } from '../../src/wire/checksum.ts';
import { inside, neighbours, servers } from './world.ts';

export const FRAME_LENGTH = 60;
const ETHERNET = 14;
const TRANSPORT = 34;
const TCP = 6;
const UDP = 17;
const ENDPOINTS_PER_HOST = 16;
/** 16 x 4000 ports from 1024 on stay below 65,536. */
const PORTS_PER_ENDPOINT = 4000;
const SERVER_PORTS = [53, 80, 443, 8080] as const;

/**
 * The paths of a capture of so many endpoints for each of the lanes, written now unless they are there:
 * every n-th frame for one of n, so that no endpoint is with two of them.
 */
export function captures(directory: string, endpoints: number, lanes = 1): string[] {
  return Array.from({ length: lanes }, (_, lane) => capture(directory, endpoints, lane, lanes));
}

function capture(directory: string, endpoints: number, lane: number, lanes: number): string {
  const seed = 1;
  const of = lanes === 1 ? '' : `-${lane}of${lanes}`;
  const path = `${directory}/traffic-${endpoints}-${seed}${of}.pcap`;
  const count = Math.ceil((endpoints - lane) / lanes);
  const size = 24 + count * (16 + FRAME_LENGTH);
  if (existsSync(path) && statSync(path).size === size) return path;
  mkdirSync(dirname(path), { recursive: true });
  // Renamed when complete: a benchmark that was interrupted leaves no half capture behind.
  const unfinished = `${path}.${process.pid}`;
  const file = openSync(unfinished, 'w');
  const writer = new CaptureWriter((chunk) => writeSync(file, chunk));
  let n = 0;
  for (const frame of frames(endpoints, seed))
    if (n++ % lanes === lane) writer.append(frame, 0, FRAME_LENGTH, 0, 0);
  writer.flush();
  closeSync(file);
  renameSync(unfinished, path);
  return path;
}

/** The frames in order. Each is overwritten by the next. */
export function* frames(endpoints: number, seed = 1): Generator<Uint8Array> {
  const random = xorshift32(seed);
  const order = shuffled(endpoints, random);
  const destinations = Uint32Array.from(
    { length: servers.count },
    () => servers.base + (random() >>> servers.prefixLength),
  );
  const frame = new Uint8Array(FRAME_LENGTH);
  const view = new DataView(frame.buffer);
  frame.set(inside.mac, 0);
  frame.set(neighbours.find((n) => n.port === 'inside')?.mac ?? [], 6);
  view.setUint16(12, 0x0800);
  for (const endpoint of order) {
    const protocol = random() & 1 ? UDP : TCP;
    const destination = destinations[random() % servers.count];
    const first = 1024 + (endpoint % ENDPOINTS_PER_HOST) * PORTS_PER_ENDPOINT;
    // From 10.0.1.0 on; 2^24 hosts are more than any table here holds.
    const source = 0x0a000100 + Math.floor(endpoint / ENDPOINTS_PER_HOST);
    writeIpv4(view, protocol, source, destination, endpoint & 0xffff);
    view.setUint16(TRANSPORT, first + (random() % PORTS_PER_ENDPOINT));
    view.setUint16(TRANSPORT + 2, SERVER_PORTS[random() & 3]);
    writeTransport(view, protocol, random());
    yield frame;
  }
}

function writeIpv4(
  view: DataView,
  protocol: number,
  source: number,
  destination: number,
  identification: number,
): void {
  view.setUint16(ETHERNET, 0x4500);
  view.setUint16(ETHERNET + 2, FRAME_LENGTH - ETHERNET);
  view.setUint16(ETHERNET + 4, identification);
  view.setUint16(ETHERNET + 6, 0x4000);
  view.setUint16(ETHERNET + 8, (64 << 8) | protocol);
  view.setUint16(ETHERNET + 10, 0);
  view.setUint32(ETHERNET + 12, source);
  view.setUint32(ETHERNET + 16, destination);
  view.setUint16(ETHERNET + 10, finish(sum(view, ETHERNET, TRANSPORT)));
}

/** Everything behind the ports; `payload` makes the bytes, so the checksums too, differ. */
function writeTransport(view: DataView, protocol: number, payload: number): void {
  const length = FRAME_LENGTH - TRANSPORT;
  const pseudo = pseudoHeader4(view.getUint32(26), view.getUint32(30), protocol, length);
  if (protocol === UDP) {
    view.setUint16(TRANSPORT + 4, length);
    view.setUint16(TRANSPORT + 6, 0);
    view.setUint32(TRANSPORT + 8, payload);
    for (let at = TRANSPORT + 12; at < FRAME_LENGTH; at += 2) view.setUint16(at, at);
    view.setUint16(TRANSPORT + 6, finishUdp(sum(view, TRANSPORT, FRAME_LENGTH, pseudo)));
  } else {
    view.setUint32(TRANSPORT + 4, payload);
    view.setUint32(TRANSPORT + 8, payload ^ 0x5a5a5a5a);
    view.setUint16(TRANSPORT + 12, 0x5018); // 20 bytes of header; PSH, ACK
    view.setUint16(TRANSPORT + 14, 0xffff);
    view.setUint32(TRANSPORT + 16, 0);
    view.setUint32(TRANSPORT + 20, payload);
    view.setUint16(TRANSPORT + 24, 0x0d0a);
    view.setUint16(TRANSPORT + 16, finish(sum(view, TRANSPORT, FRAME_LENGTH, pseudo)));
  }
}

/** 0 to count - 1 (Fisher and Yates). */
function shuffled(count: number, random: () => number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random() % (i + 1);
    const swapped = order[i];
    order[i] = order[j];
    order[j] = swapped;
  }
  return order;
}

/** Marsaglia, "Xorshift RNGs" (2003): 32 bits, never 0. */
function xorshift32(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}
