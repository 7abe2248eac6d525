/** Writes of batches at simulated servers: native/store/remote/write.cc. */

import { fnv1a } from '../../../src/state/remote/key-names.ts';
import { drop } from '../../../src/streams/verdict.ts';
import { landWrites, type StagedWrite, takeStaged } from '../columns.ts';
import type { WriteAnswer } from '../store-functions.ts';
import type { ClientParts, ClientTable, Flights } from './client.ts';
import { InOrder } from './in-order.ts';
import { siblingName, storedName } from './names.ts';
import { type Answered, Refusal } from './node.ts';
import type { Standing } from './proofs.ts';
import type { Asked } from './routes.ts';
import { readValue, u64, zeroVersion } from './value.ts';

/** Never sent, it has lost nothing and its packets are dropped, as where there was no room. */
const unsent: WriteAnswer = { won: false, full: true };
const told = (answer: WriteAnswer | undefined) => (answer === unsent ? undefined : answer);

const full = drop('table-full');
const kinds = { insert: 'i', swap: 's', remove: 'r' } as const;

interface KeyedWrite {
  readonly key: string;
  readonly staged: StagedWrite;
}

export function writes(parts: ClientParts, of: ClientTable, register: number): Flights {
  const flights = new InOrder();
  const { table } = of;
  const { history, watch } = parts.options;
  return {
    poll: () => flights.poll(),
    start(batch, done) {
      const staged = takeStaged(batch, register, table.schema.size, () => parts.nextVersion());
      if (staged.length === 0 && flights.isEmpty) {
        landWrites(batch, register, full, [], []);
        return true;
      }
      const calls = staged.map(({ call }) => call);
      const keys = calls.map(({ key }) => key);
      watch?.started(table, keys);
      const written = history?.beginWrites(table, calls);
      const answers = new Map<StagedWrite, WriteAnswer>();
      const divided = parts.byPartition(
        staged.map((write): KeyedWrite => ({ key: write.call.key, staged: write })),
      );
      let left = divided.size;
      const land = () => {
        const all = staged.map((write) => answers.get(write));
        landWrites(batch, register, full, staged, all);
      };
      const ended = flights.begin(batch, done, divided.size, land);
      const partEnded = () => {
        if (--left === 0) {
          written?.end(staged.map((write) => told(answers.get(write))));
          watch?.done(table, keys);
        }
        ended();
      };
      for (const [partition, some] of divided) {
        const writes = some.map(({ staged: write }) => write);
        parts.routes.submit(new WritePart(parts, of, partition, writes, answers, partEnded));
      }
      return false;
    },
  };
}

/** The writes of one partition: one call, by whose number the server knows a repetition. */
class WritePart implements Asked {
  readonly partition: number;
  readonly mutates = true;
  private readonly parts: ClientParts;
  private readonly of: ClientTable;
  private readonly writes: readonly StagedWrite[];
  private readonly answers: Map<StagedWrite, WriteAnswer>;
  private readonly ended: () => void;
  private sequence = 0;

  constructor(
    parts: ClientParts,
    of: ClientTable,
    partition: number,
    writes: readonly StagedWrite[],
    answers: Map<StagedWrite, WriteAnswer>,
    ended: () => void,
  ) {
    this.parts = parts;
    this.of = of;
    this.partition = partition;
    this.writes = writes;
    this.answers = answers;
    this.ended = ended;
  }

  encode(repeated: boolean): string[][] {
    const { parts, of, partition } = this;
    const { isCluster } = parts.options.servers;
    const { table, capacity } = of;
    if (!repeated) this.sequence = parts.nextCall();
    const keys = this.writes.map(({ call }) => storedName(parts.partitions, table, call.key));
    if (isCluster) {
      const accounts = `${keys[0]?.slice(0, 4)}+`;
      keys.push(siblingName(partition, table, '!'), siblingName(partition, table, '='), accounts);
    }
    const onlyRemovals = this.writes.every(({ call }) => call.kind === 'remove');
    const name = onlyRemovals ? 'rxnf1_remove' : 'rxnf1_write';
    return [
      [
        ...['FCALL', name, String(keys.length), ...keys],
        ...[0, 1, 2, 3].map((timer) => String(table.idleMilliseconds[timer] ?? 0)),
        ...[capacity, parts.options.writer, this.sequence, repeated ? 1 : 0].map(String),
        ...this.writes.map((write) => this.operation(write)),
      ],
    ];
  }

  private operation({ call }: StagedWrite): string {
    const { table } = this.of;
    const { kind, expected, version, timer, record } = call;
    const removes = kind === 'remove';
    const tail = Buffer.alloc(8);
    tail.writeUInt8(timer, 0);
    tail.writeUInt16LE(table.schema.version, 2);
    tail.writeUInt32LE(fnv1a(table.schema.name), 4);
    const head =
      kinds[kind] +
      (kind === 'insert' ? zeroVersion : u64(expected)) +
      (removes ? zeroVersion : u64(version)) +
      tail.toString('latin1');
    return removes ? head : head + Buffer.from(record).toString('latin1');
  }

  read([reply]: readonly Answered[]): boolean {
    if (reply instanceof Refusal) {
      if (reply.why !== 'error') return false;
      // What it did before it ended stays: unknown.
      this.ended();
      return true;
    }
    const unproved: { readonly write: StagedWrite; readonly standing: Standing }[] = [];
    (reply as readonly (null | number | string)[]).forEach((answer, i) => {
      const write = this.writes[i] as StagedWrite;
      const result = answerOf(answer);
      if (!result) return;
      this.answers.set(write, result);
      const version = this.dependsOn(write, result);
      if (version === undefined) return;
      const key = storedName(this.parts.partitions, this.of.table, write.call.key);
      unproved.push({ write, standing: { key, version } });
    });
    this.prove(unproved);
    return true;
  }

  /** The version that the write's packets depend on and that may not be replicated. */
  private dependsOn({ call }: StagedWrite, answer: WriteAnswer): string | undefined {
    if (answer.won) return call.kind === 'remove' ? zeroVersion : u64(call.version);
    if (answer.full || !answer.winner || answer.winner.committed) return undefined;
    return u64(answer.winner.version);
  }

  private prove(
    unproved: readonly { readonly write: StagedWrite; readonly standing: Standing }[],
  ): void {
    const { parts } = this;
    if (parts.options.replicas === 0 || unproved.length === 0) {
      this.ended();
      return;
    }
    const entries = unproved.map(({ standing }) => standing);
    parts.proofs.prove(entries, (stands) => {
      parts.mark(entries.filter(({ version }, i) => stands[i] && version !== zeroVersion));
      unproved.forEach(({ write }, i) => {
        if (!stands[i]) this.answers.delete(write);
      });
      this.ended();
    });
  }

  lost(wasSent: boolean): void {
    if (!wasSent) for (const write of this.writes) this.answers.set(write, unsent);
    this.ended();
  }
}

/** Undefined: performed by an earlier attempt, and nothing shows what came of it. */
function answerOf(answer: null | number | string): WriteAnswer | undefined {
  if (answer === 1) return { won: true };
  if (answer === 0) return { won: false, full: true };
  if (answer === null) return { won: false, full: false, winner: undefined };
  if (typeof answer === 'string') return { won: false, full: false, winner: readValue(answer) };
  return undefined;
}
