/**
 * The other end of a guest's network card. QEMU's `-netdev dgram` carries each frame in a UDP datagram
 * on the loopback interface, whose ports are whatever is free.
 */
import { createSocket, type Socket } from 'node:dgram';

const loopback = '127.0.0.1';
/** Bytes of frames that may wait while this process is busy: some hundreds of the longest. */
const waitingMost = 1 << 20;

export class Wire {
  /** What `-netdev` says of it, but for the id. */
  readonly netdev: string;
  /** Takes each frame that the guest sends. */
  onFrame: (frame: Uint8Array) => void = () => undefined;
  private readonly socket: Socket;
  private readonly guestPort: number;

  static async open(): Promise<Wire> {
    const socket = await bound();
    // QEMU binds its own end; a port that was free just now is, on loopback, still free then.
    const reserved = await bound();
    const guestPort = reserved.address().port;
    await new Promise<void>((resolve) => reserved.close(() => resolve()));
    return new Wire(socket, guestPort);
  }

  private constructor(socket: Socket, guestPort: number) {
    const ends = [
      `local.type=inet,local.host=${loopback},local.port=${guestPort}`,
      `remote.type=inet,remote.host=${loopback},remote.port=${socket.address().port}`,
    ];
    this.netdev = `dgram,${ends.join(',')}`;
    this.socket = socket;
    this.guestPort = guestPort;
    socket.on('message', (frame, { port }) => {
      if (port === this.guestPort) this.onFrame(frame);
    });
  }

  send(frame: Uint8Array): void {
    this.socket.send(frame, this.guestPort, loopback);
  }

  close(): void {
    this.socket.close();
  }
}

async function bound(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: waitingMost });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject).bind(0, loopback, resolve);
  });
  return socket;
}
