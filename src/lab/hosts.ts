/**
 * Two programs that hold long TCP connections, for hosts of a lab:
 *
 *     node src/lab/hosts.ts serve 7000
 *     node src/lab/hosts.ts talk '{"address":"198.18.0.10","port":7000,"connections":50}'
 *
 * The server tells each connection the port that it sees, then sends back every byte. The client sends
 * numbered messages on each connection, at a steady pace, checks every echo, and takes its time. It
 * says how it goes in JSON lines (`progress`, five a second) and ends at SIGTERM, once all echoes are
 * back, with a `report` of every connection.
 */
import { createConnection, createServer, type Socket } from 'node:net';

export interface TalkPlan {
  readonly address: string;
  readonly port: number;
  readonly connections: number;
  /** Between one connection's opening and the next one's. Default 5. */
  readonly openingMilliseconds?: number;
  /** Between messages of one connection. Default 50. */
  readonly messageMilliseconds?: number;
}

/** What became of one connection. */
export interface ConnectionReport {
  readonly localPort: number | undefined;
  /** As the server sees it. */
  readonly externalPort: number | undefined;
  readonly sent: number;
  readonly echoed: number;
  /** From a message to its echo, the longest. */
  readonly longestMilliseconds: number;
  /** Why it broke: the system's code (`ECONNRESET`), `closed`, or `corrupt`. */
  readonly broken: string | undefined;
}

export interface TalkProgress {
  readonly event: 'progress';
  /** Connections that are up, and that broke. */
  readonly open: number;
  readonly broken: number;
  /** Messages that came back. */
  readonly echoed: number;
  /** Connections whose oldest message has been out for longer than 150 ms: TCP is sending it again. */
  readonly waiting: number;
  /** The longest that any message has been out. */
  readonly longestMilliseconds: number;
}

export interface TalkReport {
  readonly event: 'report';
  readonly connections: readonly ConnectionReport[];
}

/** The number, filled up to this many bytes with its newline. */
const messageBytes = 128;
const progressMilliseconds = 200;
/** Longer than any echo takes on a link that works, shorter than Linux's least retransmission (200 ms). */
const waitingMilliseconds = 150;
/** After the last message: the retransmissions of an outage of two seconds. */
const endMilliseconds = 8000;
const greetingBytes = 6;

if (import.meta.main) main(process.argv[2], process.argv[3] ?? '');

function main(mode: string | undefined, argument: string): void {
  if (mode === 'serve') serve(Number(argument));
  else if (mode === 'talk') talk(JSON.parse(argument) as TalkPlan);
  else throw new TypeError('usage: hosts serve PORT | hosts talk PLAN');
}

function serve(port: number): void {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined); // the client tells of it
    socket.write(`${String(socket.remotePort).padStart(greetingBytes - 1)}\n`);
    socket.pipe(socket);
  });
  server.listen(port, '0.0.0.0', () => tell({ event: 'ready' }));
}

function talk(plan: TalkPlan): void {
  const { openingMilliseconds = 5, messageMilliseconds = 50 } = plan;
  const talks: Talk[] = [];
  const opening = setInterval(() => {
    if (talks.length < plan.connections) talks.push(new Talk(plan));
  }, openingMilliseconds);
  const sending = setInterval(() => {
    for (const it of talks) it.send();
  }, messageMilliseconds);
  const telling = setInterval(() => tell(progressOf(talks)), progressMilliseconds);
  process.once('SIGTERM', () => {
    clearInterval(opening);
    clearInterval(sending);
    const deadline = performance.now() + endMilliseconds;
    const ending = setInterval(() => {
      if (talks.some((it) => it.isWaiting) && performance.now() < deadline) return;
      clearInterval(ending);
      clearInterval(telling);
      tell({ event: 'report', connections: talks.map((it) => it.report) });
      for (const it of talks) it.close();
    }, 20);
  });
}

/** One connection. */
class Talk {
  private readonly socket: Socket;
  /** When each message that is out was sent, from the oldest. */
  private readonly sentAt: number[] = [];
  private rest = Buffer.alloc(0);
  private externalPort: number | undefined;
  private localPort: number | undefined;
  private sent = 0;
  private echoed = 0;
  private longest = 0;
  private broken: string | undefined;
  private readonly openedAt = performance.now();

  constructor({ address, port }: TalkPlan) {
    this.socket = createConnection({ host: address, port, noDelay: true });
    this.socket
      .on('connect', () => {
        this.localPort = this.socket.localPort;
      })
      .on('data', (bytes: Buffer) => this.receive(bytes))
      .on('error', (error: NodeJS.ErrnoException) => {
        this.broken ??= error.code ?? error.message;
      })
      .on('close', () => {
        this.broken ??= 'closed';
      });
  }

  get isOpen(): boolean {
    return this.externalPort !== undefined && this.broken === undefined;
  }

  get isBroken(): boolean {
    return this.broken !== undefined;
  }

  get isWaiting(): boolean {
    return this.broken === undefined && (this.externalPort === undefined || this.sentAt.length > 0);
  }

  get echoes(): number {
    return this.echoed;
  }

  /** For how long the oldest message has been out. */
  get outFor(): number {
    if (this.broken !== undefined) return 0;
    const since = this.externalPort === undefined ? this.openedAt : this.sentAt[0];
    return since === undefined ? 0 : performance.now() - since;
  }

  get report(): ConnectionReport {
    const { localPort, externalPort, sent, echoed, broken } = this;
    const longestMilliseconds = Math.round(Math.max(this.longest, this.outFor));
    return { localPort, externalPort, sent, echoed, longestMilliseconds, broken };
  }

  send(): void {
    if (!this.isOpen) return;
    this.sentAt.push(performance.now());
    this.socket.write(message(this.sent++));
  }

  close(): void {
    this.socket.destroy();
  }

  private receive(bytes: Buffer): void {
    let left = Buffer.concat([this.rest, bytes]);
    if (this.externalPort === undefined) {
      if (left.length < greetingBytes) {
        this.rest = left;
        return;
      }
      this.externalPort = Number(left.toString('latin1', 0, greetingBytes));
      left = left.subarray(greetingBytes);
      this.longest = performance.now() - this.openedAt;
    }
    for (; left.length >= messageBytes; left = left.subarray(messageBytes)) {
      if (left.toString('latin1', 0, messageBytes) !== message(this.echoed)) {
        this.broken ??= 'corrupt';
        this.socket.destroy();
        return;
      }
      this.echoed++;
      this.longest = Math.max(this.longest, performance.now() - (this.sentAt.shift() as number));
    }
    this.rest = left;
  }
}

function message(number: number): string {
  return `${String(number).padEnd(messageBytes - 1, '.')}\n`;
}

function progressOf(talks: readonly Talk[]): TalkProgress {
  const outFor = talks.map((it) => it.outFor);
  return {
    event: 'progress',
    open: talks.filter((it) => it.isOpen).length,
    broken: talks.filter((it) => it.isBroken).length,
    echoed: talks.reduce((sum, it) => sum + it.echoes, 0),
    waiting: outFor.filter((milliseconds) => milliseconds > waitingMilliseconds).length,
    longestMilliseconds: Math.round(
      Math.max(0, ...talks.map((it) => it.report.longestMilliseconds)),
    ),
  };
}

function tell(event: object): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
