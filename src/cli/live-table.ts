/** What an instance is doing, as a table for people. */
import Table from 'cli-table3';
import type { InstanceSummary } from '../instance/summary.ts';

export interface Rates {
  /** Packets a second. */
  readonly received: number;
  readonly forwarded: number;
}

/** Rates between two looks at an instance. */
export class RateMeter {
  private last = { received: 0, forwarded: 0, milliseconds: 0 };

  look(now: { received: number; forwarded: number }, milliseconds: number): Rates {
    const { last } = this;
    const seconds = Math.max(1, milliseconds - last.milliseconds) / 1000;
    this.last = { received: now.received, forwarded: now.forwarded, milliseconds };
    return {
      received: (now.received - last.received) / seconds,
      forwarded: (now.forwarded - last.forwarded) / seconds,
    };
  }
}

export function liveTable(summary: InstanceSummary, rates: Rates): string {
  const table = new Table({
    head: ['port', 'link', 'in', 'out', 'missed', 'no buffer'],
    style: { head: [], border: [] },
  });
  for (const [name, port] of Object.entries(summary.ports)) {
    const link = port.gone ? 'gone' : port.linkUp ? 'up' : 'down';
    const counts = [port.receivedPackets, port.transmittedPackets, port.missed, port.noBuffer];
    table.push([name, link, ...counts.map(formatCount)]);
  }
  const latency = summary.latencyMicroseconds;
  const drops = Object.entries(summary.droppedByReason)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 4)
    .map(([reason, count]) => `${reason} ${formatCount(count)}`);
  return [
    table.toString(),
    `in ${formatRate(rates.received)}  out ${formatRate(rates.forwarded)}  flows ${formatCount(summary.flows)}  held ${summary.held}`,
    `latency p50 ${formatMicroseconds(latency?.p50)}  p99 ${formatMicroseconds(latency?.p99)}  dropped: ${drops.join(', ') || 'none'}`,
  ].join('\n');
}

/** `1234567` as `1,234,567`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** Packets a second, in the unit that fits. */
export function formatRate(packetsPerSecond: number): string {
  if (packetsPerSecond >= 1e6) return `${(packetsPerSecond / 1e6).toFixed(2)} Mpps`;
  if (packetsPerSecond >= 1e3) return `${(packetsPerSecond / 1e3).toFixed(1)} kpps`;
  return `${packetsPerSecond.toFixed(0)} pps`;
}

export function formatMicroseconds(microseconds: number | undefined): string {
  if (microseconds === undefined) return '-';
  if (microseconds >= 1000) return `${(microseconds / 1000).toFixed(1)} ms`;
  return `${microseconds.toFixed(microseconds < 10 ? 1 : 0)} us`;
}
