/** The figures as people read them. */
import Table from 'cli-table3';
import type { Verdict } from './bars.ts';
import { NOISY_SPREAD, type Row } from './rows.ts';

/** A table for each setting, in Mpps of one core. */
export function throughputTable(rows: readonly Row[]): string {
  const table = new Table({
    head: ['flows/burst', 'contender', 'Mpps', 'p90', 'min', 'ns/packet', 'ratio', 'to', ''],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'left', 'left'],
    style: { head: [], border: [], compact: true },
  });
  let last = '';
  for (const row of rows.filter((r) => r.unit === 'Mpps')) {
    const again = row.name === last;
    last = row.name;
    const figures = [row.median, row.p90, row.min, row.nsPerPacket ?? Number.NaN];
    table.push([
      ...(again ? ['', '', '', '', '', ''] : [row.setting, row.contender, ...figures.map(figure)]),
      row.ratio === undefined ? '' : row.ratio.toFixed(2),
      row.ratioTo ?? '',
      again ? '' : remarks(row),
    ]);
  }
  return table.toString();
}

export function otherFigures(rows: readonly Row[]): string[] {
  return rows
    .filter((row) => row.unit !== 'Mpps')
    .map(
      (row) =>
        `${row.name}: ${figure(row.median)} ${row.unit} (at most ${figure(row.p90)} in 9 of 10)`,
    );
}

export function verdictLines(verdicts: readonly Verdict[]): string[] {
  return verdicts.map(
    ({ bar, setting, measured, holds }) =>
      `${holds ? 'holds ' : 'MISSED'} ${setting.padEnd(14)} ${bar}: ${figure(measured)}`,
  );
}

function remarks(row: Row): string {
  const noisy = (row.spread ?? 0) > NOISY_SPREAD;
  const shared = (row.wallMpps ?? row.median) < 0.9 * row.median;
  return [
    noisy ? `noisy: ${Math.round((row.spread ?? 0) * 100)} % spread` : '',
    shared ? 'core shared' : '',
  ]
    .filter((remark) => remark !== '')
    .join(', ');
}

function figure(value: number): string {
  return value.toFixed(value < 10 ? 2 : 1);
}
