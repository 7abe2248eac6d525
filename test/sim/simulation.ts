/**
 * One simulated run: instances with the real operators and the real NAT, against a simulated store, with
 * the faults that a plan names, on virtual time. Everything follows from the plan.
 */
import { Additions } from './additions.ts';
import type { Bug } from './bugs.ts';
import { HistoryRecorder } from './history.ts';
import { Instance } from './instance.ts';
import { Judge } from './judge.ts';
import { flows, simulatedFunction } from './network-functions.ts';
import { type Endpoint, tcpFlags } from './packets.ts';
import type { Plan } from './plan.ts';
import { Random } from './random.ts';
import { answeringService, type Service, serversService } from './service.ts';
import { checkCounts, checkEmpty, checkNumbers, checkRecords } from './state-checks.ts';
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

/** Idle life of bindings, where lookups wait for the refreshes that they ask for. */
const idleMilliseconds = 2000;
/**
 * At servers they do not wait. A refresh is asked for T/16 (500 ms) early, and may take as long as a stall
 * (600 ms), an answer's time (400 ms) and a move (some 400 ms) together; it dies with its instance.
 */
const idleAtServers = 8000;
const slackAtServers = 2000;
/** Longest pause of an instance that is not fenced for it: well below an idle life. */
const longestPause = 800;
const longestStory = 40;
/** Calls under way at once: far above what a lane's batches, leases and sweeps can ask. */
const mostUnderWay = 256;
/** Within this all that was leased, left behind or forgotten comes back (src/nfs/nat/orphans.ts). */
const recoveryMilliseconds = 2_000_000;

class Simulation {
  readonly story: string[] = [];
  private readonly plan: Plan;
  private readonly bug: Bug;
  private readonly world = new World();
  private readonly random: Random;
  private readonly service: Service;
  private readonly idle: number;
  private readonly judge: Judge;
  private readonly history: HistoryRecorder;
  private readonly additions: Additions | undefined;
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
    const faults = { delay: { least: 0.02, most }, lostRequests, lostReplies, patience: 400 };
    const onServers = plan.nodes > 0;
    this.faults = onServers ? { ...faults, late: 20 } : faults;
    this.idle = onServers ? idleAtServers : idleMilliseconds;
    const random = this.random.fork();
    const lag = { least: 0.05, most: plan.replicas > 0 ? this.random.between(0.1, 12) : 0 };
    const options = {
      world: this.world,
      random,
      plan,
      lag,
      skewMilliseconds: idleMilliseconds / 40,
      onChange: (writer: number) => this.changed(writer),
      tell: (text: string) => this.tell(text),
    };
    this.service = onServers ? serversService(options) : answeringService(options, bug);
    const { service, world } = this;
    const keptMilliseconds = onServers ? idleAtServers - slackAtServers : idleMilliseconds;
    const slowestLookup = onServers ? 4000 : 1300;
    const watched = {
      world,
      places: () => service.places(),
      keptMilliseconds,
      slowestLookup,
      awaitsRefreshes: !onServers,
    };
    this.judge = new Judge(watched, (text) => this.tell(text));
    this.history = new HistoryRecorder(this.world, flows.storage);
    // Of commit class `primary`: a failover may lose those that were acknowledged.
    if (onServers && plan.failovers === 0) this.additions = new Additions(this.random.fork());
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
    during(plan.moves, () => this.service.move());
    if (this.additions) during(plan.packets, () => this.add());
    this.goOn(end + 50);
    this.comeToRest();
    this.windDown();
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
    const { service, faults, history, plan, bug } = this;
    const nf = simulatedFunction({
      translation: plan.translation,
      idleMilliseconds: this.idle,
      editsFirst: bug.editsFirst ?? false,
      counted: {
        throwsOn: (id) => this.judge.throwsOn(id),
        committed: (id, count) => this.judge.committed(id, count),
      },
    });
    const store = service.store({
      random: this.random.fork(),
      faults,
      writer,
      history,
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
      if (burst < plan.bursts - 1) time += random.pick(this.pauses);
    }
    return time;
  }

