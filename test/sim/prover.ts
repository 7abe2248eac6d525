/**
 * Proof of replication: a write of one's own on a connection of its own, and a wait for the replicas.
 * One wait at a time; who asks meanwhile shares the next (group commit).
 */
import type { LinkFaults } from './link.ts';
import type { Random } from './random.ts';
import type { StoreCluster } from './store-cluster.ts';

interface Asked {
  readonly epoch: number;
  readonly done: (proved: boolean) => void;
}

/** How long the server waits for its replicas. */
const waitMilliseconds = 40;
/** After this the connection counts as broken. */
const patienceMilliseconds = 3 * waitMilliseconds;

export class Prover {
  private readonly cluster: StoreCluster;
  private readonly writer: number;
  private readonly random: Random;
  private readonly faults: LinkFaults;
  private asked: Asked[] = [];
  private underWay: Asked[] = [];
  private outcome: boolean | undefined;
  private since = 0;
  private attempt = 0;
  private dead = false;

  constructor(cluster: StoreCluster, writer: number, random: Random, faults: LinkFaults) {
    this.cluster = cluster;
    this.writer = writer;
    this.random = random;
    this.faults = faults;
  }

  /** @param epoch of the primary on which lies what is to be proved: another's word is no proof */
  prove(epoch: number, done: (proved: boolean) => void): void {
    this.asked.push({ epoch, done });
    if (this.underWay.length === 0) this.start();
  }

  poll(): void {
    if (this.dead || this.underWay.length === 0) return;
    const { now } = this.cluster.world;
    if (this.outcome === undefined && now - this.since >= patienceMilliseconds)
      this.outcome = false;
    if (this.outcome === undefined) return;
    const proved = this.outcome;
    const heard = this.underWay;
    this.underWay = [];
    for (const { done } of heard) done(proved);
    if (this.underWay.length === 0 && this.asked.length > 0) this.start();
  }

  kill(): void {
    this.dead = true;
  }

  private start(): void {
    const { cluster } = this;
    const { world } = cluster;
    this.underWay = this.asked;
    this.asked = [];
    this.outcome = undefined;
    this.since = world.now;
    const attempt = ++this.attempt;
    const heard = (proved: boolean) => {
      world.after(this.delay(), () => {
        if (attempt === this.attempt) this.outcome = proved;
      });
    };
    const epochs = this.underWay.map(({ epoch }) => epoch);
    const arrive = () => {
      if (cluster.isStalled) world.at(cluster.stalledUntil, arrive);
      else if (cluster.isFenced(this.writer)) heard(false);
      else if (epochs.some((epoch) => epoch !== cluster.epoch)) heard(false);
      else if (!this.random.chance(this.faults.lostRequests))
        cluster.prove(waitMilliseconds, heard);
    };
    world.after(this.delay(), arrive);
  }

  private delay(): number {
    return this.random.between(this.faults.delay.least, this.faults.delay.most);
  }
}
