/**
 * What does the native client itself cost at looking keys up, without packets? Batches of keys, W under
 * way, as resp_client.cc and ioredis-client.ts have them; the same operation that `lookupState` starts.
 *
 * Keys are made beforehand, as the others' are. Prints one line of JSON.
 */
import { Lane, memoryPool, record, remoteStore, table, u32 } from 'rxnf';
import { native } from '../../src/native.ts';
import { openSessions, sessionOf } from '../../src/state/sessions.ts';
import type { Operation } from '../../src/state/store.ts';
import { looked, PacketBatch, type RegisterColumns, writeKind } from '../../src/streams/batch.ts';
import { noPacket } from '../../src/streams/traits.ts';
import { batch as burst, inFlight, keys, port, seconds, socket, step } from './client-options.ts';

const keyBytes = 16;
const waitMicroseconds = 10_000;

/** As large as a NAT's binding. */
const bench = record('bench', 1, { a: u32, b: u32, c: u32, d: u32 });
const benches = table('bench', bench, { capacity: keys });
const url = socket ? `unix:${socket}` : `redis://127.0.0.1:${port}`;
const store = remoteStore({ url });
const writer = store.takeWriter();
const lane = new Lane({
  pool: memoryPool(1),
  ports: [],
  tables: [benches],
  burst,
  spare: 0,
  batches: inFlight,
  writer,
});
openSessions(lane, store);
const register = 0;
const all = { all: 0, none: 0 };
const session = sessionOf(lane, benches);
const lookup = session.lookup({
  table: benches,
  register,
  key: 'staged',
  where: all,
  refresh: noPacket,
  attendAll: false,
  attendMisses: true,
  attendAny: 0,
});
const write = session.write(benches, register);

/** In the order in which they are asked for, with the first of them again behind the last. */
const ordered = new Uint32Array(((keys + burst) * keyBytes) / 4);
for (let i = 0, n = 0; i < keys + burst; i++, n = (n + step) % keys)
  ordered.set([n, 0, Math.imul(n, 0x9e3779b1), 6], (i * keyBytes) / 4);

const shape = native.describeLane(lane.number);
/** By batch: its keys, as words. */
const columns: Uint32Array[] = [];
const batches = Array.from({ length: inFlight }, (_, i) => {
  const batch = new PacketBatch(lane, i, burst, shape, [bench.size]);
  columns.push(new Uint32Array(shape.block, registerOf(batch).key, (burst * keyBytes) / 4));
  batch.leased = true;
  return batch;
});

function registerOf(batch: PacketBatch): RegisterColumns {
  return batch.registers[register] as RegisterColumns;
}

let out = 0;
let lookups = 0;
let hits = 0;
let isOver = false;

function start(operation: Operation, batch: PacketBatch, done: (batch: PacketBatch) => void) {
  out++;
  if (operation.start(batch, done)) done(batch);
}

/** Keys that lie one behind the other, from one of them on. */
function ask(batch: PacketBatch, from: number): void {
  const column = columns[batch.index] as Uint32Array;
  column.set(ordered.subarray((from * keyBytes) / 4, ((from + burst) * keyBytes) / 4));
  batch.header[0] = burst;
  batch.verdict.fill(0, 0, burst);
}

function lookUp(batch: PacketBatch): void {
  ask(batch, Math.floor(Math.random() * keys));
  start(lookup, batch, answered);
}

function answered(batch: PacketBatch): void {
  const { state } = registerOf(batch);
  for (let row = 0; row < burst; row++) if (state[row] === looked.hit) hits++;
  lookups += burst;
  out--;
  if (!isOver) lookUp(batch);
}

function fill(): void {
  const [batch] = batches as [PacketBatch];
  const { write: kinds } = registerOf(batch);
  for (let from = 0; from < keys; from += burst) {
    ask(batch, from);
    kinds.fill(writeKind.insert, 0, burst);
    for (let row = 0; row < burst; row++) batch.stage(register, row);
    start(write, batch, () => out--);
    while (out > 0) breathe();
  }
}

function breathe(): void {
  lane.breathe();
  if (out > 0) lane.awaitStore(waitMicroseconds);
}

fill();
const cpu = process.cpuUsage();
const begin = performance.now();
for (const batch of batches) lookUp(batch);
const end = begin + seconds * 1000;
while (performance.now() < end) for (let i = 0; i < 256; i++) breathe();
const used = process.cpuUsage(cpu);
const elapsed = (performance.now() - begin) / 1000;
process.stdout.write(
  `${JSON.stringify({ lookups, hits, seconds: elapsed, cpuSeconds: (used.user + used.system) / 1e6 })}\n`,
);
isOver = true;
while (out > 0) breathe();
lane.close();
