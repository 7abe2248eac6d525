/** One life of one instance: a lane over memory ports, with a session of its own at the store. */
import { MemoryPort, memoryPool, type NetworkFunction } from 'rxnf';
import { native } from '../../src/native.ts';
import { openLane } from '../../src/nfs/network-function.ts';
import type { Lane, LaneEvent } from '../../src/streams/lane.ts';
import { findLost, findReported } from '../../src/testing/conservation.ts';
import type { SimStore, SimulatedSession } from './service.ts';
import type { World } from './world.ts';

export type PortName = 'inside' | 'outside';

const shape = { batches: 4, burst: 8, spare: 2, virtualClock: true, debug: true } as const;
const buffers = 128;
/** At one instant: far above what the ports can hold. */
const maxBreaths = 64;

export class Instance {
  readonly writer: number;
  readonly session: SimulatedSession;
  /** May not run before this time. */
  pausedUntil = 0;
  alive = true;
  /** Packets given to it so far, for their order. */
  arrivals = 0;
  private readonly world: World;
  private readonly lane: Lane;
  private readonly pool = memoryPool(buffers);
  private readonly ports: Readonly<Record<PortName, MemoryPort>>;
  private readonly events: LaneEvent[] = [];

  constructor(world: World, writer: number, nf: NetworkFunction, store: SimStore) {
    this.world = world;
    this.writer = writer;
    const port = (name: PortName, last: number) =>
      new MemoryPort({
        name,
        pool: this.pool,
        capacity: 64,
        mac: new Uint8Array([2, 0, 0, 0, 0, last]),
      });
    this.ports = { inside: port('inside', 1), outside: port('outside', 2) };
    const sessions: SimulatedSession[] = [];
    const opened: SimStore = {
      open: (lane) => {
        lane.advance(Math.round(world.now * 1e6) - lane.nowNanoseconds);
        const session = store.open(lane);
        sessions.push(session);
        return session;
      },
    };
    this.lane = openLane(nf, opened, {
      ...shape,
      pool: this.pool,
      ports: [this.ports.inside, this.ports.outside],
      writer,
      log: (event) => void (this.events.length < 100 && this.events.push(event)),
    });
    this.session = sessions[0];
  }

  get isPaused(): boolean {
    return this.world.now < this.pausedUntil;
  }

  /** False when its port or its memory is full. */
  receive(port: PortName, frame: Uint8Array): boolean {
    this.arrivals++;
    return this.ports[port].push(frame);
  }

  /** Runs until there is nothing to do at this instant, handing out what it sends. */
  turn(sent: (frame: Uint8Array) => void): void {
    this.lane.advance(Math.round(this.world.now * 1e6) - this.lane.nowNanoseconds);
    for (let breaths = 0; breaths < maxBreaths; breaths++) {
      const received = this.lane.breathe();
      let taken = 0;
      for (const name of ['inside', 'outside'] as const) {
        for (let frame = this.ports[name].take(); frame; frame = this.ports[name].take()) {
          taken++;
          sent(frame);
        }
      }
      if (received === 0 && taken === 0 && breaths > 0) return;
    }
    throw new Error(`an instance is still busy after ${maxBreaths} breaths at one instant`);
  }

  dropped(reason: string): number {
    return this.lane.statistics().dropped[reason] ?? 0;
  }

  get isAtRest(): boolean {
    const { held, batchesOut } = this.lane.statistics();
    return held === 0 && batchesOut === 0;
  }

  /** What is off once it has come to rest. */
  faults(): string[] {
    const statistics = this.lane.statistics();
    const pool = { capacity: this.pool.capacity, available: native.available(this.pool) };
    const pipeline = this.events.filter(({ event }) => event === 'pipeline-failed');
    return [...findLost(statistics, pool), ...findReported(statistics, pipeline, true)];
  }

  /** Ends at once: nothing is given back, what was to be sent is not. */
  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    this.session.kill();
    this.lane.close();
    if (this.pool.number !== undefined) native.closePool(this.pool.number);
  }
}
