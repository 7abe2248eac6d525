/** Clients that read and write a few keys at random, all at once, and record what they are told. */
import type { AnyTable } from '../../../src/state/table.ts';
import { Random } from '../../sim/random.ts';
import type { Bench, Client, Row, Rows } from './bench.ts';
import type { Step } from './histories.ts';

export interface WorkOptions {
  /** Lookups and writes of each client. */
  readonly rounds: number;
  readonly keys: number;
  readonly seed: number;
  /** Of the first client: the others count on. */
  readonly firstClient?: number;
}

const now = () => Number(process.hrtime.bigint());

/** Runs every client through its rounds, their requests under way at the same time. */
export async function recordHistory(
  bench: Bench,
  clients: readonly Client[],
  entries: AnyTable,
  { rounds, keys, seed, firstClient = 0 }: WorkOptions,
): Promise<Step[]> {
  const steps: Step[] = [];
  const workers = clients.map(
    (client, i) =>
      new Worker(client, entries, new Random(seed + firstClient + i), firstClient + i, keys, steps),
  );
  for (let left = workers.length * rounds; left > 0; ) {
    for (const worker of workers) if (worker.goOn(rounds)) left--;
    await bench.turn();
  }
  return steps;
}

/** Records go by their values, which are all different: of an unknown write no version is known. */
interface Write {
  readonly row: number;
  readonly kind: 'insert' | 'swap' | 'remove';
  readonly expected: string;
  readonly value: number;
}

/** One client: reads two keys, writes one of them or both, and begins anew. */
class Worker {
  private readonly client: Client;
  private readonly entries: AnyTable;
  private readonly random: Random;
  private readonly number: number;
  private readonly keys: number;
  private readonly steps: Step[];
  private rows: Rows | undefined;
  private chosen: number[] = [];
  private done: () => boolean = () => true;
  private called = 0;
  private writing: Write[] = [];
  private isWriting = false;
  private written = 0;
  private finished = 0;

  constructor(
    client: Client,
    entries: AnyTable,
    random: Random,
    number: number,
    keys: number,
    steps: Step[],
  ) {
    this.client = client;
    this.entries = entries;
    this.random = random;
    this.number = number;
    this.keys = keys;
    this.steps = steps;
  }

  /** Does what can be done now; true when that was the end of a round. */
  goOn(rounds: number): boolean {
    if (this.finished === rounds || !this.done()) return false;
    if (!this.rows) {
      this.read();
      return false;
    }
    if (!this.isWriting) {
      if (this.rows.rows.every(({ dropped }) => dropped)) this.beginAnew(this.rows);
      else this.haveRead(this.rows);
      return false;
    }
    this.haveWritten(this.rows);
    this.beginAnew(this.rows);
    this.finished++;
    return true;
  }

  private beginAnew(rows: Rows): void {
    rows.end();
    this.rows = undefined;
  }

  private read(): void {
    const first = this.random.whole(1, this.keys);
    this.chosen = [first, (first % this.keys) + 1];
    this.rows = this.client.batch(this.entries, this.chosen);
    this.called = now();
    this.done = this.rows.startLookup();
  }

  private haveRead(rows: Rows): void {
    const { random } = this;
    this.chosen.forEach((_, row) => {
      const read = rows.row(row);
      if (read.dropped) return; // not known
      this.tell(row, { kind: 'get', saw: seen(read) });
      if (row > 0 && random.chance(0.5)) return;
      const kind =
        read.state === 'miss'
          ? 'insert'
          : random.chance(0.25)
            ? ('remove' as const)
            : ('swap' as const);
      const value = this.number * 2 ** 20 + ++this.written;
      this.writing.push({ row, kind, expected: String(read.value), value });
      rows.stage(row, kind, value);
    });
    this.called = now();
    this.isWriting = true;
    this.done = rows.startWrite();
  }

  private haveWritten(rows: Rows): void {
    for (const { row, kind, expected, value } of this.writing) {
      const came = rows.row(row);
      if (came.dropped && came.state !== 'unknown') continue; // it was not done
      const version = String(value);
      const outcome =
        came.state === 'unknown'
          ? ({ is: 'unknown' } as const)
          : came.lost
            ? ({ is: 'lost', to: seen(came) } as const)
            : ({ is: 'won' } as const);
      if (kind === 'remove') this.tell(row, { kind, expected, outcome });
      else if (kind === 'swap') this.tell(row, { kind, expected, version, outcome });
      else this.tell(row, { kind, version, outcome });
    }
    this.writing = [];
    this.isWriting = false;
  }

  private tell(row: number, operation: Step['operation']): void {
    const known = operation.kind === 'get' || operation.outcome.is !== 'unknown';
    this.steps.push({
      key: this.chosen[row],
      client: this.number,
      called: this.called,
      returned: known ? now() : undefined,
      operation,
    });
  }
}

function seen({ state, value }: Row): string | undefined {
  return state === 'hit' ? String(value) : undefined;
}
