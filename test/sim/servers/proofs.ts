/**
 * Proof of replication on a single server: on a connection of its own a lane asks whether versions stand,
 * writes, and waits for the replica. One round at a time; who asks meanwhile shares the next.
 */
import type { LinkFaults } from '../link.ts';
import type { Random } from '../random.ts';
import type { ServerNode } from './node.ts';
import { zeroVersion } from './value.ts';

export interface Standing {
  readonly key: string;
  /** As it lies in a value; zero: of a removal, for which replication alone counts. */
  readonly version: string;
}

interface Asked {
  readonly entries: readonly Standing[];
  readonly done: (stands: readonly boolean[]) => void;
}

const waitMilliseconds = 40;
const patienceMilliseconds = 3 * waitMilliseconds;

export class Proofs {
  private readonly node: ServerNode;
  private readonly writer: number;
  private readonly random: Random;
  private readonly faults: LinkFaults;
  private asked: Asked[] = [];
  private underWay: Asked[] = [];
  private outcome: ReadonlySet<Standing> | undefined;
  private since = 0;
  private round = 0;
  private dead = false;

  constructor(node: ServerNode, writer: number, random: Random, faults: LinkFaults) {
    this.node = node;
    this.writer = writer;
    this.random = random;
    this.faults = faults;
  }

  /** `done` is told which of the versions stand and are on the replica. */
  prove(entries: readonly Standing[], done: (stands: readonly boolean[]) => void): void {
    this.asked.push({ entries, done });
    if (this.underWay.length === 0) this.start();
  }

  poll(): void {
    if (this.dead || this.underWay.length === 0) return;
    const { now } = this.node.service.world;
    if (!this.outcome && now - this.since >= patienceMilliseconds) this.outcome = new Set();
    const proved = this.outcome;
    if (!proved) return;
    const heard = this.underWay;
    this.underWay = [];
    for (const { entries, done } of heard) done(entries.map((entry) => proved.has(entry)));
    if (this.underWay.length === 0 && this.asked.length > 0) this.start();
  }

  kill(): void {
    this.dead = true;
  }

  private start(): void {
    const { service } = this.node;
    const { world } = service;
    this.underWay = this.asked;
    this.asked = [];
    this.outcome = undefined;
    this.since = world.now;
    const round = ++this.round;
    const heard = (standing: readonly Standing[]) => {
      world.after(this.delay(), () => {
        if (round === this.round) this.outcome = new Set(standing);
      });
    };
    const entries = this.underWay.flatMap((asked) => asked.entries);
    const arrive = () => {
      if (service.isStalled) world.at(service.stalledUntil, arrive);
      else if (service.isFenced(this.writer)) heard([]);
      else if (!this.random.chance(this.faults.lostRequests)) {
        const standing = entries.filter((entry) => this.stands(entry));
        service.prove(waitMilliseconds, (proved) => heard(proved ? standing : []));
      }
    };
    world.after(this.delay(), arrive);
  }

  private stands({ key, version }: Standing): boolean {
    return version === zeroVersion || this.node.keys.get(key)?.slice(0, 8) === version;
  }

  private delay(): number {
    return this.random.between(this.faults.delay.least, this.faults.delay.most);
  }
}
