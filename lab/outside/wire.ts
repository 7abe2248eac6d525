/**
 * Wires of guests' network cards. QEMU's `-netdev dgram` carries each frame in a UDP datagram on the
 * loopback interface; ports are whatever is free.
 */
import { createSocket, type Socket } from 'node:dgram';

const loopback = '127.0.0.1';
/** Bytes of frames that may wait while this process is busy: some hundreds of the longest. */
const waitingMost = 1 << 20;

/** A wire from a guest to this process. */
export class Wire {
  /** The guest's end, as `-netdev` takes it. */
  readonly netdev: string;
  /** Takes each frame that the guest sends. */
  onFrame: (frame: Uint8Array) => void = () => undefined;
  /** Frames are in this VLAN on the wire, and others are not taken; undefined: in none. */
  vlan: number | undefined;
  private readonly socket: Socket;
  private readonly guestPort: number;

  static async open(): Promise<Wire> {
    const [guestPort = 0] = await freePorts(1);
    return new Wire(await bound(), guestPort);
  }

  private constructor(socket: Socket, guestPort: number) {
    this.netdev = end(guestPort, socket.address().port);
    this.socket = socket;
    this.guestPort = guestPort;
    socket.on('message', (frame, { port }) => {
      const taken = port === this.guestPort ? untagged(frame, this.vlan) : undefined;
      if (taken) this.onFrame(taken);
    });
  }

  send(frame: Uint8Array): void {
    this.socket.send(tagged(frame, this.vlan), this.guestPort, loopback);
  }

  close(): void {
    this.socket.close();
  }
}

const tagAt = 12; // behind the addresses (IEEE 802.1Q)
const tagLength = 4;
const tagProtocol = 0x8100;

function tagged(frame: Uint8Array, vlan: number | undefined): Uint8Array {
  if (vlan === undefined) return frame;
  const tag = Buffer.alloc(tagLength);
  tag.writeUInt16BE(tagProtocol);
  tag.writeUInt16BE(vlan, 2);
  return Buffer.concat([frame.subarray(0, tagAt), tag, frame.subarray(tagAt)]);
}

function untagged(frame: Buffer, vlan: number | undefined): Uint8Array | undefined {
  const isTagged = frame.readUInt16BE(tagAt) === tagProtocol;
  if (vlan === undefined) return isTagged ? undefined : frame;
  if (!isTagged || (frame.readUInt16BE(tagAt + 2) & 0xfff) !== vlan) return undefined;
  return Buffer.concat([frame.subarray(0, tagAt), frame.subarray(tagAt + tagLength)]);
}

/** Both ends of a wire between two guests. */
export async function wireBetween(): Promise<[string, string]> {
  const [one = 0, other = 0] = await freePorts(2);
  return [end(one, other), end(other, one)];
}

function end(own: number, other: number): string {
  const address = (side: string, port: number) =>
    `${side}.type=inet,${side}.host=${loopback},${side}.port=${port}`;
  return `dgram,${address('local', own)},${address('remote', other)}`;
}

/** Free just now: QEMU takes them within the second. */
async function freePorts(count: number): Promise<number[]> {
  const sockets = await Promise.all(Array.from({ length: count }, bound));
  const ports = sockets.map((socket) => socket.address().port);
  await Promise.all(
    sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))),
  );
  return ports;
}

async function bound(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: waitingMost });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject).bind(0, loopback, resolve);
  });
  return socket;
}
