/**
 * Tells what happens to ports from their counters: each change once, and what grows (packets missed,
 * no buffers) at most every ten seconds a port.
 */
import type { PortCounters } from '../native.ts';

export interface PortEvent {
  readonly event:
    | 'gone'
    | 'filtered'
    | 'link-down'
    | 'link-up'
    | 'reset'
    | 'missed'
    | 'no-buffer'
    | 'receive-errors'
    | 'transmit-errors'
    | 'multi-segment';
  readonly port: string;
  /** How many since the instance began, where the event is about packets. */
  readonly packets?: number;
  /** What to do. */
  readonly mend?: string;
}

const quietMilliseconds = 10_000;

const growing = [
  [
    'missed',
    'missed',
    'packets came faster than they were taken: more lanes, or see which stage is slow',
  ],
  [
    'no-buffer',
    'noBuffer',
    'packets wait somewhere for long: see `held`, and whether a port is stuck',
  ],
  ['receive-errors', 'receiveErrors', 'see `ethtool -S` of the device'],
  [
    'transmit-errors',
    'transmitErrors',
    'see `ethtool -S` of the device, and whether its link is up',
  ],
  [
    'multi-segment',
    'multiSegment',
    'frames longer than a buffer: turn gro and lro off (ethtool -K DEVICE gro off lro off), or raise mtu',
  ],
] as const;

export class PortWatch {
  private readonly port: string;
  private linkUp: boolean;
  private gone = false;
  private resets = 0;
  private readonly seen = new Map<string, { packets: number; told: number }>();

  /** @param linkUp as the port was when it was opened, which has been told */
  constructor(port: string, linkUp: boolean) {
    this.port = port;
    this.linkUp = linkUp;
  }

  /** What has happened since the last call. */
  look(counters: PortCounters, nowMilliseconds: number): PortEvent[] {
    if (this.gone) return [];
    const { port } = this;
    if (counters.gone) {
      this.gone = true;
      return [{ event: 'gone', port, mend: 'start again once the device is back' }];
    }
    const events: PortEvent[] = [];
    if (counters.linkUp !== this.linkUp) {
      this.linkUp = counters.linkUp;
      events.push({ event: counters.linkUp ? 'link-up' : 'link-down', port });
    }
    if (counters.resets > this.resets) {
      this.resets = counters.resets;
      events.push({ event: 'reset', port });
    }
    for (const [event, counter, mend] of growing) {
      const packets = counters[counter];
      const last = this.seen.get(event) ?? { packets: 0, told: Number.NEGATIVE_INFINITY };
      const due = nowMilliseconds - last.told >= quietMilliseconds;
      if (packets <= last.packets || !due) continue;
      this.seen.set(event, { packets, told: nowMilliseconds });
      events.push({ event, port, packets, mend });
    }
    return events;
  }
}
