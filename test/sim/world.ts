/**
 * Virtual time: what happens, in order. Times are milliseconds; events of one instant happen in the
 * order in which they were asked for.
 */

interface Event {
  readonly time: number;
  readonly order: number;
  readonly run: () => void;
}

export class World {
  now = 0;
  /** A binary heap, the next event first. */
  private readonly heap: Event[] = [];
  private asked = 0;

  /** Calls `run` in so many milliseconds. */
  after(milliseconds: number, run: () => void): void {
    this.at(this.now + milliseconds, run);
  }

  at(time: number, run: () => void): void {
    const { heap } = this;
    const event = { time: Math.max(time, this.now), order: this.asked++, run };
    let i = heap.length;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!earlier(event, heap[parent])) break;
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = event;
  }

  /** When the next event is due, or infinity. */
  get next(): number {
    return this.heap[0]?.time ?? Number.POSITIVE_INFINITY;
  }

  /** Lets everything happen that is due until `time`, and stands there. */
  runUntil(time: number): void {
    while (this.next <= time) {
      const event = this.take();
      this.now = event.time;
      event.run();
    }
    this.now = time;
  }

  private take(): Event {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop() as Event;
    if (heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && earlier(heap[child + 1], heap[child])) child++;
      if (!earlier(heap[child], last)) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function earlier(a: Event, b: Event): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
