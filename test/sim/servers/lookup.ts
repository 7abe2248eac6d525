/** Lookups of batches at simulated servers: native/store/remote/lookup.cc. */
import type { LookupRequest } from '../../../src/state/store.ts';
import type { PacketBatch } from '../../../src/streams/batch.ts';
import { matches } from '../../../src/streams/traits.ts';
import { drop } from '../../../src/streams/verdict.ts';
import { type KeyedRow, landLookup, stageKeys } from '../columns.ts';
import type { Value } from '../store-functions.ts';
import type { ClientParts, ClientTable, Flights } from './client.ts';
import { InOrder } from './in-order.ts';
import { storedName } from './names.ts';
import { type Answered, Refusal } from './node.ts';
import type { Asked } from './routes.ts';
import { readValue, u64 } from './value.ts';

const unavailable = drop('store-unavailable');
const refused = drop('store-refused');
const unproved = drop('commit-unknown');

type Found = { readonly value: Value | undefined } | { readonly reason: number };

export function lookups(parts: ClientParts, of: ClientTable, request: LookupRequest): Flights {
  const flights = new InOrder();
  const { refresher } = of;

  function land(batch: PacketBatch, rows: readonly KeyedRow[], found: ReadonlyMap<string, Found>) {
    const values = new Map<string, Value | undefined>();
    const answered: KeyedRow[] = [];
    for (const row of rows) {
      const result = found.get(row.key) ?? { reason: unavailable };
      if ('reason' in result) {
        batch.verdict[row.row] = result.reason;
        continue;
      }
      answered.push(row);
      const { value } = result;
      values.set(row.key, value);
      if (
        value &&
        matches(batch.traits[row.row] as number, request.refresh) &&
        refresher.isDue(value)
      )
        refresher.add(row.key, value.version);
    }
    landLookup(batch, request, answered, values);
  }

  return {
    poll: () => flights.poll(),
    start(batch, done) {
      const rows = stageKeys(batch, request);
      if (rows.length === 0 && flights.isEmpty) return true;
      const found = new Map<string, Found>();
      const keys = [...new Set(rows.map(({ key }) => key))].map((key) => ({ key }));
      const divided = parts.byPartition(keys);
      const ended = flights.begin(batch, done, divided.size, () => land(batch, rows, found));
      for (const [partition, some] of divided)
        new LookupPart(
          parts,
          of,
          partition,
          some.map(({ key }) => key),
          found,
          ended,
        ).submit();
      return false;
    },
  };
}

/** The keys of one partition: one command for all, or one for each while it moves. */
class LookupPart implements Asked {
  readonly partition: number;
  readonly mutates = false;
  asksOtherwise = false;
  private readonly parts: ClientParts;
  private readonly of: ClientTable;
  private readonly found: Map<string, Found>;
  private readonly ended: () => void;
  private readonly read_: { end(values: readonly (Value | undefined)[]): void } | undefined;
  private readonly keys: readonly string[];
  private left: readonly string[];
  private singly = false;

  constructor(
    parts: ClientParts,
    of: ClientTable,
    partition: number,
    keys: readonly string[],
    found: Map<string, Found>,
    ended: () => void,
  ) {
    this.parts = parts;
    this.of = of;
    this.partition = partition;
    this.keys = keys;
    this.left = keys;
    this.found = found;
    this.ended = ended;
    this.read_ = parts.options.history?.beginReads(of.table, keys);
  }

  submit(): void {
    this.parts.routes.submit(this);
  }

  encode(): string[][] {
    const names = this.left.map((key) => storedName(this.parts.partitions, this.of.table, key));
    return this.singly ? names.map((name) => ['GET', name]) : [['MGET', ...names]];
  }

  read(replies: readonly Answered[]): boolean {
    this.asksOtherwise = false;
    const [first] = replies;
    if (!this.singly && first instanceof Refusal) {
      if (first.why === 'error') this.fail(refused);
      this.singly = this.asksOtherwise = first.why === 'TRYAGAIN';
      return first.why === 'error';
    }
    const answers = this.singly ? replies : (first as readonly Answered[]);
    const elsewhere = this.left.filter((key, i) => {
      const answer = answers[i] as string | null | Refusal;
      if (answer instanceof Refusal) return true;
      this.found.set(key, { value: answer === null ? undefined : readValue(answer) });
      return false;
    });
    this.left = elsewhere;
    if (elsewhere.length > 0) return false;
    this.prove();
    return true;
  }

  lost(): void {
    this.fail(unavailable);
  }

  private fail(reason: number): void {
    for (const key of this.keys) this.found.set(key, { reason });
    this.ended();
  }

  private value(key: string): Value | undefined {
    return (this.found.get(key) as { readonly value: Value | undefined }).value;
  }

  /** What is not marked as committed waits as its writer does. */
  private prove(): void {
    const { parts, of, keys } = this;
    const unknown = keys.filter((key) => this.value(key)?.committed === false);
    if (parts.options.replicas === 0 || unknown.length === 0) {
      this.finish();
      return;
    }
    const entries = unknown.map((key) => ({
      key: storedName(parts.partitions, of.table, key),
      version: u64((this.value(key) as Value).version),
    }));
    parts.proofs.prove(entries, (stands) => {
      parts.mark(entries.filter((_, i) => stands[i]));
      unknown.forEach((key, i) => {
        if (!stands[i]) this.found.set(key, { reason: unproved });
      });
      if (stands.every(Boolean)) this.finish();
      else this.ended();
    });
  }

  private finish(): void {
    this.read_?.end(this.keys.map((key) => this.value(key)));
    this.ended();
  }
}
