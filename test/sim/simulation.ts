/**
 * One simulated run: instances with the real operators and the real NAT, against a simulated store, with
 * the faults that a plan names, on virtual time. Everything follows from the plan.
 */
import type { Bug } from './bugs.ts';
import { HistoryRecorder } from './history.ts';
import { Instance } from './instance.ts';
import { Judge } from './judge.ts';
import { flows, idleMilliseconds, simulatedFunction } from './network-functions.ts';
import { type Endpoint, tcpFlags } from './packets.ts';
import type { Plan } from './plan.ts';
import { Random } from './random.ts';
import { SimSession, simStore } from './session.ts';
import { checkEmpty, checkRecords } from './state-checks.ts';
import { StoreCluster } from './store-cluster.ts';
import { StoreFunctions } from './store-functions.ts';
import { Violation } from './violation.ts';
import { World } from './world.ts';

export interface Failure {
  readonly plan: Plan;
  /** Of the design; 0: something threw that should not have. */
  readonly promise: number;
  readonly message: string;
  /** What led to it, the last lines. */
  readonly story: readonly string[];
}

/** What happened in runs that kept every promise. */
export interface Tally {
  /** Packets that instances took, those that left, and those of them that were answers. */
  given: number;
  left: number;
  answers: number;
  /** Lives of instances. */
  instances: number;
}

/**
 * Runs a plan to its end; undefined when every promise was kept. Whoever runs many lets the event loop
 * turn in between: the native memory of lanes that are gone (15 MB a run) is freed there.
 */
export function simulate(plan: Plan, bug: Bug = { what: '' }, tally?: Tally): Failure | undefined {
  const restore = bug.patch?.();
  const simulation = new Simulation(plan, bug);
  try {
    simulation.run();
    if (tally) simulation.count(tally);
    return undefined;
  } catch (error) {
    const promise = error instanceof Violation ? error.promise : 0;
    const message = error instanceof Violation ? error.message : String((error as Error).stack);
    return { plan, promise, message, story: simulation.story };
  } finally {
    simulation.close();
    restore?.();
  }
}

/** Longest pause of an instance that is not fenced for it: well below an idle life. */
const longestPause = 0.4 * idleMilliseconds;
const longestStory = 40;
/** Calls under way at once: far above what a lane's batches, leases and sweeps can ask. */
const mostUnderWay = 256;
/** Numbers of the fenced are due after so long: longer than a releaser may be paused. */
const fencedGraceMilliseconds = 2500;
/** Within this all that was leased, left behind or forgotten comes back (src/nfs/nat/orphans.ts). */
const recoveryMilliseconds = 2_000_000;

class Simulation {
  readonly story: string[] = [];
  private readonly plan: Plan;
  private readonly bug: Bug;
  private readonly world = new World();
  private readonly random: Random;
  private readonly cluster: StoreCluster;
  private readonly judge: Judge;
  private readonly history: HistoryRecorder;
  private readonly faults;
  /** All that run, those that are taken for dead included. */
  private running: Instance[] = [];
  /** Those that get packets. */
  private steered: Instance[] = [];
  private writers = 0;
  private calm = false;

  constructor(plan: Plan, bug: Bug) {
    this.plan = plan;
    this.bug = bug;
    this.random = new Random(plan.seed ^ 0x51f15e);
    const { lostReplies, lostRequests } = plan;
    const most = this.random.between(0.1, 3);
    this.faults = { delay: { least: 0.02, most }, lostRequests, lostReplies, patience: 400 };
    const Functions = bug.functions ?? StoreFunctions;
    this.cluster = new StoreCluster(this.world, this.random.fork(), {
      ...(plan.replicas > 0 && { lag: { least: 0.05, most: this.random.between(0.1, 12) } }),
      skewMilliseconds: idleMilliseconds / 40,
      functions: () => new Functions(),
    });
    this.judge = new Judge(this.cluster, plan.replicas, (text) => this.tell(text));
    this.history = new HistoryRecorder(this.world, flows.storage);
    this.cluster.onChange = (writer) => this.changed(writer);
  }

