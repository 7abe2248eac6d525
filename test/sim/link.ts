/**
 * One client's connection to the store: in order both ways, with delays, and broken now and then, which
 * loses what is on its way. Whoever reconnects has the server end the old connection first, so what was
 * sent on that one is executed before or never; then everything unanswered is sent again.
 */
import type { Random } from './random.ts';
import type { Call, Replicated, StoreCluster } from './store-cluster.ts';
import type { StoreFunctions } from './store-functions.ts';
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
  /** What is on a connection that its client has given up arrives later by so much at the most. */
  readonly late?: number;
}

export interface Answer<T> {
  readonly value: T;
  /** Of the node's clock when it was executed. */
  readonly now: number;
  readonly epoch: number;
}

/** `undefined`: nobody knows whether it was executed, or will yet be. */
export type Done<T> = (answer: Answer<T> | undefined) => void;

export interface Request<F extends Replicated = StoreFunctions> {
  /** What is sent: made for each attempt, and told whether an earlier one may have been executed. */
  make(repeated: boolean): Call<unknown, F>;
  readonly done: Done<unknown>;
  readonly until: number;
  /** It may have been executed. */
  sentOnce: boolean;
  /** So it was when it was sent last. */
  repeated: boolean;
}

interface Arrived<F extends Replicated> {
  readonly request: Request<F>;
  readonly call: Call<unknown, F>;
}

/** One life of the connection. */
interface Connection<F extends Replicated> {
  /** Nothing that arrives is executed any more. */
  closed: boolean;
  readonly arrived: Arrived<F>[];
  /** How much later than it was sent arrives what is on it when it is given up. */
  late?: number;
}

const reconnectMilliseconds = 2;

export class Link<F extends Replicated = StoreFunctions> {
  private readonly world: World;
  private readonly cluster: StoreCluster<F>;
  private readonly writer: number;
  private readonly random: Random;
  private readonly faults: LinkFaults;
  /** Sent and not answered, in order. */
  private readonly outstanding: Request<F>[] = [];
  private readonly inbox: { readonly from: Connection<F>; readonly answer: Answer<unknown> }[] = [];
  private connection: Connection<F> = { closed: false, arrived: [] };
  /** Given up by the client; the server may not have noticed yet. */
  private abandoned: Connection<F> | undefined;
  /** When to connect again; infinite while connected. */
  private reconnectAt = Number.POSITIVE_INFINITY;
  private lastArrival = 0;
  private lastReply = 0;
  /** Its process is gone, or may not speak to the store. */
  private dead = false;

  constructor(
    world: World,
    cluster: StoreCluster<F>,
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

  send<T>(call: Call<T, F>, done: Done<T>): void {
    const until = this.world.now + this.faults.patience;
    const sent = { sentOnce: false, repeated: false };
    this.forward({ make: () => call, done: done as Done<unknown>, until, ...sent });
  }

  /** Likewise what was refused elsewhere. */
  forward(request: Request<F>): void {
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
      if (from === this.connection) (this.outstanding.shift() as Request<F>).done(answer);
    }
    const { now } = this.world;
    while (this.outstanding.length > 0 && this.outstanding[0].until <= now) {
      this.breakOff(this.connection);
      (this.outstanding.shift() as Request<F>).done(undefined);
    }
    if (now >= this.reconnectAt && !this.cluster.isStalled) this.reconnect();
  }

  /** The server ends the connection before this one. */
  private cut(): void {
    if (this.abandoned) this.abandoned.closed = true;
  }

  private reconnect(): void {
    this.cut();
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
  private breakOff(connection: Connection<F>): void {
    if (connection !== this.connection || this.reconnectAt !== Number.POSITIVE_INFINITY) return;
    this.reconnectAt = this.world.now + reconnectMilliseconds;
    this.abandoned = connection;
    this.connection = { closed: false, arrived: [] };
  }

  private delay(): number {
    return this.random.between(this.faults.delay.least, this.faults.delay.most);
  }

  private transmit(request: Request<F>): void {
    const { connection } = this;
    request.repeated = request.sentOnce;
    const arrived = { request, call: request.make(request.repeated) };
    request.sentOnce = true;
    this.lastArrival = Math.max(this.lastArrival, this.world.now + this.delay());
    const arrive = () => {
      connection.arrived.push(arrived);
      this.serve(connection);
    };
    this.world.at(this.lastArrival, () => {
      const { late = 0 } = this.faults;
      if (late === 0 || connection === this.connection) {
        arrive();
        return;
      }
      connection.late ??= this.random.between(0, late);
      this.world.after(connection.late, arrive);
    });
  }

  /** The server's side. */
  private serve(connection: Connection<F>): void {
    if (this.cluster.isStalled) {
      this.world.at(this.cluster.stalledUntil, () => this.serve(connection));
      return;
    }
    while (connection.arrived.length > 0 && !connection.closed) {
      const { call } = connection.arrived.shift() as Arrived<F>;
      const fate = this.random.next();
      const { lostRequests, lostReplies } = this.faults;
      if (this.cluster.isFenced(this.writer) || fate < lostRequests) {
        this.closeFromServer(connection);
        return;
      }
      const { epoch } = this.cluster;
      const { answer: value, now } = this.cluster.execute(this.writer, call);
      if (fate < lostRequests + lostReplies) this.closeFromServer(connection);
      else this.reply(connection, { value, now, epoch });
    }
  }

  private reply(connection: Connection<F>, answer: Answer<unknown>): void {
    this.lastReply = Math.max(this.lastReply, this.world.now + this.delay());
    this.world.at(this.lastReply, () => {
      this.inbox.push({ from: connection, answer });
    });
  }

  private closeFromServer(connection: Connection<F>): void {
    connection.closed = true;
    this.lastReply = Math.max(this.lastReply, this.world.now + this.delay());
    this.world.at(this.lastReply, () => this.breakOff(connection));
  }
}
