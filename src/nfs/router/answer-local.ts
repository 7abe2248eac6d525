/** Packets to the router's own addresses: echo requests are answered, all else ends here. */
import { authorPacket } from '../../state/author-packet.ts';
import { type BatchOperator, synchronousOperator } from '../../streams/operator.ts';
import { matches, trait, type WhereMask } from '../../streams/traits.ts';
import { drop } from '../../streams/verdict.ts';
import type { IcmpErrors } from './icmp-errors.ts';

const answered = drop('answered');
const toSelf = drop('to-self');

export function answerLocal<F>(own: WhereMask, errors: IcmpErrors): BatchOperator<F> {
  return synchronousOperator('answerLocal', (lane) => {
    const { packet } = authorPacket(lane);
    return (batch) => {
      if (!batch.mayMatch(own)) return;
      const { count } = batch;
      for (let row = 0; row < count; row++) {
        if (batch.verdict[row] !== 0 || !matches(batch.traits[row] as number, own)) continue;
        packet.move(batch, row);
        const echo = packet.has(trait.echoRequest) && packet.has(trait.ipv4);
        if (echo) errors.answerEcho(packet);
        batch.verdict[row] = echo ? answered : toSelf;
      }
    };
  });
}