  run(): void {
    const { plan, random, world } = this;
    for (let i = 0; i < plan.instances; i++) this.startInstance();
    const end = this.schedulePackets(random.fork());
    const during = (count: number, run: () => void) => {
      for (let i = 0; i < count; i++) world.at(random.between(1, end), run);
    };
    during(plan.kills, () => this.killOne());
    during(plan.pauses, () => this.pauseOne());
    during(plan.stalls, () => this.stall());
    during(plan.failovers, () => this.failOver());
    this.goOn(end + 50);
    this.comeToRest();
    this.recover();
  }

  close(): void {
    for (const instance of this.running) instance.kill();
  }

  count(tally: Tally): void {
    const { given, left, answers } = this.judge.tally;
    tally.given += given;
    tally.left += left;
    tally.answers += answers;
    tally.instances += this.writers;
  }

  private tell(text: string): void {
    if (this.story.length === longestStory) this.story.shift();
    this.story.push(`${this.world.now.toFixed(3).padStart(10)} ms  ${text}`);
  }

  private startInstance(): void {
    const writer = ++this.writers;
    const { cluster, faults, history, plan, bug } = this;
    const nf = simulatedFunction({
      translation: plan.translation,
      editsFirst: bug.editsFirst ?? false,
      counted: {
        throwsOn: (id) => this.judge.throwsOn(id),
        committed: (id, count) => this.judge.committed(id, count),
      },
    });
    const store = simStore(bug.session ?? SimSession, {
      cluster,
      random: this.random.fork(),
      faults,
      replicas: plan.replicas,
      writer,
      history,
      fencedGraceMilliseconds: bug.fencedGraceMilliseconds ?? fencedGraceMilliseconds,
      auditMilliseconds: 250,
      watch: this.watchWrites(writer),
    });
    const instance = new Instance(this.world, writer, nf, store);
    this.running.push(instance);
    this.steered.push(instance);
    this.tell(`instance ${writer} starts`);
  }

  /** One outstanding write a key and lane: that is what in-flight slots are for. */
  private watchWrites(writer: number) {
    const underWay = new Set<string>();
    const name = (table: { storage: string }, key: string) => `${table.storage} ${key}`;
    return {
      started: (table: { storage: string }, keys: readonly string[]) => {
        for (const key of keys) {
          if (underWay.has(name(table, key)))
            throw new Violation(9, `instance ${writer} writes a ${table.storage} twice at once`);
          underWay.add(name(table, key));
        }
      },
      done: (table: { storage: string }, keys: readonly string[]) => {
        for (const key of keys) underWay.delete(name(table, key));
      },
    };
  }

  /** Bursts of packets, with pauses that a binding survives, or not, or nearly. Returns the last's time. */
  private schedulePackets(random: Random): number {
    const { plan, world } = this;
    const endpoints = Array.from(
      { length: plan.endpoints },
      (_, i): Endpoint => ({
        host: random.whole(0, 7),
        port: 5000 + i,
        protocol: random.pick(['udp', 'udp', 'tcp']),
      }),
    );
    const flags = [tcpFlags.syn, tcpFlags.ack, tcpFlags.ack, tcpFlags.finAck];
    let time = 5;
    for (let burst = 0; burst < plan.bursts; burst++) {
      const length = random.between(0, 40);
      for (let i = burst; i < plan.packets; i += plan.bursts) {
        const endpoint = random.pick(endpoints);
        const remotePort = random.pick([53, 53, 80]);
        const flag = random.pick(flags);
        const throws = random.chance(plan.throws);
        const at = random.next();
        world.at(time + random.between(0, length), () => {
          const instance = this.instanceFor(endpoint.port, at);
          this.judge.sendOut(instance, endpoint, remotePort, flag, throws);
        });
      }
      time += length;
      if (burst < plan.bursts - 1)
        time += random.pick(
          [10, 0.4, 0.9, 1.2, 1.3, 1.6].map((n) => (n < 10 ? n * idleMilliseconds : n)),
        );
    }
    return time;
  }

  private instanceFor(flow: number, chance: number): Instance {
    const at = this.plan.spread
      ? Math.floor(chance * this.steered.length)
      : flow % this.steered.length;
    return this.steered[at];
  }

