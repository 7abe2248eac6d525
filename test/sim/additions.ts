/** Additions to records of the store, each of which must count once: some are told so, some nobody knows of. */
import { count, record, table } from 'rxnf';
import { RecordRows, recordRow, type StoreSession } from '../../src/state/store.ts';
import type { AnyTable } from '../../src/state/table.ts';
import { keyBytes } from './columns.ts';
import { tokenOf } from './network-functions.ts';
import type { Random } from './random.ts';
import type { StoreView } from './store-view.ts';
import { mayBeSumOf } from './subset-sum.ts';
import { Violation } from './violation.ts';

const totalRecord = record('total', 1, { additions: count, sum: count });
const totals = table('total', totalRecord, { capacity: 64 }) as AnyTable;
const keys = Array.from({ length: 4 }, (_, n) => `total ${n}`.padEnd(16, '\0'));

interface Addition {
  readonly key: string;
  readonly token: number;
  isKnown: boolean;
}

export class Additions {
  private readonly asked: Addition[] = [];
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  /** Adds to one record or two. */
  add(session: StoreSession): void {
    const some = keys.filter(() => this.random.chance(0.4));
    const rows = new RecordRows(totalRecord.size, keys.length);
    rows.count = some.length;
    const additions = some.map((key, i): Addition => {
      const token = tokenOf(this.asked.length + i);
      const at = i * rows.stride;
      rows.bytes.set(keyBytes(key), at);
      rows.view.setFloat64(at + recordRow.record + totalRecord.offsets.additions, 1, true);
      rows.view.setFloat64(at + recordRow.record + totalRecord.offsets.sum, token, true);
      return { key, token, isKnown: false };
    });
    const isAsked = session.add(totals, rows, (added) => {
      additions.forEach((addition, i) => {
        if (addition.isKnown)
          throw new Violation(4, `an addition was told of twice: ${addition.token}`);
        addition.isKnown = added[i] === 1;
      });
    });
    if (isAsked) this.asked.push(...additions);
  }

  check(view: StoreView): void {
    for (const key of keys) {
      const mine = this.asked.filter((addition) => addition.key === key);
      const known = mine.filter(({ isKnown }) => isKnown);
      const unsure = mine.filter(({ isKnown }) => !isKnown).map(({ token }) => token);
      const { additions, sum } = totalOf(view, key);
      const extra = additions - known.length;
      const rest = known.reduce((left, { token }) => left - token, sum) >>> 0;
      if (extra >= 0 && extra <= unsure.length && mayBeSumOf(rest, extra, unsure)) continue;
      throw new Violation(
        4,
        `${key.replaceAll('\0', '')} has ${additions} additions, where ${known.length} were told that they` +
          ` were counted and ${unsure.length} were lost on the way: not each of them exactly once`,
      );
    }
  }
}

function totalOf(view: StoreView, key: string) {
  const value = view.entries('total').get(key);
  if (!value) return { additions: 0, sum: 0 };
  const bytes = new DataView(value.record.buffer, value.record.byteOffset);
  const { additions, sum } = totalRecord.offsets;
  return { additions: bytes.getFloat64(additions, true), sum: bytes.getFloat64(sum, true) };
}
