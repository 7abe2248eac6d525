/**
 * One client's connection to the store: in order both ways, with delays, and broken now and then, which
 * loses what is on its way. Whoever reconnects has the server end the old connection first, so what was
 * sent on that one is executed before or never; then everything unanswered is sent again.
 */
import type { Random } from './random.ts';
import type { Call, StoreCluster } from './store-cluster.ts';
import type { World } from './world.ts';

export interface LinkFaults {
  /** One way, milliseconds. */
  readonly delay: { readonly least: number; readonly most: number };
  /** Share of requests with which the connection breaks before they are executed. */
  readonly lostRequests: number;
  /** Share of those with which it breaks after. */
  readonly lostReplies: number;
  /** How long an answer is waited for, over all retries. */
  readonly patience: number;
}

export interface Answer<T> {
  readonly value: T;
  /** Of the node's clock when it was executed. */
  readonly now: number;
  readonly epoch: number;
}

/** `undefined`: nobody knows whether it was executed, or will yet be. */
export type Done<T> = (answer: Answer<T> | undefined) => void;

interface Request {
  readonly call: Call<unknown>;
  readonly done: Done<unknown>;
  readonly until: number;
}

/** One life of the connection. */
interface Connection {
  /** Nothing that arrives is executed any more. */
  closed: boolean;
  readonly arrived: Request[];
}

const reconnectMilliseconds = 2;

export class Link {
  private readonly world: World;
  private readonly cluster: StoreCluster;
  private readonly writer: number;
  private readonly random: Random;
  private readonly faults: LinkFaults;
  /** Sent and not answered, in order. */
  private readonly outstanding: Request[] = [];
  private readonly inbox: { readonly from: Connection; readonly answer: Answer<unknown> }[] = [];
  private connection: Connection = { closed: false, arrived: [] };
  /** Given up by the client; the server may not have noticed yet. */
  private abandoned: Connection | undefined;
  /** When to connect again; infinite while connected. */
  private reconnectAt = Number.POSITIVE_INFINITY;
  private lastArrival = 0;
  private lastReply = 0;
  /** Its process is gone, or may not speak to the store. */
  private dead = false;

  constructor(
    world: World,
    cluster: StoreCluster,
    writer: number,
    random: Random,
    faults: LinkFaults,
  ) {
    this.world = world;
    this.cluster = cluster;
    this.writer = writer;
    this.random = random;
    this.faults = faults;
    cluster.onFailover.push(() => {
      if (this.abandoned) this.abandoned.closed = true;
      this.closeFromServer(this.connection);
    });
  }

  get waiting(): number {
    return this.outstanding.length;
  }

  send<T>(call: Call<T>, done: Done<T>): void {
    const until = this.world.now + this.faults.patience;
    const request: Request = { call, done: done as Done<unknown>, until };
    this.outstanding.push(request);
    if (this.reconnectAt === Number.POSITIVE_INFINITY) this.transmit(request);
  }

  /** The process has ended: what is on its way may still arrive. */
  kill(): void {
    this.dead = true;
    this.outstanding.length = 0;
  }

  /** Called by the process when it runs: answers, time-outs, reconnection. */
  poll(): void {
    if (this.dead) return;
    while (this.inbox.length > 0) {
      const { from, answer } = this.inbox.shift() as (typeof this.inbox)[number];
      if (from === this.connection) (this.outstanding.shift() as Request).done(answer);
    }
    const { now } = this.world;
    while (this.outstanding.length > 0 && this.outstanding[0].until <= now) {
      this.breakOff(this.connection);
      (this.outstanding.shift() as Request).done(undefined);
    }
    if (now >= this.reconnectAt && !this.cluster.isStalled) this.reconnect();
  }

  private reconnect(): void {
    if (this.abandoned) this.abandoned.closed = true;
    this.abandoned = undefined;
    this.reconnectAt = Number.POSITIVE_INFINITY;
    if (this.cluster.isFenced(this.writer)) {
      // Refused: whatever is asked now and later has no answer.
      for (const { done } of this.outstanding.splice(0)) done(undefined);
      this.reconnectAt = this.world.now + reconnectMilliseconds;
      return;
    }
    for (const request of this.outstanding) this.transmit(request);
  }

  /** The client has noticed that its connection is gone. */
  private breakOff(connection: Connection): void {
    if (connection !== this.connection || this.reconnectAt !== Number.POSITIVE_INFINITY) return;
    this.reconnectAt = this.world.now + reconnectMilliseconds;
    this.abandoned = connection;
    this.connection = { closed: false, arrived: [] };
  }

  private delay(): number {
    return this.random.between(this.faults.delay.least, this.faults.delay.most);
  }

  private transmit(request: Request): void {
    const { connection } = this;
    this.lastArrival = Math.max(this.lastArrival, this.world.now + this.delay());
    this.world.at(this.lastArrival, () => {
      connection.arrived.push(request);
      this.serve(connection);
    });
  }

  /** The server's side. */
  private serve(connection: Connection): void {
    if (this.cluster.isStalled) {
      this.world.at(this.cluster.stalledUntil, () => this.serve(connection));
      return;
    }
    while (connection.arrived.length > 0 && !connection.closed) {
      const request = connection.arrived.shift() as Request;
      const fate = this.random.next();
      const { lostRequests, lostReplies } = this.faults;
      if (this.cluster.isFenced(this.writer) || fate < lostRequests) {
        this.closeFromServer(connection);
        return;
      }
      const { epoch } = this.cluster;
      const { answer: value, now } = this.cluster.execute(this.writer, request.call);
      if (fate < lostRequests + lostReplies) this.closeFromServer(connection);
      else this.reply(connection, { value, now, epoch });
    }
  }

  private reply(connection: Connection, answer: Answer<unknown>): void {
    this.lastReply = Math.max(this.lastReply, this.world.now + this.delay());
    this.world.at(this.lastReply, () => {
      this.inbox.push({ from: connection, answer });
    });
  }

  private closeFromServer(connection: Connection): void {
    connection.closed = true;
    this.lastReply = Math.max(this.lastReply, this.world.now + this.delay());
    this.world.at(this.lastReply, () => this.breakOff(connection));
  }
}
