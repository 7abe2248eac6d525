import { describe, expect, it } from 'vitest';
import { judgeStore } from '../../bench/store/bars.ts';
import { storeRows } from '../../bench/store/rows.ts';

const contest = (name: string, ratioTo?: string) => ({
  name,
  unit: 'lookups/s' as const,
  ...(ratioTo !== undefined && { ratioTo }),
});
const rates = (...perSecond: number[]) =>
  perSecond.map((value) => ({ perSecond: value, lookups: value }));

describe('the rows of the benchmark of stores', () => {
  it('have ratios of the same round, and their median', () => {
    const rows = storeRows(
      [contest('bare'), contest('native', 'bare')],
      new Map([
        ['bare', rates(10, 20, 40)],
        ['native', rates(9, 10, 36)],
      ]),
    );
    expect(rows).toEqual([
      { name: 'bare', unit: 'lookups/s', median: 20, p90: 36 },
      {
        name: 'native',
        unit: 'lookups/s',
        median: 10,
        p90: expect.closeTo(30.8) as number,
        ratioTo: 'bare',
        ratio: 0.9,
      },
    ]);
  });

  it('compare only rounds in which both were measured', () => {
    const rows = storeRows(
      [contest('native', 'bare')],
      new Map([
        ['bare', [undefined, ...rates(20, 40)]],
        ['native', [...rates(5, 10), undefined]],
      ]),
    );
    expect(rows[0]).toMatchObject({ median: 7.5, ratio: 0.5 });
  });

  it('leave out who failed, and carry what a lookup costs and takes', () => {
    const latency = { p50: 1, p90: 2, p99: 3, p999: 4, max: 5 };
    const rows = storeRows(
      [contest('failed'), contest('native', 'failed')],
      new Map([
        [
          'native',
          [
            undefined,
            { perSecond: 5e6, lookups: 9, cpuNanoseconds: 70, serverNanoseconds: 180, latency },
          ],
        ],
      ]),
    );
    expect(rows).toEqual([
      {
        name: 'native',
        unit: 'lookups/s',
        median: 5e6,
        p90: 5e6,
        cpuNanoseconds: 70,
        serverNanoseconds: 180,
        serverShare: 0.9,
        p50: 1,
        p99: 3,
        p999: 4,
      },
    ]);
  });
});

describe('the bars of the benchmark of stores', () => {
  const row = (name: string, median: number, more: object = {}) => ({
    name,
    unit: 'lookups/s',
    median,
    p90: median,
    ...more,
  });

  it('take the NAT and the bare client each at its best depth', () => {
    const bars = judgeStore([
      row('bare C W=1', 5),
      row('bare C W=4', 10),
      row('rxnf NAT, unix W=1', 7),
      row('rxnf NAT, unix W=8', 7.5),
      row('rxnf NAT, unix W=4 burst 256', 11),
    ]);
    expect(bars).toEqual([
      { bar: expect.stringContaining('at its best') as string, measured: 0.75, holds: false },
    ]);
  });

  it('compare rates and processor time with ioredis', () => {
    const bars = judgeStore([
      row('ioredis W=4', 1, { cpuNanoseconds: 900 }),
      row('rxnf lookup W=4', 3),
      row('native client W=4, resting', 2, { cpuNanoseconds: 100 }),
    ]);
    expect(bars.map(({ measured, holds }) => [measured, holds])).toEqual([
      [3, true],
      [9, true],
    ]);
  });
});
