/** What people see of the demonstration: rows while it runs, the summary, what to try next. */
import { relative } from 'node:path';
import Table from 'cli-table3';
import type { DemoSpeed } from './demo-speed.ts';
import type { DemoTotals } from './demo-totals.ts';
import { formatCount, formatMicroseconds, formatRate } from './live-table.ts';

/** A row of the live table: name, packets in, out, flows, dropped, rate. */
export function rowOf(name: string, totals: DemoTotals): string[] {
  const { received, forwarded, flows, droppedPackets, packetsPerSecond } = totals;
  const counts = [received, forwarded, flows, droppedPackets].map(formatCount);
  return [name, ...counts, formatRate(packetsPerSecond)];
}

export function speedRow({ statistics, packetsPerSecond }: DemoSpeed): string[] {
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  const dropped = sum(Object.values(statistics.dropped));
  const counts = [sum(statistics.received), sum(statistics.forwarded)].map(formatCount);
  const rate = formatRate(packetsPerSecond);
  return ['outward alone, full bursts', ...counts, '', formatCount(dropped), rate];
}

/** What the demonstration came to. */
export function demoSummary(totals: DemoTotals, speed: DemoSpeed, output: string): string {
  const latency = totals.latencyMicroseconds;
  const table = new Table({ style: { head: [], border: [] } });
  const drops = [...totals.dropped].sort(([, a], [, b]) => b - a);
  table.push(
    ['packets in', formatCount(totals.received)],
    ['packets out', `${formatCount(totals.forwarded)}, of them ${totals.originated} made here`],
    ['dropped', drops.map(([reason, count]) => `${reason} ${formatCount(count)}`).join('\n')],
    ['held to the end', `${totals.held}, for hosts that never answered ARP`],
    ['accounted for', totals.conserved ? 'every packet' : 'NOT every packet'],
    ['came back wrong', totals.missing + totals.malformed || 'none'],
    ['flows', `${totals.flows}, through ${totals.translations} mappings`],
    [
      'latency in the lane',
      latency
        ? (['p50', 'p90', 'p99', 'p999', 'max'] as const)
            .map((name) => `${name} ${formatMicroseconds(latency[name])}`)
            .join('  ')
        : '-',
    ],
    [
      'speed of one lane',
      [
        `${formatRate(speed.packetsPerSecond)}, outward packets alone, in full bursts`,
        `${formatRate(totals.packetsPerSecond)}, both ways, in the bursts of a few that the servers' turns leave`,
        'from receive to transmit in memory: copying in and out is not counted',
      ].join('\n'),
    ],
    ['translated capture', relative('.', output)],
  );
  return table.toString();
}

export function nextSteps(output: string, hasDpdk: boolean): string {
  const steps = [
    [`tshark -r ${relative('.', output)}`, 'the packets that the NAT sent, checksums and all'],
    ['npm run -s rxnf doctor', 'what this machine has for real ports'],
    ['npm run -s rxnf ports', 'what a port can be made of here'],
    hasDpdk
      ? ['npm run -s rxnf run examples/nat.yaml', 'a NAT on two interfaces: name yours in the file']
      : ['npm run -s rxnf run examples/capture.yaml', 'a NAT from capture to capture'],
    ['npm run bench -- datapath', 'how fast, against testpmd and hand-written C++'],
    ['README.md', 'a NAT in fifteen lines, and on a real port'],
  ];
  const width = Math.max(...steps.map(([command = '']) => command.length));
  return [
    'What to try next:',
    ...steps.map(([command = '', why]) => `  ${command.padEnd(width)}  ${why}`),
  ].join('\n');
}
