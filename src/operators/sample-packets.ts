import { AssertionError } from 'node:assert';
import { authorPacket } from '../state/author-packet.ts';
import type { PacketBatch } from '../streams/batch.ts';
import type { Lane } from '../streams/lane.ts';
import { type BatchOperator, synchronousOperator } from '../streams/operator.ts';
import type { Packet } from '../streams/packet.ts';

/** A packet to be read and nothing else; valid in the callback only. */
export type PacketView = Pick<
  Packet,
  | 'length'
  | 'ingress'
  | 'traits'
  | 'has'
  | 'l3'
  | 'l4'
  | 'u8'
  | 'u16'
  | 'u32'
  | 'bytes'
  | 'source'
  | 'destination'
  | 'sourcePort'
  | 'destinationPort'
  | 'protocol'
  | 'ttl'
  | 'tcpFlags'
>;

/**
 * Shows every Nth pending packet of a lane to a function: the first, then one after every N. The
 * choice depends on nothing but the order of packets, so a replay shows the same ones. A throw is
 * reported at a limited rate and costs no packet.
 *
 * @param every N, 1 or more
 * @throws {RangeError} N is not a whole number of 1 or more
 * @example packets.pipe(parse(), samplePackets(1000, (packet) => trace(packet.bytes().slice())))
 */
export function samplePackets<F>(
  every: number,
  look: (packet: PacketView) => void,
): BatchOperator<F> {
  if (!Number.isSafeInteger(every) || every < 1) {
    throw new RangeError(`samplePackets: one in ${every} is not a whole number of 1 or more`);
  }
  return synchronousOperator('samplePackets', (lane) => {
    const sampler = new Sampler(lane, every, look);
    return (batch) => {
      if (!batch.allSettled) sampler.pass(batch);
    };
  });
}

class Sampler {
  private readonly lane: Lane;
  private readonly every: number;
  private readonly look: (packet: PacketView) => void;
  private readonly packet: Packet;
  /** Pending packets still to pass before the next that is shown. */
  private toPass = 0;

  constructor(lane: Lane, every: number, look: (packet: PacketView) => void) {
    this.lane = lane;
    this.every = every;
    this.look = look;
    this.packet = authorPacket(lane).packet;
  }

  pass(batch: PacketBatch): void {
    const { verdict, count } = batch;
    for (let row = 0; row < count; row++) {
      if (verdict[row] !== 0) continue;
      if (this.toPass > 0) {
        this.toPass--;
        continue;
      }
      this.toPass = this.every - 1;
      this.show(batch, row);
    }
    if (this.lane.debug) this.packet.expire();
  }

  private show(batch: PacketBatch, row: number): void {
    this.packet.move(batch, row);
    try {
      this.look(this.packet);
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      this.lane.report({
        event: 'callback-error',
        holder: 'samplePackets',
        message: String(error),
      });
    }
  }
}
