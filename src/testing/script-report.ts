/** What is shown of a packet script that failed: what was expected and what came, moment by moment. */
import type { LaneEvent } from '../streams/lane.ts';
import type { Bindings } from './script-fill.ts';
import type { Difference } from './script-match.ts';
import type { PacketLine } from './script-parse.ts';

/** A line of the report: a packet that was sent, or one expected, got, or both. */
export interface Row {
  readonly milliseconds: number;
  readonly port: string;
  readonly sent?: PacketLine;
  readonly expected?: PacketLine;
  readonly got?: string;
  readonly differences?: readonly Difference[];
  readonly problem?: string;
}

const shownEvents = 5;

export function isGood(row: Row): boolean {
  return row.problem === undefined && (row.differences ?? []).length === 0;
}

export function report(
  rows: readonly Row[],
  problems: readonly string[],
  dropped: Readonly<Record<string, number>>,
  bindings: Bindings,
  events: readonly LaneEvent[],
): string {
  const counted = Object.entries(dropped).flatMap(([reason, count]) =>
    count > 0 ? [`${reason}=${count}`] : [],
  );
  const bound = [...bindings].map(([name, value]) => `$${name}=${value}`);
  return [
    'the packet script failed',
    ...rows.flatMap(formatRow),
    ...problems.map((problem) => `! ${problem}`),
    `dropped: ${counted.join(' ') || 'none'}`,
    ...(bound.length > 0 ? [`bound: ${bound.join(' ')}`] : []),
    ...events.slice(0, shownEvents).map((event) => `  ${JSON.stringify(event)}`),
  ].join('\n');
}

function formatRow(row: Row): string[] {
  const { sent, expected, got, differences = [], problem } = row;
  const good = isGood(row);
  const head = `${good ? ' ' : '!'} ${formatTime(row.milliseconds).padStart(8)} ${row.port.padEnd(8)}`;
  const indent = ' '.repeat(head.length);
  if (sent)
    return [
      `${head} in       ${sent.letter}: ${sent.text}`,
      ...(problem ? [`${indent} ${problem}`] : []),
    ];
  if (good) return [`${head} out      ${got}`];
  return [
    `${head} expected ${expected ? `${expected.letter}: ${expected.text}  (line ${expected.line})` : 'nothing'}`,
    `${indent} got      ${got ?? 'nothing'}`,
    ...differences.map(
      ({ field, expected: wanted, got: found }) =>
        `${indent}   ${field}: expected ${wanted}, got ${found}`,
    ),
  ];
}

function formatTime(milliseconds: number): string {
  return `${Math.round(milliseconds * 1e3) / 1e3}ms`;
}
