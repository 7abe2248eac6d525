import { type BatchOperator, synchronousOperator } from '../streams/operator.ts';
import { counter } from '../streams/packet-counters.ts';
import { everyPacket, matches, type WhereMask } from '../streams/traits.ts';

/**
 * Counts the pending packets that pass here, under a name that `lane.counts()` reads. The counter is
 * there, at zero, from when the pipeline is written.
 *
 * @param where packets counted; default: all that are pending
 * @example
 * packets.pipe(parse(), countPackets('dns', where({ all: [trait.udp] })), forwardTo('wan'));
 * lane.counts().dns; // 0 before the first packet
 */
export function countPackets<F>(name: string, where: WhereMask = everyPacket): BatchOperator<F> {
  const number = counter(name);
  return synchronousOperator(`countPackets(${name})`, (lane) => {
    const { counted } = lane;
    return (batch) => {
      if (batch.allSettled || !batch.mayMatch(where)) return;
      const { verdict, traits, count } = batch;
      let packets = 0;
      for (let row = 0; row < count; row++) {
        if (verdict[row] === 0 && matches(traits[row] as number, where)) packets++;
      }
      counted[number] = (counted[number] as number) + packets;
    };
  });
}
