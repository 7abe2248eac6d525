/**
 * Work that comes due by the lane clock, done between breaths. Times are milliseconds that wrap at
 * 2^32, compared as signed differences.
 */
interface Task {
  readonly interval: number;
  due: number;
  readonly run: (nowMilliseconds: number) => void;
}

export class Tasks {
  private readonly tasks: Task[] = [];
  /** When the first of them is due. */
  private next = 0;

  /** Calls `run` every `interval` milliseconds, first that long from `now`. */
  every(interval: number, now: number, run: (nowMilliseconds: number) => void): void {
    const due = (now + interval) >>> 0;
    if (this.tasks.length === 0 || ((due - this.next) | 0) < 0) this.next = due;
    this.tasks.push({ interval, due, run });
  }

  /** Runs what has come due. One comparison when nothing has. */
  run(now: number): void {
    if (((now - this.next) | 0) < 0) return;
    for (const task of this.tasks) {
      if (((now - task.due) | 0) < 0) continue;
      task.due = (now + task.interval) >>> 0;
      task.run(now);
    }
    this.next = this.tasks.reduce(
      (first, { due }) => (((due - first) | 0) < 0 ? due : first),
      this.tasks[0]?.due ?? now,
    );
  }
}
