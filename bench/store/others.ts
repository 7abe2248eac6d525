/**
 * How much of the machine others use meanwhile. A client and a server have two cores between them: a third
 * process on these takes from one or the other.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Processor time in ticks of 10 ms, as Linux tells it to every process (USER_HZ). */
const ticksPerSecond = 100;
const windowMilliseconds = 500;

/** Processors that others may have before a measurement counts as disturbed. */
export const tolerated = 0.1;

/**
 * Ticks of any process or of the hypervisor's other guests, by /proc/stat: user, nice, system, steal. Not
 * those of interrupts, which nobody is charged for.
 */
export function busyTicks(stat: string): number {
  const [, user = 0, nice = 0, system = 0, , , , , steal = 0] =
    stat.split('\n', 1)[0]?.split(/\s+/).map(Number) ?? [];
  return user + nice + system + steal;
}

/** Ticks of a process and of its children that have ended: fields 14 to 17 of /proc/PID/stat. */
export function processTicks(stat: string): number {
  // The program's name, in brackets, may have anything in it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}

interface Reading {
  readonly milliseconds: number;
  readonly ticks: number;
}

export class Others {
  private readonly mine: readonly (number | 'self')[];
  private patienceMilliseconds: number;

  /** @param patienceSeconds that `calm` waits in all, over the whole run */
  constructor(servers: readonly number[], patienceSeconds: number) {
    this.mine = ['self', ...servers];
    this.patienceMilliseconds = patienceSeconds * 1000;
  }

  get isImpatient(): boolean {
    return this.patienceMilliseconds <= 0;
  }

  /** Comes back when others rest, or when patience is at its end. */
  async calm(): Promise<void> {
    while (this.patienceMilliseconds > 0) {
      const before = this.read();
      await sleep(windowMilliseconds);
      if (this.since(before) <= tolerated) return;
      this.patienceMilliseconds -= windowMilliseconds;
    }
  }

  read(): Reading {
    const mine = this.mine.map((pid) => processTicks(readFileSync(`/proc/${pid}/stat`, 'utf8')));
    const busy = busyTicks(readFileSync('/proc/stat', 'utf8'));
    return { milliseconds: performance.now(), ticks: mine.reduce((left, n) => left - n, busy) };
  }

  /** Processors that others had since a reading. */
  since({ milliseconds, ticks }: Reading): number {
    const now = this.read();
    const seconds = (now.milliseconds - milliseconds) / 1000;
    return Math.max(0, (now.ticks - ticks) / ticksPerSecond / seconds);
  }
}
