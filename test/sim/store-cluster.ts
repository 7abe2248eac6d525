/**
 * A store as a service: a primary that executes, a replica that follows with a lag, failover, fencing
 * and stalls. Acknowledged and unreplicated calls are lost with their primary.
 */
import type { Random } from './random.ts';
import type { StoreFunctions } from './store-functions.ts';
import type { World } from './world.ts';

/** What a node holds and does. */
export interface Replicated {
  /** Its whole state, for a new replica of it. */
  copy(): this;
}

export interface Node<F extends Replicated = StoreFunctions> {
  readonly functions: F;
  /** Its clock against the world's, milliseconds. */
  readonly skew: number;
}

/** What is executed on a node: deterministic in its state and time, owning all that it refers to. */
export interface Call<T, F extends Replicated = StoreFunctions> {
  readonly mutates: boolean;
  run(functions: F, now: number): T;
}

interface Logged<F extends Replicated> {
  readonly call: Call<unknown, F>;
  readonly now: number;
}

export interface ClusterOptions<F extends Replicated> {
  /** Of the replica behind its primary; undefined: there is no replica. */
  readonly lag?: { readonly least: number; readonly most: number };
  /** Failed-over clocks differ by as much at the most. Well below T/16, as clients allow for. */
  readonly skewMilliseconds: number;
  readonly functions: () => F;
}

export class StoreCluster<F extends Replicated = StoreFunctions> {
  readonly world: World;
  primary: Node<F>;
  replica: Node<F> | undefined;
  /** Counts primaries. */
  epoch = 0;
  stalledUntil = 0;
  /** Told of each call that changes something, and by whom. */
  onChange: (writer: number) => void = () => undefined;
  /** Told of each failover, before anyone can speak to the new primary. */
  readonly onFailover: (() => void)[] = [];
  private readonly random: Random;
  private readonly options: ClusterOptions<F>;
  private readonly fenced = new Set<number>();
  private log: Logged<F>[] = [];
  /** Calls of the log that the replica has run. */
  private applied = 0;
  private lastApply = 0;
  private waiting: { readonly offset: number; readonly done: (proved: boolean) => void }[] = [];

  constructor(world: World, random: Random, options: ClusterOptions<F>) {
    this.world = world;
    this.random = random;
    this.options = options;
    this.primary = { functions: options.functions(), skew: 0 };
    this.replica = options.lag && { functions: this.primary.functions.copy(), skew: this.skew() };
  }

  private skew(): number {
    const { skewMilliseconds } = this.options;
    return this.random.between(-skewMilliseconds, skewMilliseconds);
  }

  get isStalled(): boolean {
    return this.world.now < this.stalledUntil;
  }

  isFenced(writer: number): boolean {
    return this.fenced.has(writer);
  }

  /** From now on nothing that this writer has sent or will send is executed. */
  fence(writer: number): void {
    this.fenced.add(writer);
  }

  /** Runs a call on the primary, at its time. */
  execute<T>(writer: number, call: Call<T, F>): { readonly answer: T; readonly now: number } {
    const now = this.world.now + this.primary.skew;
    const answer = call.run(this.primary.functions, now);
    if (call.mutates) {
      if (this.replica) this.replicate({ call, now });
      this.onChange(writer);
    }
    return { answer, now };
  }

  private replicate(logged: Logged<F>): void {
    const { least, most } = this.options.lag as { least: number; most: number };
    this.log.push(logged);
    const { epoch } = this;
    const time = Math.max(this.lastApply, this.world.now + this.random.between(least, most));
    this.lastApply = time;
    this.world.at(time, () => {
      if (epoch === this.epoch) this.applyNext();
    });
  }

  private applyNext(): void {
    const { call, now } = this.log[this.applied++];
    call.run((this.replica as Node<F>).functions, now);
    const proved = this.waiting.filter(({ offset }) => offset <= this.applied);
    this.waiting = this.waiting.filter(({ offset }) => offset > this.applied);
    for (const { done } of proved) done(true);
  }

  /** Tells when everything executed so far is on the replica, or that this is not known in time. */
  prove(within: number, done: (proved: boolean) => void): void {
    const waiter = { offset: this.log.length, done };
    if (!this.replica || waiter.offset <= this.applied) {
      done(true);
      return;
    }
    this.waiting.push(waiter);
    this.world.after(within, () => {
      const at = this.waiting.indexOf(waiter);
      if (at < 0) return;
      this.waiting.splice(at, 1);
      done(false);
    });
  }

  /** The primary is gone; its replica takes over as far as it has come, with a new replica. */
  failOver(): void {
    if (!this.replica) return;
    const { replica } = this;
    this.epoch++;
    this.primary = replica;
    this.replica = { functions: replica.functions.copy(), skew: this.skew() };
    this.log = [];
    this.applied = 0;
    this.lastApply = 0;
    const { waiting } = this;
    this.waiting = [];
    for (const { done } of waiting) done(false);
    for (const told of this.onFailover) told();
  }
}
