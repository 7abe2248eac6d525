/**
 * Where a client's requests go: the map of owners that it has, what it learns from refusals, and a
 * connection to each node. As native/store/remote/cluster/cluster_routes.cc has it.
 */
import { type Answer, Link, type LinkFaults, type Request } from '../link.ts';
import type { Random } from '../random.ts';
import type { Keyspace } from './keyspace.ts';
import { type Answered, type Command, Refusal, type ServerNode } from './node.ts';
import type { Servers } from './servers.ts';

/** What is asked of whoever serves a partition. */
export interface Asked {
  readonly partition: number;
  readonly mutates: boolean;
  /** Commands that go together, each with a reply of its own. Made for each attempt. */
  encode(repeated: boolean): readonly (readonly string[])[];
  /** False: not all is answered, for reasons that are refusals. */
  read(replies: readonly Answered[]): boolean;
  /** After `read`: it asks otherwise the next time, and need not wait for that. */
  readonly asksOtherwise?: boolean;
  /** Nobody knows whether it was performed, unless it was never sent. */
  lost(wasSent: boolean): void;
}

interface Trip {
  readonly asked: Asked;
  readonly until: number;
  sentOnce: boolean;
}

const waitMilliseconds = 5;
const askMapMilliseconds = 100;

/** It was not performed, and may be elsewhere or later. */
export function isForAnotherNode(reply: Answered | undefined): reply is Refusal {
  return reply instanceof Refusal && reply.why !== 'error';
}

export class Routes {
  private readonly servers: Servers;
  private readonly writer: number;
  private readonly random: Random;
  private readonly faults: LinkFaults;
  private readonly links: (Link<Keyspace> | undefined)[] = [];
  private readonly owners: number[];
  private isStale = true;
  private isAskingMap = false;
  private askMapAt = 0;
  private waiting: { readonly trip: Trip; readonly until: number }[] = [];
  private dead = false;

  constructor(servers: Servers, writer: number, random: Random, faults: LinkFaults) {
    this.servers = servers;
    this.writer = writer;
    this.random = random;
    this.faults = faults;
    const known = random.pick([servers.firstOwners, ...servers.nodes.map(({ owners }) => owners)]);
    this.owners = [...known];
  }

  get now(): number {
    return this.servers.world.now;
  }

  get underWay(): number {
    const out = this.links.reduce((sum, link) => sum + (link?.waiting ?? 0), 0);
    return out + this.waiting.length;
  }

  submit(asked: Asked): void {
    const until = this.now + this.faults.patience;
    this.forward({ asked, until, sentOnce: false }, this.owners[asked.partition] as number, false);
  }

  poll(): void {
    if (this.dead) return;
    for (const link of this.links) link?.poll();
    const due = this.waiting.filter(({ until }) => until <= this.now);
    this.waiting = this.waiting.filter(({ until }) => until > this.now);
    for (const { trip } of due) this.again(trip);
    this.askMap();
    this.letGo();
  }

  kill(): void {
    this.dead = true;
    for (const link of this.links) link?.kill();
  }

  private link(node: number): Link<Keyspace> {
    let link = this.links[node];
    if (!link) {
      const { service } = this.servers.nodes[node] as ServerNode;
      link = new Link(this.servers.world, service, this.writer, this.random.fork(), this.faults);
      this.links[node] = link;
    }
    return link;
  }

  private again(trip: Trip): void {
    this.forward(trip, this.owners[trip.asked.partition] as number, false);
  }

  private forward(trip: Trip, to: number, asking: boolean): void {
    const { asked, until } = trip;
    if (this.now >= until) {
      asked.lost(trip.sentOnce);
      return;
    }
    const node = this.servers.nodes[to] as ServerNode;
    const request: Request<Keyspace> = {
      until,
      sentOnce: trip.sentOnce,
      repeated: false,
      make(repeated) {
        const commands = asked.encode(repeated).map((words): Command => ({ words, asking }));
        return {
          mutates: asked.mutates,
          run: (keys, now) => commands.map((command) => node.serve(keys, command, now)),
        };
      },
      done: (answer) => {
        if (!answer) asked.lost(request.sentOnce);
        else this.take(trip, request, answer as Answer<Answered[]>);
      },
    };
    this.link(to).forward(request);
  }

  private take(trip: Trip, request: Request<Keyspace>, { value }: Answer<Answered[]>): void {
    const { asked } = trip;
    if (asked.read(value)) return;
    // Not performed since it was sent; if that was a repetition, the attempt before may have been.
    trip.sentOnce = request.repeated;
    const refusal = value.findLast(isForAnotherNode);
    if (refusal?.why === 'MOVED') {
      this.owners[asked.partition] = refusal.to as number;
      this.isStale = true;
      this.again(trip);
    } else if (refusal?.why === 'ASK') {
      this.forward(trip, refusal.to as number, true);
    } else if (asked.asksOtherwise) {
      this.again(trip);
    } else {
      this.waiting.push({ trip, until: this.now + waitMilliseconds });
    }
  }

  private askMap(): void {
    if (!this.servers.isCluster || !this.isStale || this.isAskingMap || this.now < this.askMapAt)
      return;
    this.isAskingMap = true;
    this.askMapAt = this.now + askMapMilliseconds;
    const node = this.random.pick(this.servers.nodes);
    this.link(node.index).send({ mutates: false, run: () => [...node.owners] }, (answer) => {
      this.isAskingMap = false;
      if (!answer) return;
      this.isStale = false;
      answer.value.forEach((owner, partition) => {
        this.owners[partition] = owner;
      });
    });
  }

  /** Connections to nodes that own nothing any more. */
  private letGo(): void {
    if (this.isStale) return;
    this.links.forEach((link, node) => {
      if (link && link.waiting === 0 && !this.owners.includes(node)) this.links[node] = undefined;
    });
  }
}