  /** Between bursts: what a binding survives, or not, or nearly; at servers bindings end one by one, too. */
  private get pauses(): readonly number[] {
    const lives = [0.4, 0.9, 1.2, 1.3, 1.6].map((n) => n * this.idle);
    return this.plan.nodes > 0 ? [10, 100, 300, 1000, ...lives] : [10, ...lives];
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
      const busy = this.running.some(({ session }) => session.waiting > 0);
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
      const delay = late ? this.idle * this.random.between(0.4, 1.6) : this.random.between(0.2, 8);
      this.world.after(delay, () => {
        if (this.calm) return;
        const back = this.instanceFor(left.external, this.random.next());
        this.judge.sendBack(back, left.packet, left.external);
      });
    });
    if (instance.session.waiting > mostUnderWay)
      throw new Violation(
        14,
        `instance ${instance.writer} has ${instance.session.waiting} calls under way`,
      );
  }

  private changed(writer: number): void {
    if (this.service.isFenced(writer))
      throw new Violation(6, `writer ${writer} has changed something after it was fenced`);
    this.checkRecords();
    this.judge.noteEnds();
  }

  private checkRecords(): void {
    const [{ view, where }] = this.service.places();
    checkRecords(view, where);
    // A server's failover may forget a lease, and then hand its numbers out twice: the port record decides.
    if (this.plan.nodes === 0 || this.plan.failovers === 0) checkNumbers(view, where);
  }

  private add(): void {
    this.additions?.add(this.random.pick(this.steered).session);
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
    this.service.fence(instance.writer);
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
    this.service.stall(this.world.now + length);
    this.tell(`the store stalls for ${length.toFixed(1)} ms`);
  }

  private failOver(): void {
    this.tell('the primary is lost; its replica takes over');
    this.service.failOver();
    this.checkRecords();
  }

  /** No more packets and no more faults: everything under way is answered, and counted. */
  private comeToRest(): void {
    const { world } = this;
    this.goOn(world.now + 10);
    this.calm = true;
    Object.assign(this.faults, { lostRequests: 0, lostReplies: 0 });
    // At servers writes may wait for their time, round after round, while the last keys move.
    this.goOn(world.now + (this.plan.nodes > 0 ? 6000 : 1500));
    for (const instance of this.running) {
      const [fault] = instance.isAtRest
        ? instance.faults()
        : ['it holds batches or packets for ever'];
      if (fault) throw new Violation(7, `instance ${instance.writer}: ${fault}`);
    }
    this.judge.checkCounts();
    this.additions?.check(this.service.places()[0].view);
    this.judge.checkAnswersFound(this.running);
    const unexplained = this.history.violation();
    if (unexplained) throw new Violation(2, unexplained);
  }

  /** Keys move while the last bindings expire. */
  private windDown(): void {
    const { plan, random, world } = this;
    if (plan.moves === 0) return;
    const length = 1.5 * this.idle;
    const end = world.now + length;
    for (let i = 0; i < 2 * plan.moves; i++)
      world.after(random.between(0.25, 0.75) * length, () => this.service.move());
    for (let i = 0; i < plan.kills; i++)
      world.after(random.between(0.25, 0.6) * length, () => this.killAfterClaim(end));
    this.goOn(end);
  }

  /** Who has claimed may be gone before it has confirmed; what else ends then is on the way to another node. */
  private killAfterClaim(end: number): void {
    const [{ view }] = this.service.places();
    if (view.claims('binding').size === 0) {
      if (this.world.now < end) this.world.after(3, () => this.killAfterClaim(end));
      return;
    }
    this.killOne();
    for (let i = 0; i < 3; i++)
      this.world.after(this.random.between(0, 1500), () => this.service.move());
  }

  /** Everything expires, and what the dead have left behind is found. */
  private recover(): void {
    const { world } = this;
    for (const end = world.now + recoveryMilliseconds; world.now < end; ) {
      world.runUntil(world.now + 100_000);
      // A few round trips after each leap; more of them where maps are out of date.
      for (let i = 0; i < (this.plan.nodes > 0 ? 30 : 8); i++) {
        world.runUntil(world.now + 10);
        for (const instance of this.running) this.turn(instance);
      }
    }
    this.checkRecords();
    const [{ view }] = this.service.places();
    checkCounts(view);
    checkEmpty(view);
  }
}
