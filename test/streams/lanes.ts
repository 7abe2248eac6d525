/** A lane on a virtual clock, over memory ports of one pool. */
import { Lane, type LaneEvent, type LaneOptions, MemoryPort, memoryPool } from 'rxnf';
import { native } from '../../src/native.ts';

export interface MadeLane {
  readonly lane: Lane;
  readonly ports: readonly MemoryPort[];
  readonly events: LaneEvent[];
  /** Buffers neither in a ring nor in a batch. */
  free(): number;
  /** Moves the clock, with a breath every millisecond. */
  wait(milliseconds: number): void;
}

export const buffers = 256;

export function makeLane(options: Partial<LaneOptions> & { portCount?: number } = {}): MadeLane {
  const { portCount = 2, ...rest } = options;
  const pool = memoryPool(buffers);
  const ports = Array.from(
    { length: portCount },
    (_, i) => new MemoryPort({ name: `p${i}`, pool, capacity: 64 }),
  );
  const events: LaneEvent[] = [];
  const shape = { burst: 8, batches: 4, spare: 4, virtualClock: true, debug: true };
  const log = (event: LaneEvent) => void events.push(event);
  const lane = new Lane({ pool, ports, ...shape, log, ...rest });
  return {
    lane,
    ports,
    events,
    free: () => native.available(pool),
    wait(milliseconds) {
      for (let i = 0; i < milliseconds; i++) {
        lane.advance(1e6);
        lane.breathe();
      }
    },
  };
}

/** A frame of 60 bytes that says which it is in its last. */
export function frame(n = 0): Uint8Array {
  const bytes = new Uint8Array(60);
  bytes[59] = n;
  return bytes;
}
