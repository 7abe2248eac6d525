/** Prolongs lives, as native/store/remote/refresh.cc does: gathered, each key once in a while, not waited for. */
import type { Table } from '../../../src/state/table.ts';
import type { Value } from '../store-functions.ts';
import type { ClientParts } from './client.ts';
import { siblingName, storedName } from './names.ts';
import { Refusal } from './node.ts';
import { u64 } from './value.ts';

interface Entry {
  readonly key: string;
  readonly version: bigint;
}

const gatherMilliseconds = 5;
const againMilliseconds = 250;

export class Refresher {
  private readonly parts: ClientParts;
  private readonly table: Table;
  private gathered: Entry[] = [];
  private readonly asked = new Map<string, number>();
  /** Partitions with a call under way. */
  private readonly out = new Set<number>();
  private sentAt = 0;

  constructor(parts: ClientParts, table: Table) {
    this.parts = parts;
    this.table = table;
  }

  /** Less than T + T/16 is left. */
  isDue({ deadline, timer }: Value): boolean {
    const idle = this.table.idleMilliseconds[timer & 3] ?? 0;
    return deadline !== 0 && deadline < this.parts.routes.now + idle + idle / 16;
  }

  add(key: string, version: bigint): void {
    const { now } = this.parts.routes;
    if (now - (this.asked.get(key) ?? Number.NEGATIVE_INFINITY) < againMilliseconds) return;
    this.asked.set(key, now);
    this.gathered.push({ key, version });
  }

  poll(): void {
    const { now } = this.parts.routes;
    if (this.gathered.length === 0 || now - this.sentAt < gatherMilliseconds) return;
    this.sentAt = now;
    const entries = this.gathered;
    this.gathered = [];
    for (const [partition, some] of this.parts.byPartition(entries)) {
      if (this.out.has(partition)) this.gathered.push(...some);
      else this.send(partition, some);
    }
  }

  private send(partition: number, entries: readonly Entry[]): void {
    const { parts, table } = this;
    const { isCluster } = parts.options.servers;
    this.out.add(partition);
    const keys = entries.map(({ key }) => storedName(parts.partitions, table, key));
    if (isCluster) keys.push(siblingName(partition, table, '!'));
    const idle = [0, 1, 2, 3].map((timer) => String(table.idleMilliseconds[timer] ?? 0));
    const versions = entries.map(({ version }) => u64(version));
    const words = ['FCALL', 'rxnf1_touch', String(keys.length), ...keys, ...idle, ...versions];
    parts.routes.submit({
      partition,
      mutates: true,
      encode: () => [words],
      read: ([reply]) => {
        if (reply instanceof Refusal && reply.why !== 'error') return false;
        this.out.delete(partition);
        return true;
      },
      lost: () => {
        this.out.delete(partition);
        this.gathered.push(...entries);
      },
    });
  }
}
