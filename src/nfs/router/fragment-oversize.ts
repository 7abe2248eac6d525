/**
 * Cuts packets that are longer than their next link allows, and may be cut (no DF), into fragments
 * (RFC 791 3.2, RFC 1812 5.2.6). After every edit, since a transport checksum covers the whole.
 */
import { authorPacket } from '../../state/author-packet.ts';
import { type BatchOperator, seesSettled, synchronousOperator } from '../../streams/operator.ts';
import { trait, where } from '../../streams/traits.ts';
import { drop, held, pending } from '../../streams/verdict.ts';
import { fragment } from '../../wire/index.ts';

const oversize = where({ all: [trait.oversize] });
const fragmented = drop('fragmented');
const noBuffer = drop('no-buffer');

export function fragmentOversize<F>(): BatchOperator<F> {
  return synchronousOperator('fragmentOversize', (lane) => {
    const { packet } = authorPacket(lane);
    return seesSettled((batch) => {
      if (!batch.mayMatch(oversize)) return;
      const { count } = batch;
      for (let row = 0; row < count; row++) {
        const verdict = batch.verdict[row] as number;
        if (
          verdict <= pending ||
          verdict === held ||
          ((batch.traits[row] as number) & trait.oversize) === 0
        )
          continue;
        packet.move(batch, row);
        const port = verdict - 1;
        const pieces = fragment(packet.bytes().slice(), lane.ports[port]?.mtu ?? 1500);
        const sent = pieces.every((piece) => packet.originate(port, piece));
        batch.verdict[row] = sent ? fragmented : noBuffer;
      }
    });
  });
}
