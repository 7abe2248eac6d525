/** Text tables for commands that answer once. */
import type { Writable } from 'node:stream';
import Table from 'cli-table3';

/** No rules, no colour: a row is a line that grep finds and a mouse copies. */
export function writeTable(
  out: Writable,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const none = Object.fromEntries(edges.map((edge) => [edge, '']));
  const table = new Table({
    head: [...head],
    chars: { ...none, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows) table.push([...row]);
  out.write(`${table.toString().replace(/ +$/gm, '')}\n`);
}

const edges = [
  ...['top', 'top-mid', 'top-left', 'top-right'],
  ...['bottom', 'bottom-mid', 'bottom-left', 'bottom-right'],
  ...['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'],
] as const;
