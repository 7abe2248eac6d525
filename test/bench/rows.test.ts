import { describe, expect, it } from 'vitest';
import { judge } from '../../bench/datapath/bars.ts';
import type { Answer } from '../../bench/datapath/contenders.ts';
import { memoryRows } from '../../bench/datapath/memory-churn.ts';
import { rowsOf, settingName } from '../../bench/datapath/rows.ts';

const setting = { flows: 10_000, burst: 128, newFlows: 0 };
const answer = (nsPerPacket: number, more: Partial<Answer> = {}): Answer => ({
  mpps: 900 / nsPerPacket,
  nsPerPacket,
  packets: 1e6,
  ...more,
});

describe('the rows of the datapath benchmark', () => {
  it('name their setting', () => {
    expect(settingName(setting)).toBe('10k/128');
    expect(settingName({ flows: 1_000_000, burst: 64, newFlows: 0.1 })).toBe('1m/64+10%');
  });

  it('compare within each round, and report the median of the ratios', () => {
    const rows = rowsOf(
      setting,
      new Map([
        ['fused-nat', [answer(20), answer(40), answer(20)]],
        ['rxnf-nat', [answer(25), answer(40), answer(40)]],
      ]),
    );
    const row = rows.find((r) => r.contender === 'rxnf-nat' && r.ratioTo === 'fused-nat');
    expect(row).toMatchObject({ name: 'rxnf-nat 10k/128', unit: 'Mpps', median: 25, min: 25 });
    expect(row?.ratio).toBeCloseTo(0.8);
    expect(row?.spread).toBeCloseTo(0.6);
  });

  it('leave out what no round reports, and rounds that one of two did not finish', () => {
    const rows = rowsOf(
      setting,
      new Map([
        ['fused-nat', [answer(20)]],
        ['rxnf-nat', [answer(40, { bytesPerBatch: 3 }), answer(10)]],
      ]),
    );
    expect(rows.filter((r) => r.contender === 'fused-nat').map((r) => r.unit)).toEqual(['Mpps']);
    expect(rows.find((r) => r.unit === 'bytes/batch')?.median).toBe(3);
    expect(rows.find((r) => r.ratioTo === 'fused-nat')?.ratio).toBeCloseTo(0.5);
  });

  it('give the growth of memory over the second half of the samples', () => {
    const samples = Array.from({ length: 10 }, (_, i) => ({
      seconds: i * 60,
      residentBytes: i < 5 ? i * 1e9 : 5e9 + i * 2048,
      heapBytes: 5e6 - i * 1024,
      externalBytes: 7,
      bindings: i < 5 ? i : 40 + i,
    }));
    const rows = memoryRows('rxnf-nat', { ...setting, newFlows: 0.1 }, samples);
    expect(rows.map((r) => r.unit)).toEqual([...Array(3).fill('KiB/minute'), 'records']);
    expect(rows[0]?.median).toBeCloseTo(2);
    expect(rows[1]?.median).toBeCloseTo(-1);
    expect(rows[2]?.median).toBeCloseTo(0);
    expect(rows[3]).toMatchObject({
      name: 'rxnf-nat 10k/128+10% bindings held',
      median: 47,
      min: 45,
    });
    expect(judge(rows).map((v) => v.holds)).toEqual([true, true, true]);
  });
});

describe('the bars', () => {
  const judged = (ours: number, burst: number) =>
    judge(
      rowsOf(
        { ...setting, burst },
        new Map([
          ['fused-nat', [answer(10)]],
          ['rxnf-nat', [answer(ours)]],
        ]),
      ),
    );

  it('are those of the burst, and hold from their value on', () => {
    expect(judged(10 / 0.87, 128)).toMatchObject([{ setting: '10k/128', holds: false }]);
    expect(judged(10 / 0.89, 128)).toMatchObject([{ holds: true }]);
    expect(judged(10 / 0.87, 64)).toMatchObject([{ setting: '10k/64', holds: true }]);
  });

  it('say nothing where nothing was compared', () => {
    expect(judge(rowsOf(setting, new Map([['rxnf-nat', [answer(10)]]])))).toEqual([]);
  });
});
