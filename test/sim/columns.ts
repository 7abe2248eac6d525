/**
 * What a store's answers leave in a batch's register, as the native lookup and write kernels do
 * (native/kernels/lookup.h, write.h), in TypeScript, for stores that are simulated.
 */
import type { LookupRequest } from '../../src/state/store.ts';
import {
  looked,
  type PacketBatch,
  type RegisterColumns,
  writeKind,
} from '../../src/streams/batch.ts';
import { matches } from '../../src/streams/traits.ts';
import type { Value, WriteAnswer, WriteCall } from './store-functions.ts';

/** A packet to be looked up, with its key. */
export interface KeyedRow {
  readonly row: number;
  readonly key: string;
}

const watchedBit = 0x80;

/** Fills the key column of the rows to be looked up, and clears the register's lists. */
export function stageKeys(batch: PacketBatch, request: LookupRequest): KeyedRow[] {
  const { register, where, key: kind } = request;
  const columns = batch.registers[register] as RegisterColumns;
  const rows: KeyedRow[] = [];
  batch.header[4 + register] = 0;
  batch.header[10 + register] = 0;
  batch.header[16 + register] = 0;
  for (let row = 0; row < batch.count; row++) {
    if (batch.verdict[row] !== 0 || !matches(batch.traits[row], where)) continue;
    const flow = batch.flow + row * 16;
    const at = columns.key + row * 16;
    const { bytes } = batch;
    // Address, port, protocol; the flow column has both ends in network order.
    const endpoint = (to: number, address: number, port: number) => {
      bytes.copyWithin(to, flow + address, flow + address + 4);
      bytes.copyWithin(to + 4, flow + port, flow + port + 2);
      bytes[to + 6] = bytes[flow + 12];
      bytes[to + 7] = 0;
    };
    switch (kind) {
      case 'source-endpoint':
        endpoint(at, 0, 8);
        bytes.fill(0, at + 8, at + 16);
        break;
      case 'destination-endpoint':
        endpoint(at, 4, 10);
        bytes.fill(0, at + 8, at + 16);
        break;
      case 'five-tuple':
        endpoint(at, 0, 8);
        endpoint(at + 8, 4, 10);
        break;
      case 'staged':
        break;
      default:
        throw new Error(`a simulated store does not make keys of kind ${kind}`);
    }
    rows.push({ row, key: keyAt(batch, columns, row) });
  }
  return rows;
}

export function keyAt(batch: PacketBatch, columns: RegisterColumns, row: number): string {
  return nameKey(batch.bytes, columns.key + row * 16);
}

/** A key as a string of 16 characters. */
export function nameKey(bytes: Uint8Array, at = 0): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, 16).toString('latin1');
}

export function keyBytes(key: string): Uint8Array {
  return Uint8Array.from(key, (character) => character.charCodeAt(0));
}

/** A lookup has come back: fills what was read, and the list of attended rows with their leaders. */
export function landLookup(
  batch: PacketBatch,
  request: LookupRequest,
  rows: readonly KeyedRow[],
  values: ReadonlyMap<string, Value | undefined>,
): void {
  const columns = batch.registers[request.register] as RegisterColumns;
  const leaders = new Map<string, number>();
  let attended = 0;
  for (const { row, key } of rows) {
    const value = values.get(key);
    put(batch, columns, row, value);
    const seen =
      value && ((value.timer & watchedBit) !== 0 || (batch.traits[row] & request.attendAny) !== 0);
    if (!(request.attendAll || seen || (!value && request.attendMisses))) continue;
    columns.attended[attended++] = row;
    const leader = leaders.get(key) ?? row;
    leaders.set(key, leader);
    columns.leader[row] = leader;
  }
  batch.header[4 + request.register] = attended;
}

function put(
  batch: PacketBatch,
  columns: RegisterColumns,
  row: number,
  value: Value | undefined,
): void {
  columns.state[row] = value ? looked.hit : looked.miss;
  columns.timer[row] = value?.timer ?? 0;
  batch.view.setBigUint64(columns.version + row * 8, value?.version ?? 0n, true);
  if (value) batch.bytes.set(value.record, columns.record + row * columns.stride);
}

const kinds = {
  [writeKind.insert]: 'insert',
  [writeKind.swap]: 'swap',
  [writeKind.remove]: 'remove',
};

/** A staged write on its way. */
export interface StagedWrite {
  readonly row: number;
  readonly call: WriteCall;
}

/** Takes what is staged off the register. */
export function takeStaged(
  batch: PacketBatch,
  register: number,
  recordSize: number,
  version: () => bigint,
): StagedWrite[] {
  const columns = batch.registers[register] as RegisterColumns;
  const taken: StagedWrite[] = [];
  const count = batch.stagedCount(register);
  for (let i = 0; i < count; i++) {
    const row = columns.staged[i];
    const kind = kinds[columns.write[row] as keyof typeof kinds] as WriteCall['kind'] | undefined;
    if (!kind) continue; // staged, and taken back
    columns.write[row] = writeKind.none;
    const next = columns.next + row * columns.stride;
    taken.push({
      row,
      call: {
        kind,
        key: keyAt(batch, columns, row),
        expected: batch.view.getBigUint64(columns.version + row * 8, true),
        version: version(),
        timer: columns.timer[row],
        record: batch.bytes.slice(next, next + recordSize),
      },
    });
  }
  return taken;
}

/** Writes have come back; `undefined`: nobody knows whether they stand. */
export function landWrites(
  batch: PacketBatch,
  register: number,
  full: number,
  writes: readonly StagedWrite[],
  answers: readonly (WriteAnswer | undefined)[],
): void {
  const columns = batch.registers[register] as RegisterColumns;
  let lost = 0;
  writes.forEach(({ row, call }, i) => {
    const answer = answers[i];
    if (!answer) {
      columns.state[row] = looked.unknown;
    } else if (answer.won) {
      const { version, timer, record } = call;
      const stands = call.kind === 'remove' ? undefined : { version, timer, record };
      put(batch, columns, row, stands && { ...stands, deadline: 0, committed: true });
    } else if (answer.full) {
      if (batch.verdict[row] === 0) batch.verdict[row] = full;
      // Not performed: as native/store/remote/write.cc has it.
      if (call.kind === 'insert') columns.state[row] = looked.miss;
      if (call.kind === 'swap') columns.state[row] = looked.unknown;
    } else {
      put(batch, columns, row, answer.winner);
      columns.lost[lost++] = row;
    }
  });
  batch.header[10 + register] = 0;
  batch.header[16 + register] = lost;
  follow(batch, columns, batch.attendedCount(register), full);
}

/** Every attended row has what its leader has. */
function follow(
  batch: PacketBatch,
  columns: RegisterColumns,
  attended: number,
  full: number,
): void {
  const { state, timer, leader, stride, record, version } = columns;
  for (let n = 0; n < attended; n++) {
    const row = columns.attended[n];
    const first = leader[row];
    if (first === row) continue;
    state[row] = state[first];
    timer[row] = timer[first];
    batch.bytes.copyWithin(version + row * 8, version + first * 8, version + first * 8 + 8);
    batch.bytes.copyWithin(
      record + row * stride,
      record + first * stride,
      record + (first + 1) * stride,
    );
    if (batch.verdict[first] === full && batch.verdict[row] === 0) batch.verdict[row] = full;
  }
}