  /** Time passes until `end`, every instance running as often as it has something to do. */
  private goOn(end: number, longestStep = 20): void {
    const { world } = this;
    while (world.now < end) {
      const busy = this.running.some(({ session }) => session.link.waiting > 0);
      const soon = busy ? world.now + 1 : Math.max(world.next, world.now + 1);
      world.runUntil(Math.min(soon, world.now + longestStep, end));
      for (const instance of this.running) this.turn(instance);
    }
  }

  private turn(instance: Instance): void {
    if (instance.isPaused || !instance.alive) return;
    instance.turn((frame) => {
      const left = this.judge.emitted(instance, frame);
      if (!left || this.calm || this.random.chance(0.4)) return;
      const late = this.random.chance(0.1);
      const delay = late
        ? idleMilliseconds * this.random.between(0.4, 1.6)
        : this.random.between(0.2, 8);
      this.world.after(delay, () => {
        if (this.calm) return;
        const back = this.instanceFor(left.external, this.random.next());
        this.judge.sendBack(back, left.packet, left.external);
      });
    });
    if (instance.session.link.waiting > mostUnderWay)
      throw new Violation(
        14,
        `instance ${instance.writer} has ${instance.session.link.waiting} calls under way`,
      );
  }

  private changed(writer: number): void {
    if (this.cluster.isFenced(writer))
      throw new Violation(6, `writer ${writer} has changed something after it was fenced`);
    checkRecords(this.cluster.primary.functions, 'the primary');
  }

  private killOne(): void {
    const victim = this.random.pick(this.steered);
    this.tell(`instance ${victim.writer} is killed`);
    victim.kill();
    this.replace(victim);
    this.world.after(this.random.between(5, 200), () => this.fence(victim));
  }

  private replace(gone: Instance): void {
    this.running = this.running.filter(({ alive }) => alive);
    this.steered = this.steered.filter((instance) => instance !== gone);
    this.startInstance();
  }

  private fence(instance: Instance): void {
    this.tell(`instance ${instance.writer} is fenced`);
    this.cluster.fence(instance.writer);
  }

  private pauseOne(): void {
    const sleeper = this.random.pick(this.steered);
    const length = this.random.between(1, longestPause);
    sleeper.pausedUntil = this.world.now + length;
    this.tell(`instance ${sleeper.writer} is paused for ${length.toFixed(1)} ms`);
    if (!this.random.chance(this.plan.fencedPauses)) return;
    this.world.after(length * this.random.next(), () => {
      if (!sleeper.alive) return;
      this.fence(sleeper);
      this.replace(sleeper);
      this.world.after(length + 50, () => {
        sleeper.kill();
        this.running = this.running.filter(({ alive }) => alive);
      });
    });
  }

  private stall(): void {
    const length = this.random.between(1, 600);
    this.cluster.stalledUntil = this.world.now + length;
    this.tell(`the store stalls for ${length.toFixed(1)} ms`);
  }

  private failOver(): void {
    this.tell('the primary is lost; its replica takes over');
    this.cluster.failOver();
    checkRecords(this.cluster.primary.functions, 'the new primary');
  }

  /** No more packets and no more faults: everything under way is answered, and counted. */
  private comeToRest(): void {
    const { world } = this;
    this.goOn(world.now + 10);
    this.calm = true;
    Object.assign(this.faults, { lostRequests: 0, lostReplies: 0 });
    this.goOn(world.now + 1500);
    for (const instance of this.running) {
      const [fault] = instance.isAtRest
        ? instance.faults()
        : ['it holds batches or packets for ever'];
      if (fault) throw new Violation(7, `instance ${instance.writer}: ${fault}`);
    }
    this.judge.checkCounts();
    this.judge.checkAnswersFound(this.running);
    const unexplained = this.history.violation();
    if (unexplained) throw new Violation(2, unexplained);
  }

  /** Everything expires, and what the dead have left behind is found. */
  private recover(): void {
    const { world } = this;
    for (const end = world.now + recoveryMilliseconds; world.now < end; ) {
      world.runUntil(world.now + 100_000);
      // A few round trips after each leap.
      for (let i = 0; i < 8; i++) {
        world.runUntil(world.now + 10);
        for (const instance of this.running) this.turn(instance);
      }
    }
    checkRecords(this.cluster.primary.functions, 'the primary');
    checkEmpty(this.cluster.primary.functions);
  }
}
